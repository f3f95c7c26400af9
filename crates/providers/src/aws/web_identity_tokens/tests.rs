use std::time::Duration;

use lockstep_core::Retry;

use super::*;
use crate::aws::fake::Host;

fn settings(audiences: &[&str], minutes: u64) -> WebIdentityTokenSettings {
    WebIdentityTokenSettings {
        audiences: audiences.iter().map(|text| (*text).to_owned()).collect(),
        algorithm: SigningAlgorithm::Es384,
        lifetime: Duration::from_mins(minutes),
    }
}

fn answer(token: &str, end: &str) -> String {
    format!(
        "<GetWebIdentityTokenResponse><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken>\
         <Expiration>{end}</Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
    )
}

/// Break: ask `sts.amazonaws.com`, which does not have this call.
#[tokio::test]
async fn a_token_is_asked_for_in_the_region_signed_and_kept_until_it_is_renewed_ahead() {
    let host = Host::new(&[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
    ]);
    let tokens = WebIdentityTokens::new(&host.session(), settings(&["https://vault", "api://x"], 8)).unwrap();
    host.script.then(200, &answer("a.b.c", "2026-05-01T10:08:00Z"));
    for _ in 0..3 {
        assert_eq!(tokens.token(&host.call()).await.unwrap().expose(), b"a.b.c");
    }
    host.clock.advance(Duration::from_mins(5));
    assert_eq!(tokens.token(&host.call()).await.unwrap().expose(), b"a.b.c");
    // A quarter of its life is left: one is fetched, and while that fails the old one does.
    host.clock.advance(Duration::from_secs(70));
    host.script.then_sts_error(500, "InternalFailure", "canary");
    assert_eq!(tokens.token(&host.call()).await.unwrap().expose(), b"a.b.c");
    host.clock.advance(Duration::from_secs(61));
    host.script.then(200, &answer("d.e.f", "2026-05-01T10:16:00Z"));
    assert_eq!(tokens.token(&host.call()).await.unwrap().expose(), b"d.e.f");
    let sent = &host.script.sent()[0];
    assert_eq!((sent.uri.as_str(), sent.signer()), ("https://sts.eu-west-1.amazonaws.com/", "AKIDEXAMPLE"));
    assert_eq!(
        sent.body,
        "Action=GetWebIdentityToken&Version=2011-06-15&SigningAlgorithm=ES384&DurationSeconds=480\
         &Audience.member.1=https%3A%2F%2Fvault&Audience.member.2=api%3A%2F%2Fx"
    );
}

#[tokio::test]
async fn a_thousand_callers_at_once_are_one_request() {
    let host = Host::with_keys();
    let tokens = WebIdentityTokens::new(&host.session(), settings(&["a"], 5)).unwrap();
    host.script.then(200, &answer("a.b.c", "2026-05-01T10:05:00Z"));
    let call = host.call();
    let answers = futures_util::future::join_all((0..1000).map(|_| tokens.token(&call))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(host.script.sent().len(), 1);
}

/// Break: leave out any row of `GetWebIdentityToken` in the table of errors.
#[tokio::test]
async fn a_refusal_says_what_to_do_and_nothing_of_the_answer() {
    for (status, code, kind, retry, hint) in [
        (403, "OutboundWebIdentityFederationDisabledException", ErrorKind::Config, Retry::Never, "enable outbound"),
        (400, "JWTPayloadSizeExceededException", ErrorKind::Config, Retry::Never, "fewer audiences"),
        (403, "SessionDurationEscalationException", ErrorKind::Config, Retry::Never, "shorter"),
        (403, "ExpiredToken", ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials, "expired"),
    ] {
        let host = Host::with_keys();
        let tokens = WebIdentityTokens::new(&host.session(), settings(&["a"], 5)).unwrap();
        host.script.then_sts_error(status, code, "canary");
        let error = tokens.token(&host.call()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (kind, retry), "{code}");
        assert_eq!(error.operation(), Some(Operation::Login));
        assert!(error.message().contains(hint) && !format!("{error:?}").contains("canary"), "{error}");
    }
    for body in
        [answer("canary b", "2026-05-01T10:05:00Z"), answer("a", "canary"), "canary".to_owned(), answer("", "x")]
    {
        let host = Host::with_keys();
        let tokens = WebIdentityTokens::new(&host.session(), settings(&["a"], 5)).unwrap();
        host.script.then(200, &body);
        let printed = format!("{:?}{tokens:?}", tokens.token(&host.call()).await.unwrap_err());
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[test]
fn what_sts_would_refuse_is_refused_before_it_is_asked() {
    let session = Host::with_keys().session();
    let eleven = ["a"; 11];
    for (audiences, minutes) in [(&[][..], 5), (&eleven[..], 5), (&[""][..], 5), (&["a"][..], 0), (&["a"][..], 61)] {
        let error = WebIdentityTokens::new(&session, settings(audiences, minutes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
