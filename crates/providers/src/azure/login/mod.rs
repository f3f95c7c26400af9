//! Logins: one file per credential source, each giving tokens for the vaults of one cloud.

mod app_service;
mod certificate;
mod entra;
mod imds;
mod secret;
mod workload;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue};
use percent_encoding::utf8_percent_encode;

use super::address::Address;
use super::errors;
use super::settings::{AzureAuth, AzureSettings, Cloud, Identity};
use crate::Ports;
use crate::form::UNRESERVED;
use crate::login::{Granted, LoginSource};
use crate::oauth::{ask, granted};
use crate::refusal::Row;

/// The identity that logs in.
pub(super) struct Login {
    auth: AzureAuth,
    cloud: Cloud,
    authority: Address,
    ports: Ports,
    /// What the next token has to be asked for with, when the vault wanted more of the last one.
    claims: Mutex<Option<String>>,
}

impl Login {
    pub(super) fn new(settings: &AzureSettings, ports: Ports) -> Result<Self> {
        settings.auth.check()?;
        let variable = "AZURE_AUTHORITY_HOST";
        let authority = match ports.env.var(variable) {
            // Microsoft's own libraries take a host alone, too.
            Some(text) if !text.contains("://") => {
                Address::parse(&format!("https://{text}"), variable, settings.insecure)?
            }
            Some(text) => Address::parse(&text, variable, settings.insecure)?,
            None => Address::parse(settings.cloud.authority(), "cloud", false)?,
        };
        Ok(Self { auth: settings.auth.clone(), cloud: settings.cloud, authority, ports, claims: Mutex::default() })
    }

    pub(super) fn authority(&self) -> &Address {
        &self.authority
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.auth.tenant()
    }

    /// The next token is asked for with these claims. A managed identity has no way to say them.
    pub(super) fn claim(&self, claims: String) {
        *self.claims.lock().unwrap_or_else(PoisonError::into_inner) = Some(claims);
    }

    fn claimed(&self) -> Option<String> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What tokens are for.
    fn resource(&self) -> String {
        format!("https://{}", self.cloud.vaults())
    }

    /// Asks a source of managed identities: a GET whose query names resource and identity.
    async fn machine(
        &self,
        call: &Call,
        source: &Machine<'_>,
        header: (&'static str, http::HeaderValue),
        identity: Option<&Identity>,
    ) -> Result<Granted<SecretValue>> {
        let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let mut query = format!("?api-version={}&resource={}", source.api_version, encoded(&self.resource()));
        if let Some(identity) = identity {
            let (name, id) = match identity {
                Identity::Client(id) => ("client_id", id),
                Identity::Object(id) => ("object_id", id),
                Identity::Resource(id) => (source.resource_id, id),
            };
            query.extend(["&", name, "=", &encoded(id)]);
        }
        let request = Request::get(source.address.uri(&format!("{}{query}", source.path))?)
            .header(header.0, header.1)
            .body(Bytes::new())
            .map_err(|_| Error::new(ErrorKind::Internal, "the request for a token can't be built"))?;
        let response = ask(&*self.ports.transport, call, request).await?;
        if response.status() != http::StatusCode::OK {
            return Err(errors::of_identity(source.table, source.who, response.status(), response.headers()));
        }
        granted(source.who, response)
    }
}

/// A source of managed identities.
struct Machine<'a> {
    who: &'static str,
    address: &'a Address,
    path: &'a str,
    api_version: &'static str,
    /// The parameter that a resource id goes into.
    resource_id: &'static str,
    table: &'static [Row],
}

#[async_trait]
impl LoginSource for Login {
    type Credential = Arc<SecretValue>;

    async fn log_in(&self, call: &Call) -> Result<Granted<Arc<SecretValue>>> {
        let Granted { credential, end, beyond } = match &self.auth {
            AzureAuth::ClientSecret { tenant, client_id, secret } => {
                secret::token(self, call, tenant, client_id, secret).await?
            }
            AzureAuth::ClientCertificate { tenant, client_id, certificate } => {
                certificate::token(self, call, tenant, client_id, certificate).await?
            }
            AzureAuth::WorkloadIdentity { tenant, client_id, token } => {
                workload::token(self, call, tenant, client_id, token).await?
            }
            AzureAuth::ManagedIdentity(identity) => match app_service::Endpoint::of(&*self.ports.env)? {
                Some(endpoint) => endpoint.token(self, call, identity.as_ref()).await?,
                None => imds::token(self, call, identity.as_ref()).await?,
            },
        };
        Ok(Granted { credential: Arc::new(credential), end, beyond })
    }
}
