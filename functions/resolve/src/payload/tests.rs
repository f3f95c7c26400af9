//! Events as AWS documents them, and as it was seen to send them; what they become, and what the endpoint reads of it.
//!
//! What each of the three passes on of a path (as it was sent, or decoded) was looked up in captures of real events.

mod anything;
mod callers;
mod events;

use http::HeaderMap;
use lockstep_core::FrontDoor as _;
use serde_json::{Value, json};

use self::events::{answered, asking, at, endpoint, endpoint_with, event, pem, refused, set, taken};
use super::*;

const TOKEN: &str = "token-of-the-operator-0123456789abcdef";
const FORMS: [Form; 3] = [Form::FunctionUrl, Form::HttpApi, Form::RestApi];

#[test]
fn the_documented_events_become_their_requests() {
    for form in FORMS {
        let Taken { form: read, peer, request } = taken(&event(form));
        assert_eq!((read, request.method(), request.uri().path()), (form, &Method::GET, "/my/path"));
        let query = "parameter1=value1&parameter1=value2&parameter2=value";
        assert_eq!(request.uri().query(), Some(query), "{form:?}");
        assert_eq!(request.uri().authority(), None);
        assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(request.headers().get("content-length"), None);
        assert!(request.body().is_empty());
        let domain = &event(form)["requestContext"]["domainName"];
        assert_eq!(peer.host.as_deref(), domain.as_str());
        assert_eq!((peer.uid, peer.crowded), (None, false));
    }
}

/// M5: who calls stands in `requestContext`. Break: take the address of a header, or show the event to who debugs it.
#[test]
fn m5_the_callers_address_is_the_one_that_aws_has_seen() {
    for form in FORMS {
        let Taken { peer, request, .. } = taken(&event(form));
        assert_eq!(peer.address.as_deref(), Some("192.0.2.1"), "{form:?}");
        assert!(!format!("{request:?}").contains(TOKEN));
    }
    let mut odd = event(Form::FunctionUrl);
    set(&mut odd, "/requestContext/http/sourceIp", "192.0.2.1, 10.0.0.1");
    assert_eq!(taken(&odd).peer.address, None);
}

/// Break: `filter(|_| form == Form::FunctionUrl)` in `format_2`, or the look at empty members in `aws_caller`.
#[test]
fn the_identity_of_aws_comes_from_a_function_url_with_aws_iam_and_from_nowhere_else() {
    let caller = taken(&event(Form::FunctionUrl)).peer.aws.unwrap();
    assert_eq!(&*caller.account_id, "111122223333");
    assert_eq!(&*caller.user_arn, "arn:aws:iam::111122223333:user/example-user");
    assert_eq!((&*caller.caller_id, &*caller.user_id), ("AIDAEXAMPLE", "AIDAEXAMPLE"));
    assert_eq!(caller.principal_org_id.as_deref(), Some("o-example"));

    let iam = event(Form::FunctionUrl)["requestContext"]["authorizer"].clone();
    for form in [Form::HttpApi, Form::RestApi] {
        let mut event = event(form);
        set(&mut event, "/requestContext/authorizer", iam.clone());
        assert_eq!(taken(&event).peer.aws, None, "{form:?}");
    }
    for (pointer, value) in [
        ("/requestContext/authorizer", Value::Null),
        ("/requestContext/authorizer", json!({ "iam": null })),
        ("/requestContext/authorizer", json!({ "iam": "arn:aws:iam::111122223333:user/x" })),
        ("/requestContext/authorizer/iam/userArn", json!("")),
        ("/requestContext/authorizer/iam/callerId", Value::Null),
        ("/requestContext/authorizer/iam/accountId", json!(111_122_223_333_u64)),
        // What has another id in its name is somebody's own domain.
        ("/requestContext/domainName", json!("other.lambda-url.acme.com")),
        ("/requestContext/domainName", json!("id.execute-api.us-west-2.amazonaws.com")),
        ("/requestContext/domainName", Value::Null),
        ("/requestContext/apiId", Value::Null),
    ] {
        let mut event = event(Form::FunctionUrl);
        set(&mut event, pointer, value.clone());
        assert_eq!(taken(&event).peer.aws, None, "{pointer} {value}");
    }
}

/// Break: `filter(|_| form == Form::HttpApi)` in `format_2`; `certificates.next().is_none()` in `der`.
#[test]
fn a_certificate_is_the_one_that_api_gateway_has_verified() {
    let der = CertificateDer::from_pem_slice(pem().as_bytes()).unwrap();
    for form in [Form::HttpApi, Form::RestApi] {
        assert_eq!(taken(&event(form)).peer.certificate.as_deref(), Some(&*der), "{form:?}");
    }
    let mut url = event(Form::FunctionUrl);
    set(&mut url, "/requestContext/authentication", json!({ "clientCert": { "clientCertPem": pem() } }));
    assert_eq!(taken(&url).peer.certificate, None);
    for pem in [
        json!(""),
        json!("no certificate"),
        json!("-----BEGIN CERTIFICATE-----\nMIIEZTCCAk0CAQEwDQ..."),
        json!(pem() + &pem()),
        Value::Null,
    ] {
        let mut api = event(Form::HttpApi);
        set(&mut api, "/requestContext/authentication/clientCert/clientCertPem", pem.clone());
        assert_eq!(taken(&api).peer.certificate, None, "{pem}");
        let mut api = event(Form::RestApi);
        set(&mut api, "/requestContext/identity/clientCert/clientCertPem", pem);
        assert_eq!(taken(&api).peer.certificate, None);
    }
}

