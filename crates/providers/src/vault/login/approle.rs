//! AppRole: a role id, and mostly a secret id.

use async_trait::async_trait;
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue};

use super::handed::{Secret, Taken};
use super::{Form, Method, With, path};
use crate::refusal::Row;

pub(super) struct AppRole {
    pub(super) mount: String,
    pub(super) role_id: String,
    pub(super) secret_id: Option<Secret>,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept the role id and secret id; look at both, and at what the role allows",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the AppRole login; look at `mount` of `auth`, at `namespace`, and at the role's addresses",
    ),
];

/// The secret id in what was unwrapped.
pub(super) fn secret_id(taken: Taken) -> Result<SecretValue> {
    taken.field("secret_id").ok_or_else(|| {
        let message = "what was wrapped holds no secret id; wrap the answer of `auth/…/role/…/secret-id`";
        Error::new(ErrorKind::Unauthenticated, message)
    })
}

#[async_trait]
impl Method for AppRole {
    async fn form(&self, call: &Call, with: With<'_>) -> Result<Form> {
        let mut fields = vec![("role_id", SecretValue::from(self.role_id.as_str()))];
        if let Some(secret_id) = &self.secret_id {
            fields.push(("secret_id", secret_id.read(call, with).await?));
        }
        Ok(Form { path: path(&self.mount, "login"), fields })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        format!("approle {} {}", self.mount, self.role_id)
    }
}
