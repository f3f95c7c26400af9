//! Credentials files: what is in the JSON that Google's console and `gcloud` write (AIP-4110).
//!
//! A file is read, checked and turned into a [`Plan`] before anything is sent. No text of it gets into an error.

use std::borrow::Cow;

use lockstep_core::{Error, ErrorKind, Result, SecretValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::hosts::Hosts;
use super::super::settings::is_account;
use super::workload_identity::Federated;
use crate::Credential;
use crate::body::text as secret_text;
use crate::json;

/// How to get a token.
pub(super) struct Plan {
    pub(super) source: Source,
    /// Whose place to take, and by way of whom.
    pub(super) impersonate: Option<(String, Vec<String>)>,
}

/// Who we are.
pub(super) enum Source {
    Key(Key),
    Metadata,
    Federated(Federated),
}

/// The key of a service account.
pub(super) struct Key {
    pub(super) email: String,
    pub(super) id: String,
    /// PEM.
    pub(super) private: SecretValue,
    pub(super) token_uri: Option<String>,
}

/// Where somebody else's token is.
pub(super) struct Subject {
    pub(super) from: Credential,
    /// The member that it is in, when the file is JSON.
    pub(super) member: Option<String>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    client_email: Option<Cow<'a, str>>,
    #[serde(borrow)]
    private_key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    private_key: Option<&'a RawValue>,
    #[serde(borrow)]
    token_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    universe_domain: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audience: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject_token_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    credential_source: Option<CredentialSource<'a>>,
    #[serde(borrow)]
    service_account_impersonation_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source_credentials: Option<&'a RawValue>,
    delegates: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct CredentialSource<'a> {
    #[serde(borrow)]
    file: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    executable: Option<&'a RawValue>,
    #[serde(borrow)]
    environment_id: Option<&'a RawValue>,
    #[serde(borrow)]
    certificate: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<Format<'a>>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject_token_field_name: Option<Cow<'a, str>>,
}

impl Plan {
    pub(super) fn new(source: Source) -> Self {
        Self { source, impersonate: None }
    }
}

/// Reads a credentials file; `is_key` when it must be the key of a service account.
///
/// # Errors
/// `Config` when it leads to an address that is not Google's (O5), or is of a kind that is not taken;
/// `Unauthenticated` when it is broken.
pub(super) fn read(text: &SecretValue, hosts: &Hosts, is_key: bool) -> Result<Plan> {
    let written = parse(text.expose())?;
    if is_key && written.kind != "service_account" {
        return Err(refused(match &*written.kind {
            "external_account" => {
                "`key` is no key but a file for workload identity; write `method = \"workload-identity\"` with its \
                 `audience` and token, or name the file in GOOGLE_APPLICATION_CREDENTIALS and remove `auth`"
            }
            _ => "`key` is not the key of a service account; write the JSON file that Google made of the key",
        }));
    }
    plan(&written, hosts, true)
}

fn plan(written: &Written<'_>, hosts: &Hosts, outermost: bool) -> Result<Plan> {
    if written.universe_domain.as_deref().is_some_and(|domain| domain != hosts.universe()) {
        return Err(refused("the credentials file is of another cloud than `universe_domain`; set that to the file's"));
    }
    match &*written.kind {
        "service_account" => Ok(Plan::new(Source::Key(key(written)?))),
        "external_account" => {
            let federated = federated(written, hosts)?;
            let impersonate = match &written.service_account_impersonation_url {
                Some(url) => Some((hosts.impersonated(url)?.to_owned(), Vec::new())),
                None => None,
            };
            Ok(Plan { source: Source::Federated(federated), impersonate })
        }
        "impersonated_service_account" if outermost => {
            let url = written.service_account_impersonation_url.as_deref().ok_or_else(broken)?;
            let account = hosts.impersonated(url)?.to_owned();
            let delegates = written.delegates.clone().unwrap_or_default();
            let name = |delegate: &str| delegate.rsplit('/').next().is_some_and(is_account);
            if !delegates.iter().all(|delegate| name(delegate)) {
                return Err(broken());
            }
            let inner = parse(written.source_credentials.ok_or_else(broken)?.get().as_bytes())?;
            let inner = plan(&inner, hosts, false)?;
            if inner.impersonate.is_some() {
                return Err(refused("the credentials file impersonates twice; name the last account as `impersonate`"));
            }
            Ok(Plan { source: inner.source, impersonate: Some((account, delegates)) })
        }
        "authorized_user" | "external_account_authorized_user" | "gdch_service_account" => Err(refused(
            "the credentials file is of a person, or of a kind that is not taken; use a service account's key, workload \
             identity or the metadata server",
        )),
        _ => Err(refused("the credentials file is of no kind that is known here; write one that Google made")),
    }
}

fn key(written: &Written<'_>) -> Result<Key> {
    let email = written.client_email.as_deref().filter(|email| is_account(email)).ok_or_else(broken)?;
    let id = written.private_key_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(broken)?;
    let private = written.private_key.ok_or_else(broken)?;
    Ok(Key {
        email: email.to_owned(),
        id: id.to_owned(),
        private: secret_text(private).map_err(|_| broken())?,
        token_uri: written.token_uri.as_deref().map(str::to_owned),
    })
}

fn federated(written: &Written<'_>, hosts: &Hosts) -> Result<Federated> {
    let audience = written.audience.as_deref().filter(|audience| !audience.is_empty()).ok_or_else(broken)?;
    let token_type = written.subject_token_type.as_deref().ok_or_else(broken)?;
    let token_url = written.token_url.as_deref().map(str::to_owned);
    hosts.sts(token_url.as_deref())?;
    let source = written.credential_source.as_ref().ok_or_else(broken)?;
    if source.environment_id.is_some() {
        return Err(Error::unsupported("log in with AWS's identity at Google; give it the token in a file, or a key"));
    }
    if source.url.is_some() || source.executable.is_some() || source.certificate.is_some() {
        return Err(refused(
            "the credentials file wants to fetch its token from a URL, a program or a certificate, and nothing was sent \
             or run; write the token into a file and name that under `credential_source`",
        ));
    }
    let path = source.file.as_deref().filter(|path| !path.is_empty()).ok_or_else(broken)?;
    let member = match &source.format {
        Some(Format { kind: Some(kind), subject_token_field_name }) if kind == "json" => {
            Some(subject_token_field_name.as_deref().ok_or_else(broken)?.to_owned())
        }
        Some(Format { kind: Some(kind), .. }) if kind != "text" => return Err(broken()),
        _ => None,
    };
    let from = Credential::File(std::path::Path::new(path).into());
    Ok(Federated {
        audience: audience.to_owned(),
        token_type: token_type.to_owned(),
        token_url,
        subject: Subject { from, member },
    })
}

fn parse(text: &[u8]) -> Result<Written<'_>> {
    json::read(text).map_err(|mistake| {
        let message = format!("the credentials file {mistake}; write the one that Google made");
        Error::new(ErrorKind::Unauthenticated, message)
    })
}

fn broken() -> Error {
    let message = "the credentials file lacks a member that its kind has, or has it in another form; write it again";
    Error::new(ErrorKind::Unauthenticated, message)
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}
