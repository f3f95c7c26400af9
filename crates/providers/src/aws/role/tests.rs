use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Call, Retry};
use lockstep_testkit::TestEnv;

use super::*;
use crate::Ports;
use crate::aws::endpoint::Service;
use crate::aws::fake::Host;
use crate::aws::json::JsonClient;
use crate::aws::{ServiceSettings, Session, SessionSettings};

const APP: &str = "arn:aws:iam::123456789012:role/app";
const DATA: &str = "arn:aws:iam::210987654321:role/team/data";

fn role(arn: &str) -> Role {
    Role::new(arn).unwrap()
}

fn client(session: &Arc<Session>) -> JsonClient {
    JsonClient::new(Arc::clone(session), Service::Ssm, &ServiceSettings::default()).unwrap()
}

/// One call of a service with the session's credentials.
async fn ask(session: &Arc<Session>, call: &Call) -> Result<()> {
    client(session).send(call, "GetParameter", None, &serde_json::json!({})).await.map(|_| ())
}

/// Break: sign the call to STS with nothing, or the call to the service with the chain's credentials.
#[tokio::test]
async fn a_role_is_assumed_with_the_chains_keys_and_its_own_keys_sign_what_is_read() {
    let host = Host::with_keys();
    host.script.then_role("ASIAAPP", "2026-05-01T11:00:00Z").then(200, "{}").then(200, "{}");
    let role = role(APP).session_name("team@x").unwrap().external_id(ExternalId::Text("tenant/7".into())).unwrap();
    let session = host.session().assume(&role).unwrap();
    ask(&session, &host.call()).await.unwrap();
    ask(&session, &host.call()).await.unwrap();
    let sent = host.script.sent();
    assert_eq!(sent.len(), 3);
    assert_eq!((sent[0].uri.as_str(), sent[0].signer()), ("https://sts.eu-west-1.amazonaws.com/", "AKIDEXAMPLE"));
    assert!(sent[0].headers["authorization"].contains("/20260501/eu-west-1/sts/aws4_request"));
    assert_eq!(sent[0].headers["content-type"], "application/x-www-form-urlencoded; charset=utf-8");
    assert_eq!(
        sent[0].body,
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fapp\
         &RoleSessionName=team%40x&DurationSeconds=3600&ExternalId=tenant%2F7"
    );
    assert_eq!((sent[1].signer(), sent[2].signer()), ("ASIAAPP", "ASIAAPP"));
    assert_eq!(sent[1].headers["x-amz-security-token"], "canary-token-ASIAAPP");
}

#[tokio::test]
async fn each_role_of_a_chain_is_assumed_with_the_credentials_of_the_one_before() {
    let host = Host::with_keys();
    host.script
        .then_role("ASIAAPP", "2026-05-01T11:00:00Z")
        .then_role("ASIADATA", "2026-05-01T11:00:00Z")
        .then(200, "{}");
    let app = host.session().assume(&role(APP)).unwrap();
    ask(&app.assume(&role(DATA)).unwrap(), &host.call()).await.unwrap();
    let sent = host.script.sent();
    assert_eq!(
        sent.iter().map(crate::aws::fake::Sent::signer).collect::<Vec<_>>(),
        ["AKIDEXAMPLE", "ASIAAPP", "ASIADATA"]
    );
    assert!(sent[1].body.contains("role%2Fteam%2Fdata"), "{}", sent[1].body);
}

#[tokio::test]
async fn two_roles_share_the_login_that_they_are_assumed_with() {
    let host = Host::with_keys();
    let end = "2026-05-01T11:00:00Z";
    let app = host.session().assume(&role(APP)).unwrap();
    let (one, two) = (app.assume(&role(DATA)).unwrap(), app.assume(&role(APP)).unwrap());
    host.script.then_role("ASIAAPP", end).then_role("ONE", end).then(200, "{}").then_role("TWO", end).then(200, "{}");
    ask(&one, &host.call()).await.unwrap();
    ask(&two, &host.call()).await.unwrap();
    let sent = host.script.sent();
    assert_eq!((sent[1].signer(), sent[3].signer(), sent[4].signer()), ("ASIAAPP", "ASIAAPP", "TWO"));
}