/// L7: one name, whichever way it came; what could be read in two ways is refused.
/// Break: `PATH` for a path that was decoded; or `b'?'` in `PATH`.
#[tokio::test]
async fn l7_a_name_in_the_path_is_read_once_in_every_form() {
    let endpoint = endpoint();
    // As it was sent, and what an HTTP API makes of it.
    for (sent, decoded, value) in [
        ("db/creds", "db/creds", "of db/creds"),
        ("a%20b", "a b", "of a b"),
        ("a+b", "a+b", "of a+b"),
        ("a%2Bb", "a+b", "of a+b"),
        ("%C3%A4/%CE%BB", "ä/λ", "of ä/λ"),
        ("gone", "gone", ""),
    ] {
        let status = if value.is_empty() { 404 } else { 200 };
        for (form, name) in [(Form::FunctionUrl, sent), (Form::RestApi, sent), (Form::HttpApi, decoded)] {
            let event = at(form, &format!("/api/v1/secrets/{name}"));
            assert_eq!(answered(&endpoint, &event).await, (status, value.to_owned()), "{form:?} {name}");
        }
    }
    for encoded in [
        "db%2Fcreds",
        "db%2fcreds",
        "db%252Fcreds",
        "a%3Fname=creds",
        "a?name=creds",
        "a#b",
        "a%23b",
        "db/..%2Fcreds",
        "db/../creds",
        "db/%2E%2E/creds",
        "..;/creds",
        "db\\creds",
        "db%5Ccreds",
        "db;creds",
        "a%",
        "a%zz",
        "a%00b",
        "a\nb",
    ] {
        for form in [Form::FunctionUrl, Form::RestApi] {
            let event = at(form, &format!("/api/v1/secrets/{encoded}"));
            assert_eq!(answered(&endpoint, &event).await.0, 400, "{form:?} {encoded}");
        }
    }
    // What looks like a query is none: it stands in the path.
    for form in FORMS {
        assert_eq!(answered(&endpoint, &at(form, "/api/v1/secrets?name=db/creds")).await.0, 400, "{form:?}");
    }
    for decoded in
        ["db%2Fcreds", "a%20b", "a?name=creds", "a#b", "a%", "db/../creds", "db\\creds", "db;creds", "a\u{0}b"]
    {
        let event = at(Form::HttpApi, &format!("/api/v1/secrets/{decoded}"));
        assert_eq!(answered(&endpoint, &event).await.0, 400, "{decoded}");
    }
}

/// L7. Break: write a name or value of `multiValueQueryStringParameters` as it is, or leave one of two out.
#[tokio::test]
async fn l7_a_name_in_the_query_is_read_once_in_every_form() {
    let endpoint = endpoint();
    for form in FORMS {
        for (written, value) in [
            ("db/creds", "of db/creds"),
            ("db%2Fcreds", "of db/creds"),
            ("a+b", "of a b"),
            ("a%20b", "of a b"),
            ("a%2Bb", "of a+b"),
            ("%C3%A4%2F%CE%BB", "of ä/λ"),
        ] {
            let event = asking(form, "/api/v1/secrets", &[("name", written)]);
            assert_eq!(answered(&endpoint, &event).await, (200, value.to_owned()), "{form:?} {written}");
        }
        for (written, status) in [("a%26name%3Dcreds", 404), ("db%252Fcreds", 404), ("a%23b", 404)] {
            let event = asking(form, "/api/v1/secrets", &[("name", written)]);
            let (got, value) = answered(&endpoint, &event).await;
            assert!(value.is_empty() && (got == status || got == 400), "{form:?} {written}: {got}");
        }
        let doubled = asking(form, "/api/v1/secrets", &[("name", "db/creds"), ("name", "creds")]);
        assert_eq!(answered(&endpoint, &doubled).await.0, 400, "{form:?}");
    }
    let mut single = event(Form::RestApi);
    set(&mut single, "/multiValueQueryStringParameters", Value::Null);
    assert_eq!(refused(&single), BROKEN, "what was doubled is lost in the other form");
}

