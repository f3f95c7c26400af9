//! Events as AWS documents them, and as it was seen to send them; what they become, and what the endpoint reads of it.
//!
//! What each of the three passes on of a path (as it was sent, or decoded) was looked up in captures of real events.

mod callers;

use std::borrow::Cow;

use http::HeaderMap;
use lockstep_config::{Config, Document, Endpoint, Format, Front, Ports};
use lockstep_core::{FrontDoor as _, NoExec};
use lockstep_native::Unaudited;
use lockstep_testkit::{
    FakeTransport, ManualClock, OneTransport, Reply, TestBindings, TestEnv, TestFiles, TestRandom, TestSigner,
    TokioSpawn,
};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "token-of-the-operator-0123456789abcdef";
const FORMS: [Form; 3] = [Form::FunctionUrl, Form::HttpApi, Form::RestApi];

/// The event of a form, as it is documented.
fn event(form: Form) -> Value {
    match form {
        Form::FunctionUrl => json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/my/path",
            "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
            "cookies": ["cookie1", "cookie2"],
            "headers": {
                "host": "url-id.lambda-url.us-west-2.on.aws", "authorization": format!("Bearer {TOKEN}"),
                "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-amzn-trace-id": "Root=1-5f35ae12",
            },
            "queryStringParameters": { "parameter1": "value1,value2", "parameter2": "value" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "url-id", "authentication": null,
                "authorizer": { "iam": {
                    "accessKey": "AKIAEXAMPLE", "accountId": "111122223333", "callerId": "AIDAEXAMPLE",
                    "cognitoIdentity": null, "principalOrgId": "o-example",
                    "userArn": "arn:aws:iam::111122223333:user/example-user", "userId": "AIDAEXAMPLE",
                } },
                "domainName": "url-id.lambda-url.us-west-2.on.aws", "domainPrefix": "url-id",
                "http": {
                    "method": "GET", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "agent",
                },
                "requestId": "id", "routeKey": "$default", "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
            },
            "body": null, "pathParameters": null, "isBase64Encoded": false, "stageVariables": null,
        }),
        Form::HttpApi => json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/my/path",
            "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
            "cookies": ["cookie1", "cookie2"],
            "headers": {
                "host": "id.execute-api.us-east-1.amazonaws.com", "authorization": format!("Bearer {TOKEN}"),
                "x-forwarded-for": "203.0.113.9",
            },
            "queryStringParameters": { "parameter1": "value1,value2", "parameter2": "value" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "id",
                "authentication": { "clientCert": { "clientCertPem": pem(), "subjectDN": "CN=client" } },
                "authorizer": { "jwt": { "claims": { "claim1": "value1" }, "scopes": ["scope1"] } },
                "domainName": "id.execute-api.us-east-1.amazonaws.com", "domainPrefix": "id",
                "http": {
                    "method": "GET", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "agent",
                },
                "requestId": "id", "routeKey": "$default", "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
            },
            "pathParameters": { "parameter1": "value1" }, "isBase64Encoded": false,
            "stageVariables": { "stageVariable1": "value1" },
        }),
        Form::RestApi => json!({
            "resource": "/{proxy+}", "path": "/my/path", "httpMethod": "GET",
            "headers": { "Host": "id.execute-api.us-east-1.amazonaws.com", "authorization": format!("Bearer {TOKEN}") },
            "multiValueHeaders": {
                "Host": ["id.execute-api.us-east-1.amazonaws.com"], "authorization": [format!("Bearer {TOKEN}")],
                "X-Forwarded-For": ["203.0.113.9"], "Via": ["2.0 cloudfront"],
            },
            "queryStringParameters": { "parameter1": "value2", "parameter2": "value" },
            "multiValueQueryStringParameters": { "parameter1": ["value1", "value2"], "parameter2": ["value"] },
            "requestContext": {
                "accountId": "123456789012", "apiId": "id", "authorizer": { "claims": null, "scopes": null, "iam": "x" },
                "domainName": "id.execute-api.us-east-1.amazonaws.com", "domainPrefix": "id",
                "extendedRequestId": "request-id", "httpMethod": "GET",
                "identity": {
                    "accessKey": null, "accountId": null, "caller": null, "principalOrgId": null,
                    "sourceIp": "192.0.2.1", "user": null, "userAgent": "user-agent", "userArn": null,
                    "clientCert": { "clientCertPem": pem(), "subjectDN": "CN=client" },
                },
                "path": "/live/my/path", "protocol": "HTTP/1.1", "requestId": "id=",
                "requestTime": "04/Mar/2020:19:15:17 +0000", "requestTimeEpoch": 1_583_349_317_135_u64,
                "resourceId": null, "resourcePath": "/{proxy+}", "stage": "live",
            },
            "pathParameters": { "proxy": "my/path" }, "stageVariables": null, "body": null, "isBase64Encoded": false,
        }),
    }
}

/// A certificate, the same one each time.
fn pem() -> String {
    static PEM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PEM.get_or_init(|| rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap().cert.pem()).clone()
}