/// Break: `lifetime / 4` in `ahead`, or both `State::keep` and the `or(Ok(current))` of the cache.
#[tokio::test]
async fn a_session_is_renewed_ahead_kept_while_renewal_fails_and_refused_after_its_end() {
    let host = Host::with_keys();
    let session = host.session().assume(&role(APP)).unwrap();
    let minutes = |minutes| host.clock.advance(Duration::from_mins(minutes));
    host.script.then_role("FIRST", "2026-05-01T11:00:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    // 14 min before the end it is renewed; STS does not want to, and what there is still does.
    minutes(46);
    host.script.then_sts_error(403, "AccessDenied", "canary").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    minutes(2);
    host.script.then_role("SECOND", "2026-05-01T11:48:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    let signers: Vec<_> = host.script.sent().iter().map(|sent| sent.signer().to_owned()).collect();
    assert_eq!(signers, ["AKIDEXAMPLE", "FIRST", "AKIDEXAMPLE", "FIRST", "AKIDEXAMPLE", "SECOND"]);
    minutes(61);
    host.script.then_sts_error(403, "AccessDenied", "canary");
    let error = ask(&session, &host.call()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unauthenticated, Some(Operation::Login)));
    assert_eq!((error.upstream_code(), error.retry_hint()), (Some("AccessDenied"), Retry::Never));
}

/// Break: leave out `Source::ahead`; a session of 15 min would be renewed each minute.
#[tokio::test]
async fn a_short_session_is_not_renewed_before_most_of_it_is_over() {
    for of_profile in [false, true] {
        let host = Host::with_keys();
        let session = if of_profile {
            let config = format!("[profile p]\nrole_arn = {APP}\nsource_profile = base\nduration_seconds = 900\n");
            host.files.write("/config", config);
            host.files.write("/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n");
            let env = [
                ("AWS_REGION", "eu-west-1"),
                ("AWS_CONFIG_FILE", "/config"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/credentials"),
            ];
            let settings = SessionSettings { profile: Some("p".into()), ..SessionSettings::default() };
            Session::new(&settings, Ports { env: TestEnv::of(&env), ..host.ports.clone() }).unwrap()
        } else {
            host.session().assume(&role(APP).duration(Duration::from_mins(15)).unwrap()).unwrap()
        };
        host.script.then_role("FIRST", "2026-05-01T10:15:00Z").then(200, "{}");
        ask(&session, &host.call()).await.unwrap();
        assert!(host.script.sent()[0].body.contains("DurationSeconds=900"));
        host.clock.advance(Duration::from_mins(11));
        host.script.then(200, "{}");
        ask(&session, &host.call()).await.unwrap();
        host.clock.advance(Duration::from_mins(1));
        host.script.then_role("SECOND", "2026-05-01T10:27:00Z").then(200, "{}");
        ask(&session, &host.call()).await.unwrap();
        assert_eq!(host.script.sent().last().unwrap().signer(), "SECOND", "of a profile: {of_profile}");
    }
}

/// Break: take the flight out of `LoginCache::get`.
#[tokio::test]
async fn a_thousand_reads_at_once_are_one_login_also_when_it_fails() {
    for fails in [false, true] {
        let host = Host::with_keys();
        let session = host.session().assume(&role(APP)).unwrap();
        if fails {
            host.script.then_sts_error(403, "AccessDenied", "no");
        } else {
            host.script.then_role("ASIAAPP", "2026-05-01T11:00:00Z");
            (0..1000).for_each(|_| {
                host.script.then(200, "{}");
            });
        }
        let call = host.call();
        let answers = futures_util::future::join_all((0..1000).map(|_| ask(&session, &call))).await;
        assert!(answers.iter().all(|answer| answer.is_err() == fails));
        let logins = host.script.sent().iter().filter(|sent| sent.uri.contains("sts")).count();
        assert_eq!(logins, 1);
    }
}

/// Break: leave out the `refuse` of `AssumedRole::log_in`; keys that AWS took back would be shown for ever.
#[tokio::test]
async fn what_was_refused_is_dropped_where_it_came_from() {
    let host = Host::new(&[("AWS_REGION", "eu-west-1"), ("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    let keys = |id: &str| format!("[default]\naws_access_key_id={id}\naws_secret_access_key=s\n");
    host.files.write("/h/.aws/credentials", keys("OLD"));
    let session = host.session().assume(&role(APP)).unwrap();
    host.script.then_sts_error(403, "InvalidClientTokenId", "canary");
    let error = ask(&session, &host.call()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials));
    host.files.write("/h/.aws/credentials", keys("NEW"));
    host.script.then_role("FIRST", "2026-05-01T11:00:00Z").then_error("ExpiredTokenException", "expired");
    let error = ask(&session, &host.call()).await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::OnceWithFreshCredentials);
    host.script.then_role("SECOND", "2026-05-01T11:00:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    let signers: Vec<_> = host.script.sent().iter().map(|sent| sent.signer().to_owned()).collect();
    assert_eq!(signers, ["OLD", "NEW", "FIRST", "NEW", "SECOND"]);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_for_sts_and_services_alike() {
    let host = Host::with_keys();
    let session = host.session().assume(&role(APP)).unwrap();
    let body = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>";
    host.script.then_with(403, &[("date", "Fri, 01 May 2026 10:20:00 GMT")], body);
    let error = ask(&session, &host.call()).await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::OnceWithFreshCredentials);
    host.script.then_role("ASIAAPP", "2026-05-01T11:20:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    let dates: Vec<_> = host.script.sent().iter().map(|sent| sent.headers["x-amz-date"].clone()).collect();
    assert_eq!(dates, ["20260501T100000Z", "20260501T102000Z", "20260501T102000Z"]);
}

#[tokio::test]
async fn an_external_id_of_a_file_is_read_for_each_login() {
    let mut host = Host::with_keys();
    host.ports.env =
        TestEnv::of(&[("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")]);
    host.files.write("/id", "tenant-1\n");
    let id = ExternalId::From(Credential::File(Path::new("/id").into()));
    let session = host.session().assume(&role(APP).external_id(id).unwrap()).unwrap();
    host.script.then_role("ONE", "2026-05-01T10:02:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    host.clock.advance(Duration::from_mins(3));
    host.files.write("/id", "tenant-2\n");
    host.script.then_role("TWO", "2026-05-01T11:00:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    let sent = host.script.sent();
    assert!(sent[0].body.ends_with("&ExternalId=tenant-1") && sent[2].body.ends_with("&ExternalId=tenant-2"));
    host.clock.advance(Duration::from_hours(2));
    host.files.write("/id", "canary {}");
    let error = ask(&session, &host.call()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unauthenticated, Some(Operation::Login)));
    assert!(!format!("{error:?}").contains("canary"));
}

/// Break: any bound in `Role`, or the `roles` of `Session::assume`.
#[test]
fn what_sts_would_refuse_is_refused_before_it_is_asked() {
    for arn in [
        "",
        "app",
        "arn:aws:iam::123456789012:user/app",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/app/",
        "arn:aws:iam::12345678901:role/app",
        "arn:aws:iam:eu-west-1:123456789012:role/app",
        "arn:aws:sts::123456789012:assumed-role/app/x",
        "arn:evil:iam::123456789012:role/app",
        "arn:aws:iam::123456789012:role/a b",
    ] {
        assert_eq!(Role::new(arn).unwrap_err().kind(), ErrorKind::Config, "{arn}");
    }
    for good in [APP, DATA, "arn:aws-us-gov:iam::123456789012:role/a+b=c,d.e@f-g_h"] {
        assert_eq!(role(good).arn(), good);
    }
    for name in ["", "a", "a b", "a/b", &"a".repeat(65)] {
        assert!(role(APP).session_name(name).is_err(), "{name}");
    }
    for id in ["", "a", "a b", "a\nb", &"a".repeat(1225)] {
        assert!(role(APP).external_id(ExternalId::Text(id.into())).is_err(), "{id}");
    }
    let lasting = |minutes| role(APP).duration(Duration::from_mins(minutes));
    assert!(lasting(14).is_err() && lasting(12 * 60 + 1).is_err() && lasting(15).is_ok());
    let long = lasting(12 * 60).unwrap();
    let mut session = Host::with_keys().session().assume(&long).unwrap();
    assert!(session.assume(&long).unwrap_err().message().contains("1 h"));
    for _ in 1..MAX_ROLES {
        session = session.assume(&role(APP)).unwrap();
    }
    assert!(session.assume(&role(APP)).unwrap_err().message().contains("five"));
}

/// Break: leave the role out of the identity of `Session::assume`.
#[test]
fn secrets_of_one_role_are_never_another_ones() {
    let base = Host::with_keys().session();
    let scope = |session: &Session| session.scope("aws-parameter-store", None, "");
    let scopes = [
        scope(&base),
        scope(&base.assume(&role(APP)).unwrap()),
        scope(&base.assume(&role(DATA)).unwrap()),
        scope(&base.assume(&role(APP).session_name("other").unwrap()).unwrap()),
        scope(&base.assume(&role(DATA)).unwrap().assume(&role(APP)).unwrap()),
    ];
    for (at, one) in scopes.iter().enumerate() {
        assert!(scopes[..at].iter().all(|other| other != one), "{one:?}");
    }
}

/// Break: put the message of STS into the error, or derive `Debug` for a part of the session.
#[tokio::test]
async fn m1_neither_errors_nor_debug_say_keys_or_tokens() {
    let host = Host::with_keys();
    let session = host.session().assume(&role(APP)).unwrap();
    host.script.then_role("ASIAAPP", "2026-05-01T11:00:00Z").then(200, "{}");
    ask(&session, &host.call()).await.unwrap();
    let loaded = session.credentials.get(&host.call()).await.unwrap();
    let first = format!("{session:?} {loaded:?}");
    host.clock.advance(Duration::from_hours(2));
    host.script.then_sts_error(403, "AccessDenied", "canary is not allowed");
    let refused = ask(&session, &host.call()).await.unwrap_err();
    host.script.then(200, "<Credentials><AccessKeyId>canary</AccessKeyId></Credentials>");
    let malformed = ask(&session, &host.call()).await.unwrap_err();
    let printed = format!("{first} {refused:?} {malformed:?}");
    assert!(!printed.contains("canary") && !printed.contains("ASIAAPP") && !printed.contains("AKID"), "{printed}");
}
