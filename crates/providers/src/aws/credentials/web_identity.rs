//! Credentials of a role, for the token of an identity provider (EKS service accounts, CI systems).
//!
//! `AssumeRoleWithWebIdentity` is not signed: the token is the proof. The token's file is read anew for each login,
//! since whoever writes it renews it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use lockstep_core::{Call, Env, Error, ErrorKind, Files, Operation, Result, SecretValue, Transport, UnixMillis};

use super::super::endpoint::{Endpoint, Service};
use super::super::json::{element, failure};
use super::{CredentialSource, Credentials, ask, refused, visible};
use crate::body::{Body, unexpected};
use crate::form::form;

/// Tokens are at most 20,000 characters.
const TOKEN_LIMIT: usize = 20_000;

/// `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`.
pub(super) struct WebIdentity {
    pub(super) env: Arc<dyn Env>,
    pub(super) files: Arc<dyn Files>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) sts: Endpoint,
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
        let token = token(&*self.files, Path::new(&path), TOKEN_LIMIT, "web identity token")?;
        let body = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &role),
            ("RoleSessionName", &session),
            ("WebIdentityToken", visible(&token, "web identity token")?),
        ]);
        let request = Request::post(self.sts.uri().clone())
            .header(HOST, self.sts.host())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(body)
            .map_err(|_| Error::new(ErrorKind::Internal, "a request to STS could not be built"))?;
        let response = ask(&*self.transport, call, Duration::from_secs(5), request).await?;
        if !response.status().is_success() {
            return Err(failure(Service::Sts, response).error.during(Operation::Login));
        }
        granted(&Body::new(response.into_body())).map(Some).map_err(|error| error.during(Operation::Login))
    }
}

/// A token from its file, without the line's end.
pub(super) fn token(files: &dyn Files, path: &Path, limit: usize, what: &str) -> Result<SecretValue> {
    let content = files.read(path, limit).map_err(|error| {
        refused(format!("the file of the {what} can't be read; look at {}", path.display())).because(error)
    })?;
    Ok(SecretValue::from(content.bytes.trim_ascii()))
}

/// The credentials in STS's XML.
fn granted(body: &Body) -> Result<Credentials> {
    let xml = std::str::from_utf8(body.bytes()).map_err(|_| unexpected("is not UTF-8"))?;
    let credentials = xml
        .split_once("<Credentials>")
        .and_then(|(_, rest)| rest.split_once("</Credentials>"))
        .map(|(inside, _)| inside)
        .ok_or_else(|| unexpected("has no credentials"))?;
    let part = |tag| element(credentials, tag).ok_or_else(|| unexpected("lacks a part of the credentials"));
    let expires = UnixMillis::from_rfc3339(part("Expiration")?).ok_or_else(|| unexpected("has a wrong expiry"))?;
    Credentials::new(
        part("AccessKeyId")?,
        &part("SecretAccessKey")?.into(),
        Some(&part("SessionToken")?.into()),
        Some(expires),
    )
}
