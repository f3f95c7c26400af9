//! [`Refusal`]: everything that ends a request before the resolver is asked, with its status, its text on the AWS
//! surface and its words on the native API. Each is in the audit, those alike as a count.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use lockstep_auth::Refused;
use lockstep_core::{Error, Outcome, RequestId};

use crate::body::Json;
use crate::problem::{self, Problem};
use crate::routes::Methods;

/// Why a request went no further.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The listener holds more connections than its cap.
    Crowded,
    /// It was passed on by something: L3.
    Forwarded,
    /// It is for another host: L4.
    Host,
    /// A browser sent it for a page: L4.
    Browser,
    /// No token, a wrong one, or more than one, where only callers of this machine are let in: L1.
    Token,
    /// More requests than one address, or one caller, may send. It may send the next one after this time.
    Rate(Duration),
    /// More requests are waited for than may be.
    Overloaded,
    /// Nobody that is let in here. The reason is for the audit alone.
    Login(Refused),
    /// The route takes other methods; `None` when there is no such route either.
    Method(Option<Methods>),
    /// A GET with a body.
    Body,
    /// The path or query can be read in two ways: L7.
    Target,
    /// No route.
    Route,
    /// A parameter is wrong; the words are the AWS agent's where it has some.
    Parameter(Cow<'static, str>),
    /// It has come through here already, or through too many endpoints.
    Circle(Error),
    /// A name, alias, key or version does not parse.
    Invalid(Error),
}

impl Refusal {
    /// The problem, and what to do about it.
    pub(crate) fn problem(&self) -> (Problem, Cow<'static, str>) {
        const fn p(status: StatusCode, code: &'static str, title: &'static str) -> Problem {
            Problem::new(status, code, title)
        }
        let (problem, detail) = match self {
            Self::Crowded => (
                p(StatusCode::TOO_MANY_REQUESTS, "too_many_connections", "Too many connections"),
                "close idle connections, or raise the listener's cap",
            ),
            Self::Forwarded => (
                p(StatusCode::BAD_REQUEST, "forwarded", "The request was passed on"),
                "a local listener answers only who connects to it: send no forwarding header, proxy target or upgrade",
            ),
            Self::Host => (
                p(StatusCode::FORBIDDEN, "forbidden_host", "The Host header names another host"),
                "use the listener's own address, or list the name under the allowed hosts",
            ),
            Self::Browser => (
                p(StatusCode::FORBIDDEN, "forbidden_origin", "Requests of web pages are refused"),
                "send no Origin and no Sec-Fetch-Site header",
            ),
            Self::Token => (
                p(StatusCode::FORBIDDEN, "bad_token", "The token is missing or wrong"),
                "send the token once, as `Authorization: Bearer …` or in one of the token headers",
            ),
            Self::Rate(_) => (
                p(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
                "wait as long as Retry-After says, and send fewer: keep what was answered, or ask for many in one batch",
            ),
            Self::Overloaded => (
                p(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests are waited for"),
                "try again in a moment; the operator may raise `listen.max_requests`",
            ),
            Self::Login(refused) if refused.is_transient() => (
                p(StatusCode::SERVICE_UNAVAILABLE, "login_unavailable", "Who calls can't be told now"),
                "try again with the same credential",
            ),
            Self::Login(_) => (
                p(StatusCode::UNAUTHORIZED, "unauthenticated", "The credential is missing or not accepted"),
                "send one credential that is let in here, mostly as `Authorization: Bearer …`; the audit says what was \
                 wrong with this one",
            ),
            Self::Method(_) => (
                p(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed here"),
                "see the Allow header",
            ),
            Self::Body => {
                (p(StatusCode::BAD_REQUEST, "body_not_allowed", "A GET has no body"), "send the request without a body")
            }
            Self::Target => (
                p(StatusCode::BAD_REQUEST, "invalid_target", "The path or query can be read in two ways"),
                "write `/` and `.` of a name as they are, without `..` and `;`, or send the name as `?name=`",
            ),
            Self::Route => {
                (p(StatusCode::NOT_FOUND, "no_such_route", "There is no such route"), "look at the path's spelling")
            }
            Self::Parameter(text) => {
                let problem = p(StatusCode::BAD_REQUEST, "invalid_parameter", "A parameter is not valid");
                return (problem, text.clone());
            }
            Self::Circle(error) => return (problem::CIRCLE, error.message().to_owned().into()),
            Self::Invalid(error) => return (problem::problem_of(error), error.message().to_owned().into()),
        };
        (problem, detail.into())
    }

    /// The body on the AWS surface. Where the AWS agent has the same refusal, these are its words.
    fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Crowded => "Connection limit exceeded".into(),
            Self::Forwarded => "Forwarded".into(),
            Self::Host => "Forbidden host".into(),
            Self::Browser => "Forbidden origin".into(),
            Self::Token => "Bad Token".into(),
            Self::Rate(_) => "Rate exceeded".into(),
            Self::Overloaded => "Overloaded".into(),
            Self::Login(refused) if refused.is_transient() => "Login unavailable".into(),
            Self::Login(_) => "Unauthenticated".into(),
            Self::Method(_) => "Not allowed".into(),
            Self::Body => "body not allowed".into(),
            Self::Target => "invalid path or query".into(),
            Self::Route => "Not found".into(),
            Self::Parameter(text) => text.clone(),
            Self::Circle(error) | Self::Invalid(error) => error.message().to_owned().into(),
        }
    }

    /// What the audit record says.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Invalid(error) => Outcome::Failed(error.kind()),
            _ => Outcome::Refused,
        }
    }

    /// The word for callers and metrics.
    pub(crate) fn code(&self) -> &'static str {
        self.problem().0.code
    }

    /// The word for audit records: for a login, what was wrong with it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Login(refused) => refused.reason,
            _ => self.code(),
        }
    }

    /// Whether it came before anybody had shown who they are.
    pub(crate) fn is_before_login(&self) -> bool {
        matches!(self, Self::Crowded | Self::Forwarded | Self::Host | Self::Browser | Self::Token | Self::Login(_))
    }

    /// The answer on the AWS surface: text without a content type.
    pub(crate) fn text_response(&self) -> Response<Bytes> {
        let mut response = Response::new(match self.text() {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        });
        *response.status_mut() = self.problem().0.status;
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        self.add_headers(&mut response);
        response
    }

    /// The answer on the native API: a problem document.
    pub(crate) fn problem_response(&self, request_id: &RequestId) -> Response<Bytes> {
        let (problem, detail) = self.problem();
        let mut json = Json::with_capacity(384);
        json.open();
        problem::write_problem(&mut json, problem, &detail, request_id);
        json.close();
        let mut response = problem::document(problem.status, json);
        self.add_headers(&mut response);
        response
    }

    pub(crate) fn add_headers(&self, response: &mut Response<Bytes>) {
        let (name, value) = match self {
            Self::Method(Some(methods)) => (ALLOW, HeaderValue::from_static(methods.header())),
            Self::Rate(pause) => {
                (RETRY_AFTER, HeaderValue::from(pause.as_secs() + u64::from(pause.subsec_nanos() > 0)))
            }
            Self::Overloaded => (RETRY_AFTER, HeaderValue::from_static("1")),
            Self::Login(refused) if refused.is_transient() => (RETRY_AFTER, HeaderValue::from_static("1")),
            // One form for all of them: what is wrong with a credential is not said.
            Self::Login(_) => (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"lockstep\"")),
            _ => return,
        };
        response.headers_mut().insert(name, value);
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

