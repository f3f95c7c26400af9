//! Credentials of a container: ECS, EKS Pod Identity, and Lambda with SnapStart.
//!
//! The address comes from the environment and gets an authorization token. So plain http goes to this host and to the
//! link-local addresses of ECS and EKS only.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Uri};
use lockstep_core::{Call, Env, Error, ErrorKind, Files, Operation, Result, SecretValue, Transport, is_loopback};

use super::web_identity::token;
use super::{CredentialSource, Credentials, handed_out, refused, visible};
use crate::oauth::ask_within;

/// Where ECS and EKS listen.
const LINK_LOCAL: [&str; 4] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "fd00:ec2::23"];

/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`, and the authorization token or its file.
pub(super) struct Container {
    pub(super) env: Arc<dyn Env>,
    pub(super) files: Arc<dyn Files>,
    pub(super) transport: Arc<dyn Transport>,
}

#[async_trait]
impl CredentialSource for Container {
    fn name(&self) -> &'static str {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    }

    async fn load(&self, call: &Call) -> Result<Option<Credentials>> {
        let Some(uri) = self.uri()? else { return Ok(None) };
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let mut request = Request::get(uri).header(HOST, host).header(ACCEPT, "application/json");
        if let Some(token) = self.authorization()? {
            // An authorization can be `Bearer …`, so a space in it is fine; CR, LF and NUL are not.
            let mut value = HeaderValue::from_bytes(token.expose())
                .map_err(|_| refused("the container's authorization token has a control character; set it anew"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request
            .body(Bytes::new())
            .map_err(|_| Error::new(ErrorKind::Internal, "a request for credentials could not be built"))?;
        let response = ask_within(Duration::from_secs(2), &*self.transport, call, request).await?;
        handed_out("the container's credentials endpoint", response).map(Some)
    }
}

impl Container {
    fn uri(&self) -> Result<Option<Uri>> {
        let wrong = |variable: &str, what: &str| {
            Error::new(ErrorKind::Config, format!("`{variable}` {what}")).during(Operation::Login)
        };
        if let Some(path) = self.env.var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            let variable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
            if !path.starts_with('/') {
                return Err(wrong(variable, "does not begin with `/`"));
            }
            let uri = format!("http://169.254.170.2{path}").parse();
            return uri.map(Some).map_err(|_| wrong(variable, "is no path of a URL"));
        }
        let variable = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let Some(text) = self.env.var(variable) else { return Ok(None) };
        let uri: Uri = text.parse().map_err(|_| wrong(variable, "is no URL"))?;
        let host = uri.host().unwrap_or_default();
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong(variable, "has a user in it"));
        }
        match uri.scheme_str() {
            Some("https") => Ok(Some(uri)),
            Some("http") if is_loopback(host) || LINK_LOCAL.contains(&host) => Ok(Some(uri)),
            _ => Err(wrong(variable, "is neither https nor an address of this host, ECS or EKS")),
        }
    }

    /// The token's file wins, and is read anew each time: it is renewed in place.
    fn authorization(&self) -> Result<Option<SecretValue>> {
        let token = match self.env.var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(path) => token(&*self.files, Path::new(&path), 16 << 10, "container's authorization token")?,
            None => match self.env.var("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
                Some(token) => token.into(),
                None => return Ok(None),
            },
        };
        // Parts of `Bearer x` are each visible; nothing else can hide a header behind the token.
        let parts = token.expose_text().unwrap_or("\n");
        for part in parts.split(' ').filter(|part| !part.is_empty()) {
            visible(&part.into(), "container's authorization token")?;
        }
        Ok(Some(token))
    }
}
