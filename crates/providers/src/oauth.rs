//! [`TokenEndpoint`]: a bearer token for a grant (RFC 6749, section 4.4 and RFC 7523), as Entra and Google give it, and
//! [`bearer`], the header that it goes into.
//!
//! What the grant is, a client secret, an assertion, the token of somebody else, is the caller's. No text of an answer
//! gets into an error but the code of RFC 6749, section 5.2.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use lockstep_core::{Call, Error, ErrorKind, Limits, Operation, Result, Retry, SecretValue, Transport};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::{self, Body};
use crate::exchange::exchange;
use crate::form::form;
use crate::json;
use crate::login::{Ahead, End, Granted};
use crate::refusal::retry_after;

/// Tokens live about an hour. The clouds' own libraries renew three to five minutes before the end.
pub(crate) const AHEAD: Ahead = Ahead { advisory: Duration::from_mins(5), mandatory: Duration::from_secs(90) };

/// Tokens are a few kilobytes long.
const RESPONSE_BYTES: usize = 64 << 10;
/// What one login may take; what is left of the call's time may be less.
const TIME: Duration = Duration::from_secs(10);
/// Entra's number for a client that logs in in a loop (AADSTS50196).
const LOOP: u32 = 50196;

/// Where tokens are given.
pub(crate) struct TokenEndpoint<'a> {
    /// For messages: `Entra`, `Google`.
    pub(crate) who: &'static str,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) uri: Uri,
}

/// One row: the code of RFC 6749 (or of its extensions), its kind, and what to look at.
const CODES: &[(&str, ErrorKind, &str)] = &[
    (
        "invalid_client",
        ErrorKind::Unauthenticated,
        "does not know the client, or refuses its secret or assertion; look at its id, and whether what it shows is over",
    ),
    ("unauthorized_client", ErrorKind::Unauthenticated, "does not let this client log in this way"),
    (
        "invalid_grant",
        ErrorKind::Unauthenticated,
        "refuses the assertion or token; look at its issuer, audience and age",
    ),
    ("invalid_scope", ErrorKind::Config, "does not know the scope; look at the cloud and its authority"),
    ("invalid_target", ErrorKind::Config, "does not know the audience; look at the pool and its provider"),
    ("invalid_resource", ErrorKind::Config, "does not know the resource; look at the cloud and its authority"),
    ("unsupported_grant_type", ErrorKind::Config, "does not know this way to log in; look at its address"),
    (
        "invalid_request",
        ErrorKind::Unauthenticated,
        "does not accept the request; look at tenant, client and assertion",
    ),
    ("access_denied", ErrorKind::Unauthenticated, "refuses the login; look at the rules of the identity"),
    ("temporarily_unavailable", ErrorKind::Unavailable, "can't log anybody in now"),
    ("server_error", ErrorKind::Unavailable, "can't log anybody in now"),
    ("slow_down", ErrorKind::Throttled, "is asked too often"),
];

impl TokenEndpoint<'_> {
    /// A token for these fields.
    ///
    /// # Errors
    /// `Unauthenticated` or `Config` when it is refused, `Throttled` and `Unavailable` when it may be given later.
    pub(crate) async fn token(&self, call: &Call, fields: &[(&str, &str)]) -> Result<Granted<SecretValue>> {
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(fields))
            .map_err(|_| Error::new(ErrorKind::Internal, "the request for a token can't be built"))?;
        let response = ask(self.transport, call, request).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(&response));
        }
        granted(self.who, response)
    }

    fn refusal(&self, response: &Response<Bytes>) -> Error {
        #[derive(Deserialize, Default)]
        struct Refusal {
            error: String,
            /// Entra's own numbers.
            #[serde(default)]
            error_codes: Vec<u32>,
        }
        let refusal: Refusal = json::read(response.body()).unwrap_or_default();
        // Who logs in over and over is told so with the code of a bad grant.
        let code = if refusal.error_codes.contains(&LOOP) { "slow_down" } else { &refusal.error };
        let Some((code, kind, what)) = CODES.iter().find(|row| row.0 == code) else {
            return not_given(self.who, response.status(), response.headers());
        };
        let error = Error::new(*kind, format!("{} {what}", self.who)).upstream(code, response.status().as_u16());
        with_pause(error, response.headers())
    }
}

/// The error with the pause that was asked for, if trying again helps at all.
fn with_pause(error: Error, headers: &HeaderMap) -> Error {
    match retry_after(headers) {
        Some(pause) if error.is_transient() => error.retry(Retry::After(Some(pause))),
        _ => error,
    }
}

/// Asks something that gives tokens: the answer is small and comes soon.
pub(crate) async fn ask(transport: &dyn Transport, call: &Call, request: Request<Bytes>) -> Result<Response<Bytes>> {
    ask_within(TIME, transport, call, request).await
}

/// The same in less time: what a machine asks of its own cloud is beside it, or not there at all.
pub(crate) async fn ask_within(
    time: Duration,
    transport: &dyn Transport,
    call: &Call,
    request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    let limits = Limits { time: time.min(call.remaining()), response_bytes: RESPONSE_BYTES, members: 1_000 };
    exchange(transport, call.traced(request), limits).await.map_err(|error| error.during(Operation::Login))
}

