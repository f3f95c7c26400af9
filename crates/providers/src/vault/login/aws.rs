//! AWS: a `GetCallerIdentity` that is signed here and sent by Vault, which learns from STS's answer who signed it.

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Result, SecretValue};

use super::{Form, Method, With, path};
use crate::aws::Session;
use crate::aws::identity::{Proof, Sts, server_id};
use crate::refusal::Row;

pub(super) struct Aws {
    mount: String,
    role: Option<String>,
    server_id: Option<http::HeaderValue>,
    sts: Sts,
    session: Arc<Session>,
}

/// What an answer without a token means.
pub(super) const REFUSALS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the server does not accept the AWS identity; look at the role and its bound principals, at `server_id`, at \
         `region`, and at this machine's clock",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the AWS login; look at `mount` of `auth`, at `namespace`, and at the role",
    ),
];

impl Aws {
    pub(super) fn new(
        mount: String,
        role: Option<String>,
        server: Option<&str>,
        region: Option<&str>,
        session: Arc<Session>,
    ) -> Result<Self> {
        Ok(Self { mount, role, server_id: server.map(server_id).transpose()?, sts: Sts::of(region)?, session })
    }
}

#[async_trait]
impl Method for Aws {
    async fn form(&self, call: &Call, _: With<'_>) -> Result<Form> {
        let Proof { url, body, headers } = self.session.proof(call, &self.sts, self.server_id.as_ref()).await?;
        let mut fields = vec![
            ("iam_http_request_method", SecretValue::from("POST")),
            ("iam_request_url", url),
            ("iam_request_body", body),
            ("iam_request_headers", headers),
        ];
        fields.extend(self.role.as_deref().map(|role| ("role", SecretValue::from(role))));
        Ok(Form { path: path(&self.mount, "login"), fields })
    }

    fn refusals(&self) -> &'static [Row] {
        REFUSALS
    }

    fn identity(&self) -> String {
        let role = self.role.as_deref().unwrap_or_default();
        format!("aws {} {role} {} {}", self.mount, self.sts.region(), self.session.identity())
    }
}
