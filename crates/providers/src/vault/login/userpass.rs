//! Userpass: a name and a password.

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Result};

use super::{Form, Method, With, path};
use crate::Credential;
use crate::refusal::Row;
use crate::vault::http::encoded;

pub(super) struct Userpass {
    pub(super) mount: String,
    pub(super) username: String,
    pub(super) password: Credential,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept name and password; look at both, and whether the user is locked",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the userpass login; look at `mount` of `auth`, at `namespace`, and whether the user is locked",
    ),
];

#[async_trait]
impl Method for Userpass {
    async fn form(&self, _: &Call, with: With<'_>) -> Result<Form> {
        let password = self.password.read(&*with.ports.env, &*with.ports.files)?;
        // A name is one segment of the path: what it holds leads nowhere else.
        let path = format!("{}/{}", path(&self.mount, "login"), encoded(&self.username).replace('/', "%2F"));
        Ok(Form { path, fields: vec![("password", password)] })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        format!("userpass {} {}", self.mount, self.username)
    }
}
