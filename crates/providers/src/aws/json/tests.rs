use super::super::fake::Host;
use super::super::session::SessionSettings;
use super::*;

#[derive(Serialize)]
struct Empty {}

fn client(host: &Host) -> JsonClient {
    JsonClient::new(host.session(), Service::Ssm, &ServiceSettings::default()).unwrap()
}

async fn failed(host: &Host) -> Error {
    let Err(error) = client(host).send(&host.call(), "GetParameter", None, &Empty {}).await else {
        panic!("the call succeeded")
    };
    error
}

#[tokio::test]
async fn a_call_is_a_signed_post_of_json() {
    let host = Host::with_keys();
    host.script.then(200, "{}");
    client(&host).send(&host.call(), "GetParameter", None, &Empty {}).await.unwrap();
    let sent = &host.script.sent()[0];
    assert_eq!((sent.method.as_str(), sent.uri.as_str()), ("POST", "https://ssm.eu-west-1.amazonaws.com/"));
    assert_eq!(sent.headers["host"], "ssm.eu-west-1.amazonaws.com");
    assert_eq!(sent.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(sent.headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert_eq!(sent.headers["x-amz-date"], "20260501T100000Z");
    assert_eq!(sent.headers["x-amz-security-token"], "canary-session-token");
    let authorization = &sent.headers["authorization"];
    assert!(authorization.contains("Credential=AKIDEXAMPLE/20260501/eu-west-1/ssm/aws4_request"), "{authorization}");
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"),
        "{authorization}"
    );
    assert!(!authorization.contains("canary"));
}

#[tokio::test]
async fn another_region_is_asked_at_its_own_host_and_signed_for() {
    let host = Host::with_keys();
    host.script.then(200, "{}");
    let region = Region::parse("cn-north-1").unwrap();
    client(&host).send(&host.call(), "GetParameter", Some(&region), &Empty {}).await.unwrap();
    let sent = &host.script.sent()[0];
    assert_eq!(sent.uri, "https://ssm.cn-north-1.amazonaws.com.cn/");
    assert!(sent.headers["authorization"].contains("/cn-north-1/ssm/"));
}

#[tokio::test]
async fn a_configured_endpoint_serves_every_region() {
    let host = Host::with_keys();
    host.script.then(200, "{}");
    let settings = ServiceSettings { endpoint: Some("http://127.0.0.1:4566".into()), ..ServiceSettings::default() };
    let client = JsonClient::new(host.session(), Service::Ssm, &settings).unwrap();
    let region = Region::parse("us-east-1").unwrap();
    client.send(&host.call(), "GetParameter", Some(&region), &Empty {}).await.unwrap();
    let sent = &host.script.sent()[0];
    assert_eq!((sent.uri.as_str(), sent.headers["host"].as_str()), ("http://127.0.0.1:4566/", "127.0.0.1:4566"));
    assert!(sent.headers["authorization"].contains("/us-east-1/ssm/"));
}

#[tokio::test]
async fn an_error_is_found_in_json_headers_or_xml() {
    for (headers, body) in [
        (vec![], r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"x"}"#),
        (vec![], r#"{"__type":"ParameterNotFound:http://internal.amazon.com/","Message":"x"}"#),
        (vec![], r#"{"__type":"ns#ParameterNotFound","code":400,"message":null,"Message":"x"}"#),
        (vec![], r#"{"Code":"ParameterNotFound","code":"ParameterNotFound","Message":"x","message":"x"}"#),
        (vec![("x-amzn-errortype", "ParameterNotFound:http://internal.amazon.com/")], "{}"),
        (vec![("x-amzn-errortype", "ns#ParameterNotFound")], ""),
        (vec![], "<ErrorResponse><Error><Code>ParameterNotFound</Code><Message>x</Message></Error></ErrorResponse>"),
    ] {
        let host = Host::with_keys();
        let mut headers = headers;
        headers.push(("x-amzn-requestid", "id-1"));
        host.script.then_with(400, &headers, body);
        let error = failed(&host).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{body}");
        assert_eq!((error.upstream_code(), error.upstream_request_id()), (Some("ParameterNotFound"), Some("id-1")));
    }
}

/// Break: put AWS's message into the error.
#[tokio::test]
async fn o6_no_text_of_an_answer_is_relayed() {
    for (status, body) in [
        (500, "canary".to_owned()),
        (400, r#"{"__type":"ParameterNotFound","message":"canary"}"#.to_owned()),
        (403, "<Error><Code>AccessDenied</Code><Message>canary</Message></Error>".to_owned()),
        (302, "<a href=canary>".to_owned()),
        (200, "[".to_owned()),
    ] {
        let host = Host::with_keys();
        host.script.then(status, &body);
        let answer = client(&host).send(&host.call(), "GetParameter", None, &Empty {}).await;
        let error = answer.and_then(|body| body.json::<Vec<u8>>()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
}

/// Break: follow it.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    for to in lockstep_testkit::elsewhere_than("https://ssm.eu-west-1.amazonaws.com") {
        for status in [301, 302, 303, 307, 308] {
            let host = Host::with_keys();
            // S3 says it in a body; these services do not, and are not believed.
            let body = format!(r#"{{"__type":"PermanentRedirect","Endpoint":"{to}"}}"#);
            host.script.then_with(status, &[("location", &to)], &body);
            assert_eq!(failed(&host).await.kind(), ErrorKind::Malformed, "{status} {to}");
            let sent: Vec<_> = host.script.sent().into_iter().map(|sent| sent.uri).collect();
            assert_eq!(sent, ["https://ssm.eu-west-1.amazonaws.com/"], "{status} {to}");
        }
    }
}

/// Break: follow it.
#[tokio::test]
async fn o2_a_redirect_is_an_error_and_no_second_request() {
    for status in [301, 302, 303, 307, 308] {
        let host = Host::with_keys();
        host.script.then_with(status, &[("location", "https://evil.example/")], "");
        let error = failed(&host).await;
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Malformed, Retry::Never));
        assert_eq!(host.script.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once_by_the_answers_date() {
    let host = Host::with_keys();
    let late = [("date", "Fri, 01 May 2026 10:20:00 GMT")];
    let body = r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#;
    host.script.then_with(403, &late, body).then_with(403, &late, body).then(403, body);
    let client = client(&host);
    let mut hints = Vec::new();
    for _ in 0..3 {
        let Err(error) = client.send(&host.call(), "GetParameter", None, &Empty {}).await else {
            panic!("it succeeded")
        };
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        hints.push(error.retry_hint());
    }
    assert_eq!(hints, [Retry::OnceWithFreshCredentials, Retry::Never, Retry::Never]);
    let dates: Vec<_> = host.script.sent().iter().map(|sent| sent.headers["x-amz-date"].clone()).collect();
    assert_eq!(dates, ["20260501T100000Z", "20260501T102000Z", "20260501T102000Z"]);
}

#[tokio::test]
async fn a_refused_token_drops_the_credential_before_the_error_says_so() {
    let host = Host::new(&[("AWS_REGION", "eu-west-1"), ("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    host.files.write("/h/.aws/credentials", "[default]\naws_access_key_id=OLD\naws_secret_access_key=s\n");
    host.script.then_error("ExpiredTokenException", "expired").then(200, "{}");
    let client = client(&host);
    let Err(error) = client.send(&host.call(), "GetParameter", None, &Empty {}).await else { panic!("it succeeded") };
    assert_eq!(error.retry_hint(), Retry::OnceWithFreshCredentials);
    host.files.write("/h/.aws/credentials", "[default]\naws_access_key_id=NEW\naws_secret_access_key=s\n");
    client.send(&host.call(), "GetParameter", None, &Empty {}).await.unwrap();
    let ids: Vec<_> = host.script.sent().iter().map(|sent| sent.headers["authorization"].contains("=NEW/")).collect();
    assert_eq!(ids, [false, true]);
}

#[tokio::test]
async fn a_pause_that_aws_asks_for_is_handed_on() {
    for (name, value, pause) in [
        ("x-amz-retry-after", "1500", Duration::from_millis(1500)),
        ("retry-after", "7", Duration::from_secs(7)),
        ("retry-after", "86400", Duration::from_mins(1)),
    ] {
        let host = Host::with_keys();
        host.script.then_with(503, &[(name, value)], "");
        assert_eq!(failed(&host).await.retry_hint(), Retry::After(Some(pause)), "{name}");
    }
}

#[test]
fn a_session_wants_a_region_that_is_one() {
    for (vars, hint) in [
        (vec![], "AWS_REGION"),
        (vec![("AWS_REGION", "evil.example/")], "eu-west-1"),
        (vec![("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL_STS", "http://sts.example")], "AWS_ENDPOINT_URL_STS"),
    ] {
        let error = Session::new(&SessionSettings::default(), Host::new(&vars).ports).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(hint), "{error}");
    }
    let host = Host::new(&[("HOME", "/h")]);
    host.files.write("/h/.aws/config", "[default]\nregion = eu-central-1\n");
    assert_eq!(host.session().region.as_str(), "eu-central-1");
}
