//! The AWS login, judged as Vault judges it: the request is taken apart, and its signature made again with the known key.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::UnixMillis;

use super::*;
use crate::aws::{Role, Session, SessionSettings};

const KEY_ID: &str = "AKIDEXAMPLE";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG+c4n4ry";
const TOKEN: &str = "session-c4n4ry";

/// A way out that fails the test, and the variables that hold AWS's credentials.
fn session(region: &str) -> Arc<Session> {
    let env =
        TestEnv::of(&[("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", KEY), ("AWS_SESSION_TOKEN", TOKEN)]);
    let ports = Ports {
        random: TestRandom::seeded(7),
        signer: Arc::new(TestSigner),
        exec: Arc::new(lockstep_core::NoExec),
        transport: FakeTransport::in_order([]),
        env,
        files: TestFiles::new(),
        clock: ManualClock::new(),
    };
    Session::new(&SessionSettings { region: Some(region.into()), ..SessionSettings::default() }, ports).unwrap()
}

fn auth(region: Option<&str>, server_id: Option<&str>) -> VaultAuth {
    VaultAuth::Aws {
        mount: "aws".into(),
        role: Some("app".into()),
        server_id: server_id.map(str::to_owned),
        region: region.map(str::to_owned),
        session: session(region.unwrap_or("us-east-1")),
    }
}

/// Two identities never share what is cached. Break: leave a field out of `identity` of the method.
#[test]
fn every_aws_login_has_a_scope_of_its_own() {
    let role = Role::new("arn:aws:iam::123456789012:role/app").unwrap();
    let (own, assumed) = (session("us-east-1"), session("us-east-1").assume(&role).unwrap());
    let aws = |mount: &str, role: Option<&str>, region: Option<&str>, session: &Arc<Session>| VaultAuth::Aws {
        mount: mount.into(),
        role: role.map(str::to_owned),
        server_id: None,
        region: region.map(str::to_owned),
        session: session.clone(),
    };
    let all = [
        aws("a", Some("r"), None, &own),
        aws("b", Some("r"), None, &own),
        aws("a", None, None, &own),
        aws("a", Some("r"), Some("eu-west-1"), &own),
        aws("a", Some("r"), None, &assumed),
    ];
    let count = all.len();
    let scope = |auth| World::new(auth, FakeTransport::in_order([])).provider.scope().clone();
    let scopes: std::collections::HashSet<_> = all.into_iter().map(scope).collect();
    assert_eq!(scopes.len(), count);
}

/// What Vault and STS check together.
fn verified(login: &Value, server_id: Option<&str>) -> Result<(), String> {
    let decoded = |field: &str| STANDARD.decode(login[field].as_str().unwrap_or_default()).unwrap_or_default();
    if login["iam_http_request_method"] != "POST" || login["role"] != "app" {
        return Err("method or role".into());
    }
    let body = decoded("iam_request_body");
    if body != b"Action=GetCallerIdentity&Version=2011-06-15" {
        return Err("body".into());
    }
    let url = String::from_utf8(decoded("iam_request_url")).unwrap();
    let all: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&decoded("iam_request_headers")).map_err(|error| error.to_string())?;
    let header = |name: &str| all.get(name).and_then(|values| values.first()).map(String::as_str).unwrap_or_default();
    let uri: http::Uri = url.parse().unwrap();
    let (host, region) = match uri.host().unwrap_or_default() {
        "sts.amazonaws.com" => ("sts.amazonaws.com", "us-east-1"),
        "sts.eu-west-1.amazonaws.com" => ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
        _ => return Err("host".into()),
    };
    if header("host") != host || uri.path() != "/" || uri.query().is_some() {
        return Err("host".into());
    }
    let authorization = header("authorization");
    let (_, rest) = authorization.split_once("SignedHeaders=").ok_or("no signed headers")?;
    let (names, signature) = rest.split_once(", Signature=").ok_or("no signature")?;
    let names: Vec<&str> = names.split(';').collect();
    if let Some(server_id) = server_id
        && (header("x-vault-aws-iam-server-id") != server_id || !names.contains(&"x-vault-aws-iam-server-id"))
    {
        return Err("server id".into());
    }
    if !names.contains(&"host") || header("x-amz-security-token") != TOKEN {
        return Err("what is signed".into());
    }
    let date = header("x-amz-date");
    let text =
        format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..8], &date[9..11], &date[11..13], &date[13..15]);
    let time = UnixMillis::from_rfc3339(&text).ok_or("date")?;
    let identity = aws_credential_types::Credentials::new(KEY_ID, KEY, Some(TOKEN.into()), None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(time.0))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    // The signer puts these two in by itself.
    let signed = names.iter().filter(|name| !["x-amz-date", "x-amz-security-token"].contains(name));
    let signed: Vec<(&str, &str)> = signed.map(|name| (*name, header(name))).collect();
    let request = SignableRequest::new("POST", &url, signed.into_iter(), SignableBody::Bytes(&body)).unwrap();
    let (_, expected) = sign(request, &params).unwrap().into_parts();
    if signature == expected { Ok(()) } else { Err("signature".into()) }
}

