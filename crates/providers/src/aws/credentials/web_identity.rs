//! Credentials of a role, for the token of an identity provider (EKS service accounts, CI systems).
//!
//! `AssumeRoleWithWebIdentity` is not signed: the token is the proof. The token's file is read anew for each login,
//! since whoever writes it renews it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Env, Files, Result, SecretValue};

use super::super::sts::{Sts, granted};
use super::{CredentialSource, Credentials, refused, visible};

/// Tokens are at most 20,000 characters.
const TOKEN_LIMIT: usize = 20_000;

/// `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`.
pub(super) struct WebIdentity {
    pub(super) env: Arc<dyn Env>,
    pub(super) files: Arc<dyn Files>,
    pub(super) sts: Arc<Sts>,
}

#[async_trait]
impl CredentialSource for WebIdentity {
    fn name(&self) -> &'static str {
        "AWS_WEB_IDENTITY_TOKEN_FILE"
    }

    async fn load(&self, call: &Call) -> Result<Option<Credentials>> {
        let Some(path) = self.env.var("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
        let role = self
            .env
            .var("AWS_ROLE_ARN")
            .ok_or_else(|| refused("AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not; set both or neither"))?;
        let session = self.env.var("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "lockstep".to_owned());
        assume(&self.sts, call, &*self.files, Path::new(&path), &role, &session).await.map(Some)
    }
}

/// Asks STS for the credentials of a role, with the token in a file.
pub(super) async fn assume(
    sts: &Sts,
    call: &Call,
    files: &dyn Files,
    path: &Path,
    role: &str,
    session: &str,
) -> Result<Credentials> {
    let token = token(files, path, TOKEN_LIMIT, "web identity token")?;
    let fields =
        [("RoleArn", role), ("RoleSessionName", session), ("WebIdentityToken", visible(&token, "web identity token")?)];
    let body = sts.ask(call, "AssumeRoleWithWebIdentity", &fields, None).await.map_err(|verdict| verdict.error)?;
    granted(&body)
}

/// A token from its file, without the line's end.
pub(super) fn token(files: &dyn Files, path: &Path, limit: usize, what: &str) -> Result<SecretValue> {
    let content = files.read(path, limit).map_err(|error| {
        refused(format!("the file of the {what} can't be read; look at {}", path.display())).because(error)
    })?;
    Ok(SecretValue::from(content.bytes.trim_ascii()))
}
