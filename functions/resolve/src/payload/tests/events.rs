//! The events as AWS documents them, other paths and queries in them, and an endpoint to answer them.

use lockstep_config::{Config, Document, Endpoint, Format, Front, Ports};
use lockstep_core::{FrontDoor as _, NoExec};
use lockstep_host::Audit;
use lockstep_testkit::{
    FakeTransport, ManualClock, OneTransport, Reply, TestBindings, TestEnv, TestFiles, TestRandom, TestSigner,
    TokioSpawn,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::*;

/// The event of a form, as it is documented.
pub(super) fn event(form: Form) -> Value {
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
pub(super) fn pem() -> String {
    static PEM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PEM.get_or_init(|| rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap().cert.pem()).clone()
}

pub(super) fn set(event: &mut Value, pointer: &str, value: impl Into<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value.into();
}

/// The same event with another path, and no query.
pub(super) fn at(form: Form, path: &str) -> Value {
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
pub(super) fn asking(form: Form, path: &str, query: &[(&str, &str)]) -> Value {
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

pub(super) fn taken(event: &Value) -> Taken {
    take(&event.to_string()).unwrap()
}

pub(super) fn refused(event: &Value) -> NoRequest {
    take(&event.to_string()).unwrap_err()
}

/// The endpoint behind a platform, over secrets that say their names. Callers have a token.
pub(super) fn endpoint() -> Endpoint {
    endpoint_with("[listen]\ntoken = { env = \"OPERATOR\" }\n")
}

pub(super) fn endpoint_with(callers: &str) -> Endpoint {
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
        sockets: Arc::new(lockstep_core::NoSockets),
        env,
        files: TestFiles::new(),
        random: TestRandom::seeded(1),
        signer: Arc::new(TestSigner),
        bindings: TestBindings::of(&[]),
        exec: Arc::new(NoExec),
        spawn: Arc::new(TokioSpawn),
        audit: Arc::new(Audit::default()),
    };
    let assembly = config.assemble(&ports).unwrap();
    config.endpoint_behind(Front::Platform, &ports, &assembly).unwrap()
}

/// The status, and the value if there is one.
pub(super) async fn answered(endpoint: &Endpoint, event: &Value) -> (u16, String) {
    let Taken { peer, request, .. } = taken(event);
    let (head, body) = request.into_parts();
    let answer = match endpoint.at_once(&peer, &head) {
        Some(answer) => answer,
        None => endpoint.call(&peer, Request::from_parts(head, body)).await,
    };
    let value = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), value["value"].as_str().unwrap_or_default().to_owned())
}