/// Break: strip any first segment, or a prefix of one.
#[test]
fn only_an_http_api_has_its_stage_in_the_path() {
    let path = |form, stage: &str, path: &str| {
        let mut event = at(form, path);
        set(&mut event, "/requestContext/stage", stage);
        take(&event.to_string()).map(|taken| taken.request.uri().path().to_owned())
    };
    let is = |path: &str| Ok(path.to_owned());
    assert_eq!(path(Form::HttpApi, "live", "/live/v1/x"), is("/v1/x"));
    assert_eq!(path(Form::HttpApi, "live", "/live"), is("/"));
    assert_eq!(path(Form::HttpApi, "live", "/live/live/x"), is("/live/x"));
    for other in ["/liver/x", "/v1/x", "/v1/live/x", "//live/x", "live/x"] {
        assert_eq!(path(Form::HttpApi, "live", other), Err(BROKEN), "{other}");
    }
    assert_eq!(path(Form::HttpApi, "$default", "/live/v1/x"), is("/live/v1/x"));
    assert_eq!(path(Form::FunctionUrl, "live", "/live/v1/x"), is("/live/v1/x"));
    assert_eq!(path(Form::RestApi, "live", "/live/v1/x"), is("/live/v1/x"));
}

/// L1: of two credentials none counts. Break: `insert` instead of `try_append`, or a map instead of `Pairs`.
#[tokio::test]
async fn l1_a_doubled_header_stays_doubled() {
    let endpoint = endpoint();
    let good = format!("Bearer {TOKEN}");
    let rest = |headers: &str| {
        let event = at(Form::RestApi, "/api/v1/secrets/a").to_string();
        let whole = serde_json::to_string(&event_headers(Form::RestApi)).unwrap();
        let replaced =
            event.replace(&whole, &format!(r#"{{"Host":["id.execute-api.us-east-1.amazonaws.com"],{headers}}}"#));
        assert_ne!(replaced, event);
        serde_json::from_str::<Box<RawValue>>(&replaced).unwrap()
    };
    for headers in [
        format!(r#""authorization":["{good}","{good}"]"#),
        format!(r#""authorization":["{good}"],"Authorization":["{good}"]"#),
        format!(r#""authorization":["{good}"],"authorization":["{good}"]"#),
        format!(r#""authorization":["{good}"],"x-vault-token":["{TOKEN}"]"#),
    ] {
        let Taken { peer, request, .. } = take(rest(&headers).get()).unwrap();
        let answer = endpoint.call(&peer, request).await;
        assert_eq!(answer.status(), 403, "{headers}");
    }
    let once = take(rest(&format!(r#""authorization":["{good}"]"#)).get()).unwrap();
    assert_eq!(endpoint.call(&once.peer, once.request).await.status(), 200);
    for form in [Form::FunctionUrl, Form::HttpApi] {
        let mut event = at(form, "/api/v1/secrets/a");
        assert_eq!(answered(&endpoint, &event).await.0, 200, "{form:?}");
        set(&mut event, "/headers/authorization", format!("{good},{good}"));
        assert_eq!(answered(&endpoint, &event).await.0, 403, "{form:?}");
        set(&mut event, "/headers/Authorization", good.clone());
        assert_eq!(taken(&event).request.headers().get_all("authorization").iter().count(), 2);
    }
}

fn event_headers(form: Form) -> Value {
    event(form)["multiValueHeaders"].clone()
}

/// Break: take `content-length` from the event, or leave the decoding out.
#[tokio::test]
async fn a_body_is_what_the_event_holds_as_text_or_base64() {
    let endpoint = endpoint();
    let batch = r#"{"secrets":[{"name":"db/creds"},{"name":"gone"}]}"#;
    for form in FORMS {
        let mut event = at(form, "/api/v1/secrets:batch");
        match form {
            Form::RestApi => set(&mut event, "/httpMethod", "POST"),
            _ => set(&mut event, "/requestContext/http/method", "POST"),
        }
        for (body, is_base64) in [(batch.to_owned(), false), (STANDARD.encode(batch), true)] {
            set(&mut event, "/body", body);
            set(&mut event, "/isBase64Encoded", is_base64);
            let Taken { request, .. } = taken(&event);
            assert_eq!(&**request.body(), batch.as_bytes());
            assert_eq!(request.headers()["content-length"], batch.len().to_string());
            assert_eq!(answered(&endpoint, &event).await.0, 200, "{form:?}");
        }
        set(&mut event, "/body", "no base64!");
        assert_eq!(refused(&event), BROKEN);
        // What its headers say of a body counts for nothing.
        let mut lying = at(form, "/api/v1/secrets/a");
        for header in ["content-length", "transfer-encoding"] {
            match form {
                Form::RestApi => set(&mut lying, &format!("/multiValueHeaders/{header}"), json!(["7"])),
                _ => set(&mut lying, &format!("/headers/{header}"), "7"),
            }
        }
        assert_eq!(answered(&endpoint, &lying).await.0, 200, "{form:?}");
        set(&mut lying, "/body", "x");
        assert_eq!(answered(&endpoint, &lying).await.0, 400, "a GET with a body");
    }
}

/// The names of headers in an event differ in case; here they don't.
#[test]
fn headers_go_by_one_spelling() {
    let headers: HeaderMap = taken(&event(Form::RestApi)).request.headers().clone();
    assert_eq!(headers["host"], "id.execute-api.us-east-1.amazonaws.com");
    assert_eq!(headers["via"], "2.0 cloudfront");
}