fn set(event: &mut Value, pointer: &str, value: impl Into<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value.into();
}

/// The same event with another path, and no query.
fn at(form: Form, path: &str) -> Value {
    let mut event = event(form);
    if form == Form::RestApi {
        set(&mut event, "/path", path);
        set(&mut event, "/queryStringParameters", Value::Null);
        set(&mut event, "/multiValueQueryStringParameters", Value::Null);
    } else {
        set(&mut event, "/rawPath", path);
        set(&mut event, "/rawQueryString", "");
    }
    event
}

/// The same event with another query, as it is written in a URL.
fn asking(form: Form, path: &str, query: &[(&str, &str)]) -> Value {
    let mut event = at(form, path);
    if form == Form::RestApi {
        let mut many = serde_json::Map::new();
        for (name, value) in query {
            let decoded = percent_decode_str(&value.replace('+', " ")).decode_utf8().unwrap().into_owned();
            many.entry(*name).or_insert(json!([])).as_array_mut().unwrap().push(decoded.into());
        }
        set(&mut event, "/multiValueQueryStringParameters", many);
    } else {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        set(&mut event, "/rawQueryString", query.join("&"));
    }
    event
}

fn taken(event: &Value) -> Taken {
    take(&event.to_string()).unwrap()
}

fn refused(event: &Value) -> NoRequest {
    take(&event.to_string()).unwrap_err()
}

/// The endpoint behind a platform, over secrets that say their names. Callers have a token.
fn endpoint() -> Endpoint {
    endpoint_with("[listen]\ntoken = { env = \"OPERATOR\" }\n")
}

fn endpoint_with(callers: &str) -> Endpoint {
    let names = ["db/creds", "a b", "a+b", "ä/λ", "a", "creds"];
    let secrets: Vec<_> =
        names.iter().map(|name| format!("[providers.m.secrets.\"{name}\"]\nversions = [\"of {name}\"]\n")).collect();
    let secrets = secrets.concat();
    let text = format!("{callers}[providers.m]\ntype = \"mock\"\n{secrets}");
    let env = TestEnv::of(&[("OPERATOR", TOKEN)]);
    let document =
        Document { name: "lockstep.toml", format: Format::Toml, text: &text, folder: std::path::Path::new("") };
    let config = Config::load(Some(document), &*env, &[]).unwrap();
    let ports = Ports {
        clock: ManualClock::new(),
        transports: Arc::new(OneTransport(FakeTransport::by(|_| Reply::new(503, "")))),
        env,
        files: TestFiles::new(),
        random: TestRandom::seeded(1),
        signer: Arc::new(TestSigner),
        bindings: TestBindings::of(&[]),
        exec: Arc::new(NoExec),
        spawn: Arc::new(TokioSpawn),
        audit: Arc::new(Unaudited),
    };
    let assembly = config.assemble(&ports).unwrap();
    config.endpoint_behind(Front::Platform, &ports, &assembly).unwrap()
}

/// The status, and the value if there is one.
async fn answered(endpoint: &Endpoint, event: &Value) -> (u16, String) {
    let Taken { peer, request, .. } = taken(event);
    let (head, body) = request.into_parts();
    let answer = match endpoint.at_once(&peer, &head) {
        Some(answer) => answer,
        None => endpoint.call(&peer, Request::from_parts(head, body)).await,
    };
    let value = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), value["value"].as_str().unwrap_or_default().to_owned())
}

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

