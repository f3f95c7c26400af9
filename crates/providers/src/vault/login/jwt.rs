//! JWT: a token that an identity provider has signed, such as a CI system or AWS's `GetWebIdentityToken`.

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Result, SecretValue};

use super::{Form, Method, With, path};
use crate::Credential;
use crate::refusal::Row;

pub(super) struct Jwt {
    pub(super) mount: String,
    pub(super) role: Option<String>,
    pub(super) token: Credential,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept role and JWT; look at the role's bounds, and at issuer, audience and age of the JWT",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the JWT login; look at `mount` of `auth`, at `namespace`, and at the role's addresses",
    ),
];

#[async_trait]
impl Method for Jwt {
    async fn form(&self, _: &Call, with: With<'_>) -> Result<Form> {
        let jwt = self.token.read(&*with.ports.env, &*with.ports.files)?;
        let mut fields = vec![("jwt", jwt)];
        fields.extend(self.role.as_deref().map(|role| ("role", SecretValue::from(role))));
        Ok(Form { path: path(&self.mount, "login"), fields })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        format!("jwt {} {} {:?}", self.mount, self.role.as_deref().unwrap_or_default(), self.token)
    }
}
