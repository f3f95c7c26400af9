//! The AWS drop-in surface: what clients of the AWS Secrets Manager Agent (Workload Credentials Provider 3.x) and of
//! the AWS Parameters and Secrets Lambda Extension send, and what they parse.
//!
//! Where the agent has an answer, status, text and `__type` are the agent's. Ours differ in this: what could be read in
//! two ways is refused (a parameter twice, an escaped slash), `roleArn` must be configured, messages are our own words
//! and escaped, and there are routes that the agent lacks.

mod failure;
mod parameter_store;
mod secrets_manager;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CACHE_STATUS, HeaderValue};
use http::{Response, StatusCode};
use lockstep_core::{Alias, Answer, Ask, Error, ErrorKind, SecretName};

pub(crate) use self::failure::invalid_response;
use crate::api::{Api, Exchange, Stop};
use crate::body;
use crate::native::cache_status;
use crate::parts::AwsSurface;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::routes::Where;

/// Which AWS service an answer is shaped like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    SecretsManager,
    ParameterStore,
}

impl Service {
    /// Whose form a kept answer has.
    fn surface(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::ParameterStore => "ssm",
        }
    }
}

/// `/ping`, in the agent's word.
pub(crate) fn ping() -> Response<Bytes> {
    Response::new(Bytes::from_static(b"healthy"))
}

/// Answers a route of this surface.
pub(crate) async fn answer(api: &Api, surface: &AwsSurface, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let (ask, service) = ask(surface, exchange)?;
    let call = exchange.call(api);
    match api.resolver().get(&call, &exchange.who, &ask).await {
        Ok(answer) => Ok(release(&answer, service)),
        Err(error) => Ok(failure::response(&api.told(error), service)),
    }
}

/// Answers from the cache; `None` when that can't be done without waiting.
pub(crate) fn answer_at_once(api: &Api, surface: &AwsSurface, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
    let (ask, service) = ask(surface, exchange).ok()?;
    let answer = exchange.get_at_once(api, &ask)?;
    Some(release(&answer, service))
}

fn ask(surface: &AwsSurface, exchange: &Exchange<'_>) -> Result<(Ask, Service), Refusal> {
    Ok(match exchange.to() {
        Where::ParameterStore => (parameter_store::ask(surface, exchange)?, Service::ParameterStore),
        _ => (secrets_manager::ask(surface, exchange)?, Service::SecretsManager),
    })
}

fn release(answer: &Answer, service: Service) -> Response<Bytes> {
    let written = body::kept(
        answer,
        service.surface(),
        || None,
        |json| match service {
            Service::SecretsManager => secrets_manager::write(json, &answer.secret),
            Service::ParameterStore => parameter_store::write(json, &answer.secret),
        },
    );
    let body = match written {
        Ok((body, _)) => body,
        Err(error) => return failure::response(&error, service),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CACHE_STATUS, cache_status(answer.status));
    response
}

/// An ask of this surface. A name that does not parse is told as the service tells it.
fn ask_for(alias: &Alias, name: &str, selector: Option<Box<str>>, query: &Query<'_>) -> Result<Ask, Refusal> {
    let name = SecretName::parse(name).map_err(|error| Refusal::Invalid(error.into()))?;
    Ok(Ask { alias: Some(alias.clone()), name, selector, skip_cache: query.switch("refreshNow")? })
}

fn invalid(message: impl Into<Box<str>>) -> Refusal {
    Refusal::Invalid(Error::new(ErrorKind::InvalidReference, message))
}

/// A status from a provider, if it is one of a failure.
fn failure_status(status: u16) -> Option<StatusCode> {
    StatusCode::from_u16(status).ok().filter(|status| status.is_client_error() || status.is_server_error())
}