/// The login that is sent with these settings.
async fn sent(region: Option<&str>, server_id: Option<&str>) -> Value {
    let world = World::new(
        auth(region, server_id),
        FakeTransport::by(
            |request| if request.uri().path() == "/v1/auth/aws/login" { login("t1", 600) } else { kv2("x") },
        ),
    );
    let answers = futures_util::future::join_all((0..1000).map(|_| world.current("kv2/a"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.sent("/v1/auth/aws/login"), 1, "one login for a thousand reads");
    serde_json::from_slice(world.transport.requests()[0].body()).unwrap()
}

/// Break: any header of `Session::proof`, its body, or the region that it signs for.
#[tokio::test]
async fn the_signed_identity_is_what_vault_and_sts_check() {
    for (region, server_id) in
        [(None, Some("vault.internal")), (None, None), (Some("eu-west-1"), Some("vault.internal"))]
    {
        assert_eq!(verified(&sent(region, server_id).await, server_id), Ok(()), "{region:?} {server_id:?}");
    }
}

/// What somebody changes or uses elsewhere is refused. Break: sign without the server id.
#[tokio::test]
async fn a_proof_that_is_changed_or_shown_to_another_server_is_worth_nothing() {
    let good = sent(None, Some("vault.internal")).await;
    assert_eq!(verified(&good, Some("other.internal")), Err("server id".into()));
    let base = |text: &str| Value::from(STANDARD.encode(text));
    let headers = String::from_utf8(STANDARD.decode(good["iam_request_headers"].as_str().unwrap()).unwrap()).unwrap();
    for (field, value, refused) in [
        ("iam_request_url", base("https://evil.test/"), "host"),
        ("iam_request_url", base("https://sts.amazonaws.com/?Action=AssumeRole"), "host"),
        ("iam_request_body", base("Action=AssumeRole&Version=2011-06-15"), "body"),
        ("iam_request_headers", base(&headers.replace("vault.internal", "other.internal")), "server id"),
        ("iam_request_headers", base(&headers.replace("utf-8", "utf-7")), "signature"),
    ] {
        let mut changed = good.clone();
        changed[field] = value;
        assert_eq!(verified(&changed, Some("vault.internal")), Err(refused.into()), "{field}");
    }
    // With the id changed in both places, the signature no longer fits.
    let mut changed = good.clone();
    changed["iam_request_headers"] = base(&headers.replace("vault.internal", "other.internal"));
    assert_eq!(verified(&changed, Some("other.internal")), Err("signature".into()));
}

/// O2. A hostile server says to go elsewhere and answers nonsense: what is signed next is for the same STS, and no error
/// shows it. Break: take anything of an answer into `Sts`.
#[tokio::test]
async fn o2_nothing_that_is_answered_leads_the_proof_elsewhere_or_into_an_error() {
    for reply in [
        (|| Reply::new(307, "").header("location", "https://evil.test/v1/auth/aws/login")) as fn() -> Reply,
        || Reply::json(400, &json!({ "errors": ["use https://sts.evil.test/ c4n4ry"] })),
        || {
            Reply::json(
                200,
                &json!({ "auth": { "client_token": "", "lease_duration": 1 }, "sts": "https://sts.evil.test" }),
            )
        },
    ] {
        let world = World::new(auth(None, Some("vault.internal")), FakeTransport::by(move |_| reply()));
        for _ in 0..2 {
            let error = world.current("kv2/a").await.unwrap_err();
            let shown = format!("{error} {error:?} {:?} {:?}", world.provider, world.provider.scope());
            assert!(!shown.contains("c4n4ry") && !shown.contains(KEY_ID), "{shown}");
        }
        for request in world.transport.requests() {
            assert_eq!(request.uri().host(), Some("vault.internal"));
            let login: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(verified(&login, Some("vault.internal")), Ok(()));
        }
    }
}
