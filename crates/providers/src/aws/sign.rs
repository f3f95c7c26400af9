//! Signature Version 4 of one request, by `aws-sigv4`. The time comes in; nothing here reads a clock.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderValue, Request};
use lockstep_core::{Error, ErrorKind, Result, UnixMillis};
use tracing::dispatcher::{Dispatch, with_default};

use super::credentials::Credentials;

/// Signs a request for a service in a region. The request has its `Host` header already.
///
/// # Errors
/// `Internal` when the request can't be signed; the credentials were checked when they were loaded.
pub(crate) fn signed(
    mut request: Request<Bytes>,
    credentials: &Credentials,
    service: &str,
    region: &str,
    time: UnixMillis,
) -> Result<Request<Bytes>> {
    let identity = credentials.identity().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(time.0))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unsigned())?
        .into();
    let instructions = {
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new(request.method().as_str(), request.uri().to_string(), headers, body)
            .map_err(|_| unsigned())?;
        // The signer traces what it signs, the access key's id and, by a variable of its own, the body.
        let silent = Dispatch::none();
        with_default(&silent, || sign(signable, &params)).map_err(|_| unsigned())?.into_parts().0
    };
    for (name, value) in instructions.headers() {
        let mut value = HeaderValue::from_str(value).map_err(|_| unsigned())?;
        value.set_sensitive(name != "x-amz-date");
        request.headers_mut().insert(http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsigned())?, value);
    }
    Ok(request)
}

fn unsigned() -> Error {
    Error::new(ErrorKind::Internal, "a request to AWS could not be signed")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// AWS's published vector `get-vanilla` of the Signature Version 4 test suite.
    #[test]
    fn the_signature_is_that_of_awss_test_suite() {
        let credentials =
            Credentials::new("AKIDEXAMPLE", &"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(), None, None).unwrap();
        let request = Request::get("https://example.amazonaws.com/")
            .header("host", "example.amazonaws.com")
            .body(Bytes::new())
            .unwrap();
        let time = UnixMillis::from_rfc3339("2015-08-30T12:36:00Z").unwrap();
        let signed = signed(request, &credentials, "service", "us-east-1", time).unwrap();
        assert_eq!(signed.headers()["x-amz-date"], "20150830T123600Z");
        assert_eq!(
            signed.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// Keeps the text of every event and span, at every level.
    struct Everything(Arc<Mutex<String>>);

    impl tracing::Subscriber for Everything {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            write!(self.0.lock().unwrap(), "{span:?}").unwrap();
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            struct Text<'a>(&'a mut String);
            impl tracing::field::Visit for Text<'_> {
                fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                    write!(self.0, "{field}={value:?} ").unwrap();
                }
            }
            event.record(&mut Text(&mut self.0.lock().unwrap()));
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// Break: sign outside of `Dispatch::none()`.
    #[test]
    fn m1_the_signer_logs_nothing_even_at_trace() {
        let text = Arc::new(Mutex::new(String::new()));
        tracing::subscriber::with_default(Everything(text.clone()), || {
            tracing::trace!("the listener works");
            let credentials = Credentials::new("AKID", &"canary".into(), Some(&"canary-token".into()), None).unwrap();
            let request = Request::post("https://a.example/").header("host", "a.example").body(Bytes::new()).unwrap();
            signed(request, &credentials, "ssm", "eu-west-1", UnixMillis(1_700_000_000_000)).unwrap();
        });
        let text = text.lock().unwrap();
        assert!(text.contains("the listener works"));
        assert!(!text.contains("canary") && !text.contains("AKID"), "{text}");
    }

    /// Break: leave `set_sensitive` out.
    #[test]
    fn m1_the_session_token_is_signed_and_hides_in_debug() {
        let credentials = Credentials::new("AKID", &"secret".into(), Some(&"canary-token".into()), None).unwrap();
        let request = Request::post("https://a.example/").header("host", "a.example").body(Bytes::new()).unwrap();
        let signed = signed(request, &credentials, "ssm", "eu-west-1", UnixMillis(1_700_000_000_000)).unwrap();
        assert_eq!(signed.headers()["x-amz-security-token"], "canary-token");
        assert!(signed.headers()["authorization"].to_str().unwrap().contains(";x-amz-security-token"));
        assert!(!format!("{signed:?}").contains("canary-token"));
    }
}