/// The token of an answer with `access_token` and either `expires_in` or `expires_on`.
///
/// # Errors
/// `Malformed` when it is no such answer, or the token can't stand in a header.
pub(crate) fn granted(who: &str, response: Response<Bytes>) -> Result<Granted<SecretValue>> {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow)]
        access_token: &'a RawValue,
        /// Seconds, as a number or as text.
        #[serde(borrow)]
        expires_in: Option<&'a RawValue>,
        /// Seconds since 1970: managed identities of App Service say it this way alone.
        #[serde(borrow)]
        expires_on: Option<&'a RawValue>,
    }
    let seconds = |raw: &RawValue| raw.get().trim_matches('"').parse::<u64>().ok();
    let unreadable =
        || Error::new(ErrorKind::Malformed, format!("{who} gave a token without an end; look at its address"));
    let answer = Body::new(response.into_body());
    let given: Given<'_> = answer.json()?;
    let end = match (given.expires_in.map(seconds), given.expires_on.map(seconds)) {
        (Some(Some(seconds)), _) => End::In(Duration::from_secs(seconds)),
        (None, Some(Some(seconds))) => End::At(lockstep_core::UnixMillis(seconds.saturating_mul(1000))),
        _ => return Err(unreadable()),
    };
    let credential = body::text(given.access_token)?;
    bearer(&credential)?;
    Ok(Granted { credential, end, beyond: None })
}

/// `Authorization: Bearer …`, marked as sensitive.
///
/// # Errors
/// `Malformed` when the token can't stand in a header.
pub(crate) fn bearer(token: &SecretValue) -> Result<HeaderValue> {
    let visible = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = token.expose_text().filter(visible).ok_or_else(|| {
        Error::new(ErrorKind::Malformed, "the token that was given can't stand in a header; look at who gives it")
    })?;
    let text = zeroize::Zeroizing::new(format!("Bearer {text}"));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Error::new(ErrorKind::Malformed, "the token that was given can't stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The text of what is shown as a login, which goes into a form.
pub(crate) fn shown<'a>(value: &'a SecretValue, what: &str) -> Result<&'a str> {
    let wrong = || Error::new(ErrorKind::Unauthenticated, format!("the {what} is no text"));
    value.expose_text().ok_or_else(wrong)
}

/// No token, for a reason that only the status tells.
pub(crate) fn not_given(who: &str, status: StatusCode, headers: &HeaderMap) -> Error {
    let (kind, what) = match status {
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Throttled, "is asked too often"),
        StatusCode::REQUEST_TIMEOUT => (ErrorKind::Unavailable, "can't log anybody in now"),
        status if status.is_server_error() => (ErrorKind::Unavailable, "can't log anybody in now"),
        _ => (ErrorKind::Unauthenticated, "gives no token; look at the identity and at who is asked"),
    };
    let error = Error::new(kind, format!("{who} {what} (HTTP {})", status.as_u16())).upstream("", status.as_u16());
    with_pause(error, headers)
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::{FakeTransport, ManualClock, Reply, call};

    use super::*;

    async fn asked(reply: impl Fn() -> Reply + Send + 'static) -> Result<Granted<SecretValue>> {
        let transport = FakeTransport::by(move |_| reply());
        let uri = Uri::from_static("https://login.example/token");
        let endpoint = TokenEndpoint { who: "Entra", transport: &*transport, uri };
        endpoint.token(&call(&ManualClock::new()), &[("client_secret", "c4n4ry-sent")]).await
    }

    fn json(status: u16, body: &'static str) -> impl Fn() -> Reply + Send + 'static {
        move || Reply::new(status, body)
    }

    #[tokio::test]
    async fn a_token_and_its_end_are_read_however_the_end_is_written() {
        for (body, end) in [
            (r#"{"access_token":"t","expires_in":3599}"#, End::In(Duration::from_secs(3599))),
            (r#"{"access_token":"t","expires_in":"3599","expires_on":"1"}"#, End::In(Duration::from_secs(3599))),
            (
                r#"{"access_token":"t","expires_on":"1893456000"}"#,
                End::At(lockstep_core::UnixMillis(1_893_456_000_000)),
            ),
        ] {
            let granted = asked(json(200, body)).await.unwrap();
            assert_eq!((granted.credential.expose(), granted.end), (&b"t"[..], end), "{body}");
        }
    }

    /// Break: leave `bearer` out of `granted`, or put the parser's text into `malformed`.
    #[tokio::test]
    async fn m1_an_answer_that_is_no_token_is_malformed_and_not_quoted() {
        for body in [
            "c4n4ry",
            r#"{"access_token":"c4n4ry"}"#,
            r#"{"access_token":"c4n4ry","expires_in":"soon"}"#,
            r#"{"access_token":"c4n4ry\r\nx: y","expires_in":1}"#,
            r#"{"access_token":"","expires_in":1}"#,
            r#"{"access_token":17,"expires_in":1}"#,
        ] {
            let error = asked(json(200, body)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    /// Break: pass `error_description` on, or change a row of `CODES`.
    #[tokio::test]
    async fn each_code_is_its_kind_and_no_other_word_of_the_answer_is_passed_on() {
        for (code, kind, _) in CODES {
            let body = format!(r#"{{"error":"{code}","error_description":"AADSTS7000215 c4n4ry"}}"#);
            let error = asked(move || Reply::new(400, body.clone())).await.unwrap_err();
            assert_eq!(error.kind(), *kind, "{code}");
            assert!(error.message().starts_with("Entra "), "{error}");
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    /// O7: break the `retry` of `not_given`.
    #[tokio::test]
    async fn o7_the_status_decides_where_there_is_no_code_and_retry_after_is_kept() {
        for (status, kind) in [
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (408, ErrorKind::Unavailable),
            (400, ErrorKind::Unauthenticated),
            (302, ErrorKind::Unauthenticated),
        ] {
            let reply = move || Reply::new(status, "<c4n4ry>").header("retry-after", "7");
            let error = asked(reply).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}");
            let expected = if kind.is_transient() { Retry::After(Some(Duration::from_secs(7))) } else { Retry::Never };
            assert_eq!(error.retry_hint(), expected, "{status}");
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
    }
}