/// One of each.
#[cfg(test)]
pub(crate) fn every() -> Vec<Refusal> {
    use lockstep_auth::RefusedKind;
    use lockstep_core::ErrorKind;
    let refused = |kind| Refused { kind, reason: "jwt_expired", detail: "the token is over".into() };
    vec![
        Refusal::Crowded,
        Refusal::Forwarded,
        Refusal::Host,
        Refusal::Browser,
        Refusal::Token,
        Refusal::Rate(Duration::from_millis(1)),
        Refusal::Overloaded,
        Refusal::Login(refused(RefusedKind::NotAccepted)),
        Refusal::Login(refused(RefusedKind::NotNow)),
        Refusal::Method(None),
        Refusal::Body,
        Refusal::Target,
        Refusal::Route,
        Refusal::Parameter("missing parameter name".into()),
        Refusal::Circle(Error::new(ErrorKind::Config, "a circle")),
        Refusal::Invalid(Error::new(ErrorKind::InvalidName, "the name is empty")),
        Refusal::Invalid(Error::new(ErrorKind::InvalidReference, "the key is empty")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::REFUSALS;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        let codes: Vec<_> = every().iter().map(Refusal::code).collect();
        assert_eq!(codes, REFUSALS[..REFUSALS.len() - 1]);
    }

    #[test]
    fn a_refusal_has_one_status_in_text_and_as_a_problem() {
        for refusal in every() {
            let (text, problem) = (refusal.text_response(), refusal.problem_response(&"r".into()));
            assert_eq!(text.status(), problem.status(), "{refusal:?}");
            let may_be_ours = matches!(refusal, Refusal::Circle(_) | Refusal::Login(_) | Refusal::Overloaded);
            assert!(text.status().is_client_error() || may_be_ours);
            assert!(!text.headers().contains_key("content-type"));
            let json: serde_json::Value = serde_json::from_slice(problem.body()).unwrap();
            assert_eq!(json["status"], problem.status().as_u16());
            assert_eq!(json["code"], refusal.code());
        }
    }
}
