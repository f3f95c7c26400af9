//! Credentials of the environment. They are fixed: a Lambda environment ends before they do.

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Env, Result};

use super::{CredentialSource, Credentials, refused};

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
pub(super) struct Environment(pub(super) Arc<dyn Env>);

#[async_trait]
impl CredentialSource for Environment {
    fn name(&self) -> &'static str {
        "AWS_ACCESS_KEY_ID"
    }

    async fn load(&self, _call: &Call) -> Result<Option<Credentials>> {
        let Some(id) = self.0.var("AWS_ACCESS_KEY_ID") else { return Ok(None) };
        let secret = self
            .0
            .var("AWS_SECRET_ACCESS_KEY")
            .ok_or_else(|| refused("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not; set both or neither"))?;
        let token = self.0.var("AWS_SESSION_TOKEN").or_else(|| self.0.var("AWS_SECURITY_TOKEN"));
        Credentials::new(&id, &secret.into(), token.map(Into::into).as_ref(), None).map(Some)
    }
}