/// Break: `filter(|_| form == Form::HttpApi)` in `format_2`.
#[test]
fn a_certificate_is_the_one_that_api_gateway_has_verified() {
    let der = CertificateDer::from_pem_slice(pem().as_bytes()).unwrap();
    for form in [Form::HttpApi, Form::RestApi] {
        assert_eq!(taken(&event(form)).peer.certificate.as_deref(), Some(&*der), "{form:?}");
    }
    let mut url = event(Form::FunctionUrl);
    set(&mut url, "/requestContext/authentication", json!({ "clientCert": { "clientCertPem": pem() } }));
    assert_eq!(taken(&url).peer.certificate, None);
    for pem in
        [json!(""), json!("no certificate"), json!("-----BEGIN CERTIFICATE-----\nMIIEZTCCAk0CAQEwDQ..."), Value::Null]
    {
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

/// Break: leave `kind` or `elb` out of the look in `take`.
#[test]
fn what_is_no_request_is_refused_and_nothing_of_it_is_shown() {
    let canary = "canary-4711";
    let with = |form, name: &str, value: Value| {
        let mut event = event(form);
        set(&mut event, name, value);
        event
    };
    let others = [
        json!(null),
        json!(canary),
        json!([canary]),
        json!({}),
        json!({ "name": canary, "requestContext": canary }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": canary }] }),
        json!({ "version": "0", "source": "aws.secretsmanager", "detail-type": "x", "detail": { "secret": canary } }),
        json!({ "version": "2.0", "method": "GET", "path": "/x", "headers": {}, "requestContext": { "region": "x" } }),
        // A WebSocket API, a load balancer, and authorizers of both APIs.
        json!({ "requestContext": { "connectionId": "c", "eventType": "CONNECT", "domainName": "x" }, "headers": {} }),
        with(Form::RestApi, "/requestContext/elb", json!({ "targetGroupArn": "arn" })),
        with(Form::RestApi, "/type", json!("REQUEST")),
        with(Form::HttpApi, "/type", json!("REQUEST")),
        with(Form::RestApi, "/multiValueHeaders", Value::Null),
        with(Form::HttpApi, "/version", json!("3.0")),
    ];
    for event in others {
        let reason = refused(&event);
        assert_eq!(reason, OTHER, "{event}");
        assert!(!format!("{reason:?}").contains(canary));
    }
    assert_eq!(refused(&with(Form::RestApi, "/version", json!("1.0"))), FORMAT_1);
    for (form, name, value) in [
        (Form::FunctionUrl, "/rawPath", json!("my/path")),
        (Form::FunctionUrl, "/rawPath", json!("https://evil.example/")),
        (Form::FunctionUrl, "/rawPath", json!("")),
        (Form::FunctionUrl, "/rawPath", json!("*")),
        (Form::FunctionUrl, "/rawPath", Value::Null),
        (Form::FunctionUrl, "/headers/x-canary", json!("a\r\nb")),
        (Form::FunctionUrl, "/headers/no name", json!(canary)),
        (Form::FunctionUrl, "/requestContext/http/method", json!("GET /")),
        (Form::RestApi, "/httpMethod", json!("")),
        (Form::RestApi, "/path", json!("my/path")),
    ] {
        assert_eq!(refused(&with(form, name, value.clone())), BROKEN, "{name} {value}");
    }
    // A path that begins with two slashes names no host.
    let twice = taken(&at(Form::FunctionUrl, "//evil.example/x")).request;
    assert_eq!((twice.uri().authority(), twice.uri().path()), (None, "//evil.example/x"));
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z-]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every place in a value that can be written to.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return };
    for (name, value) in members {
        let place = format!("{at}/{name}");
        places(value, &place, found);
        found.push(place);
    }
}

proptest! {
    /// Break: an index, or an `unwrap`, anywhere in `take`.
    #[test]
    fn no_json_breaks_it(text in ".{0,64}", value in any_json()) {
        let _ = take(&text);
        let _ = take(&value.to_string());
    }

    /// A documented event with something else in one of its places becomes a request that can be answered, or none.
    #[test]
    fn no_change_of_an_event_breaks_it(form in prop::sample::select(&FORMS[..]), place in any::<prop::sample::Index>(), value in any_json()) {
        let mut event = event(form);
        let mut found = Vec::new();
        places(&event, "", &mut found);
        set(&mut event, &found[place.index(found.len())], value);
        if let Ok(Taken { request, .. }) = take(&event.to_string()) {
            prop_assert!(request.uri().path().starts_with('/') && request.uri().authority().is_none());
        }
    }

    /// L7: decoding what was made of a path gives the path, once. Break: any other set of characters in `DECODED_PATH`.
    #[test]
    fn l7_a_path_that_was_decoded_is_decoded_to_itself(rest in "(.|%[0-9A-F]{2}|[?#%]){0,16}") {
        let path = format!("/{rest}");
        let Taken { request, .. } = taken(&at(Form::HttpApi, &path));
        prop_assert_eq!(percent_decode_str(request.uri().path()).decode_utf8().unwrap(), path.as_str());
        prop_assert_eq!(request.uri().query(), None);
    }

    /// L7: a path that was sent in a URL is the same here. Break: escape a percent sign of it.
    #[test]
    fn l7_a_path_that_was_not_decoded_stays_as_it_was_sent(rest in "([a-zA-Z0-9/._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,24}") {
        let path = format!("/{rest}");
        for form in [Form::FunctionUrl, Form::RestApi] {
            let Taken { request, .. } = taken(&at(form, &path));
            prop_assert_eq!(request.uri().path(), path.as_str());
        }
    }

    /// Break: leave `&`, `=`, `+` or `%` out of `FORM`.
    #[test]
    fn l7_a_decoded_query_is_read_as_it_was(pairs in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}"), 1..4)) {
        let mut event = event(Form::RestApi);
        let mut many = serde_json::Map::new();
        for (name, value) in &pairs {
            many.entry(name).or_insert(json!([])).as_array_mut().unwrap().push(value.as_str().into());
        }
        set(&mut event, "/multiValueQueryStringParameters", many);
        let Taken { request, .. } = taken(&event);
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().map(Cow::into_owned).unwrap();
        let mut read: Vec<(String, String)> = request.uri().query().unwrap().split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (decode(name), decode(value))
        }).collect();
        let mut expected = pairs;
        read.sort();
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}

/// The names of headers in an event differ in case; here they don't.
#[test]
fn headers_go_by_one_spelling() {
    let headers: HeaderMap = taken(&event(Form::RestApi)).request.headers().clone();
    assert_eq!(headers["host"], "id.execute-api.us-east-1.amazonaws.com");
    assert_eq!(headers["via"], "2.0 cloudfront");
}
