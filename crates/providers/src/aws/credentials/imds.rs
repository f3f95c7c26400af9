//! Credentials of an EC2 instance, by its metadata service, version 2 only.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use lockstep_core::{Call, Clock, Env, Error, ErrorKind, Operation, Random, Result, SecretValue, Transport};

use super::{CredentialSource, Credentials, handed_out, not_ok, refused};
use crate::body::Body;
use crate::oauth::ask_within;

const NAME: &str = "the instance metadata service";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// How long past its end a credential is used while the service hands out nothing newer: 15 min and a jitter of 2 to
/// 10 min, so that a fleet does not ask all at once.
fn extension(random: &dyn Random) -> Duration {
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    Duration::from_secs(15 * 60 + 120 + u64::from(u16::from_le_bytes(bytes)) % 481)
}

/// The metadata service, unless `AWS_EC2_METADATA_DISABLED` is `true`.
pub(super) struct InstanceMetadata {
    pub(super) env: Arc<dyn Env>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

#[async_trait]
impl CredentialSource for InstanceMetadata {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn load(&self, call: &Call) -> Result<Option<Credentials>> {
        if self.env.var("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let token = self.exchange(call, Method::PUT, "/latest/api/token", None).await?;
        let token = SecretValue::from(Body::new(token).bytes());
        let role = self.exchange(call, Method::GET, ROLES, Some(&token)).await?;
        let role = std::str::from_utf8(&role).ok().and_then(|text| text.lines().next()).map(str::trim);
        let role = role
            .filter(|role| {
                !role.is_empty() && role.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
            })
            .ok_or_else(|| refused("the instance has no role; attach an instance profile"))?;
        let response = self.send(call, Method::GET, &format!("{ROLES}{role}"), Some(&token)).await?;
        let mut credentials = handed_out(NAME, response)?;
        let beyond = extension(&*self.random);
        credentials.outlives_outage = Some(beyond);
        let now = self.clock.wall();
        if credentials.expires.is_some_and(|expires| expires <= now) {
            credentials.expires = Some(now.plus(beyond));
        }
        Ok(Some(credentials))
    }
}

impl InstanceMetadata {
    async fn exchange(&self, call: &Call, method: Method, path: &str, token: Option<&SecretValue>) -> Result<Bytes> {
        let response = self.send(call, method, path, token).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            StatusCode::NOT_FOUND => Err(refused("the instance has no role; attach an instance profile")),
            status => Err(not_ok(NAME, status)),
        }
    }

    async fn send(
        &self,
        call: &Call,
        method: Method,
        path: &str,
        token: Option<&SecretValue>,
    ) -> Result<http::Response<Bytes>> {
        let broken = || Error::new(ErrorKind::Internal, "a request for credentials could not be built");
        let mut request = Request::builder().method(method).uri(format!("http://169.254.169.254{path}"));
        request = match token {
            None => request.header("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
            Some(token) => {
                let mut value = HeaderValue::from_bytes(token.expose()).map_err(|_| {
                    refused("the instance metadata service answered with a token that can't stand in a header")
                })?;
                value.set_sensitive(true);
                request.header("x-aws-ec2-metadata-token", value)
            }
        };
        let request = request.body(Bytes::new()).map_err(|_| broken().during(Operation::Login))?;
        ask_within(Duration::from_secs(1), &*self.transport, call, request).await
    }
}
