//! Cert: the client certificate that the TLS profile shows. Nothing of it is in the request itself.

use std::path::Path;

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Result, SecretValue};

use super::{Form, Method, With, path};
use crate::refusal::Row;

pub(super) struct Cert {
    pub(super) mount: String,
    pub(super) name: Option<String>,
    pub(super) certificate: Box<Path>,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "no client certificate found",
        ErrorKind::Unauthenticated,
        "the server saw no client certificate; look at `tls.client_cert`, and at what ends TLS before the server",
    ),
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept the client certificate; look at its age, and at the certificate role",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the cert login; look at `mount` of `auth`, at `namespace`, and at the certificate role",
    ),
];

#[async_trait]
impl Method for Cert {
    async fn form(&self, _: &Call, _: With<'_>) -> Result<Form> {
        let fields = self.name.iter().map(|name| ("name", SecretValue::from(name.as_str()))).collect();
        Ok(Form { path: path(&self.mount, "login"), fields })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        format!("cert {} {name} {}", self.mount, self.certificate.display())
    }
}
