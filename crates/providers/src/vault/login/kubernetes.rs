//! Kubernetes: the token of a pod's service account, which Vault has the cluster review.

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Result, SecretValue};

use super::{Form, Method, With, path};
use crate::Credential;
use crate::refusal::Row;

pub(super) struct Kubernetes {
    pub(super) mount: String,
    pub(super) role: String,
    /// The cluster writes a new one before this one ends.
    pub(super) jwt: Credential,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept role and service account token; look at the role's name and its audience",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the service account; look at the role's accounts and namespaces, whether the cluster \
         reviews the token, and at `mount` of `auth`",
    ),
];

#[async_trait]
impl Method for Kubernetes {
    async fn form(&self, _: &Call, with: With<'_>) -> Result<Form> {
        let jwt = self.jwt.read(&*with.ports.env, &*with.ports.files)?;
        let fields = vec![("role", SecretValue::from(self.role.as_str())), ("jwt", jwt)];
        Ok(Form { path: path(&self.mount, "login"), fields })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        format!("kubernetes {} {} {:?}", self.mount, self.role, self.jwt)
    }
}
