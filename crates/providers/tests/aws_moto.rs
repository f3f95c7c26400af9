//! Secrets Manager and Parameter Store against moto and ministack, two independent imitations of AWS: over real
//! connections, and with signatures that a stranger's code checks.

#![cfg(all(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

#[cfg(feature = "lockstep")]
#[path = "aws_moto/chained.rs"]
mod chained;
#[path = "aws_moto/contract.rs"]
mod contract;
#[path = "aws_moto/roles.rs"]
mod roles;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{
    Call, Clock, Encoding, ErrorKind, Filter, Limits, MAX_MEMBERS, Page, Payload, Provider, Secret, SecretName,
    Selector, TlsProfile, Transport, Transports,
};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::Ports;
use lockstep_providers::aws::{
    ParameterStore, ParameterStoreSettings, SecretsManager, SecretsManagerSettings, Session, SessionSettings,
};
use lockstep_testkit::servers::{self, SigningServer, unique};
use lockstep_testkit::{TestEnv, TestFiles, TokioSpawn, require};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

/// A server, a key for it, and the ports to reach it.
struct Aws {
    server: SigningServer,
    ports: Ports,
}

impl Aws {
    fn at(server: SigningServer) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let files = Arc::new(LocalFiles);
        let env = TestEnv::of(&[
            ("AWS_REGION", REGION),
            ("AWS_ENDPOINT_URL", &server.url),
            ("AWS_ACCESS_KEY_ID", &server.key_id),
            ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
        ]);
        let transports = HttpTransports::new(clock.clone(), files.clone(), &*env, TransportSettings::default());
        let transport: Arc<dyn Transport> = transports.build(&TlsProfile::default()).unwrap();
        Self {
            server,
            ports: Ports {
                env,
                files,
                transport,
                clock,
                random: Arc::new(OsRandom::new()),
                signer: Arc::new(RingSigner),
                exec: Arc::new(lockstep_core::NoExec),
            },
        }
    }

    fn open(url: String) -> Self {
        Self::at(SigningServer { url, key_id: "test".into(), secret_key: "test".into() })
    }

    fn session(&self) -> Arc<Session> {
        Session::new(&SessionSettings::default(), self.ports.clone()).unwrap()
    }

    fn secrets(&self) -> SecretsManager {
        SecretsManager::new(self.session(), &SecretsManagerSettings::default()).unwrap()
    }

    fn parameters(&self) -> ParameterStore {
        ParameterStore::new(self.session(), &ParameterStoreSettings::default()).unwrap()
    }

    fn call(&self) -> Call {
        Call::new(self.ports.clock.clone(), Arc::new(TokioSpawn), "test", Duration::from_secs(30))
    }

    /// What only an administrator does: a call that no provider makes.
    async fn admin(&self, service: &str, target: &str, input: Value) -> Value {
        let host = self.server.url.trim_start_matches("http://");
        let request = Request::post(format!("{}/", self.server.url))
            .header("host", host)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(Bytes::from(input.to_string()))
            .unwrap();
        let answer = self.signed(service, request).await;
        assert!(answer.status().is_success(), "{target}: {answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    /// Sends a request with the administrator's signature.
    async fn signed(&self, service: &str, mut request: Request<Bytes>) -> Response<Bytes> {
        let identity =
            aws_credential_types::Credentials::new(&self.server.key_id, &self.server.secret_key, None, None, "test")
                .into();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.ports.clock.wall().0);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new("POST", request.uri().to_string(), headers, body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        self.ports.transport.send(request, limits).await.unwrap()
    }

    async fn secret(&self, operation: &str, input: Value) -> Value {
        self.admin("secretsmanager", &format!("secretsmanager.{operation}"), input).await
    }

    async fn parameter(&self, operation: &str, input: Value) -> Value {
        self.admin("ssm", &format!("AmazonSSM.{operation}"), input).await
    }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn bytes(secret: &Secret) -> &[u8] {
    let Payload::Whole(field) = &secret.payload else { panic!("{:?}", secret.payload) };
    field.value.expose()
}

/// The same on moto and on ministack, which is by other hands.
macro_rules! on_both {
    ($($case:ident)*) => {
        mod moto {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                super::$case(&Aws::open(require!(servers::moto()))).await;
            })*
        }

        mod ministack {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                super::$case(&Aws::at(require!(servers::ministack()))).await;
            })*
        }
    };
}

on_both! {
    a_secret_is_one_by_name_partial_arn_and_arn_in_all_its_versions
    missing_deleted_and_binary_secrets_are_told_apart
    many_secrets_are_read_and_listed
    a_parameter_is_read_by_version_label_and_arn
    many_parameters_are_read_and_listed
}

#[tokio::test]
async fn a_web_identity_becomes_the_credentials_of_its_role() {
    let mut aws = Aws::open(require!(servers::moto()));
    let friendly = unique("web");
    aws.secret("CreateSecret", json!({"Name": friendly, "SecretString": "v"})).await;
    let files = TestFiles::new();
    files.write("/token", "header.claims.signature\n");
    aws.ports.files = files;
    aws.ports.env = TestEnv::of(&[
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &aws.server.url),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
    ]);
    let secret = aws.secrets().get(&aws.call(), &name(&friendly), &Selector::Current).await.unwrap();
    assert_eq!(bytes(&secret), b"v");
}

#[tokio::test]
async fn signatures_are_accepted_by_a_server_that_checks_them() {
    let server = require!(servers::moto_auth());
    let aws = Aws::at(server.clone());
    let secret = unique("signed/a+b=c@d.e");
    aws.secret(
        "CreateSecret",
        json!({"Name": secret, "SecretString": "v", "ClientRequestToken": unique("token-of-32-characters-at-least-")}),
    )
    .await;
    let read = aws.secrets().get(&aws.call(), &name(&secret), &Selector::Current).await.unwrap();
    assert_eq!(bytes(&read), b"v");
    aws.secrets().check(&aws.call()).await.unwrap();
    aws.parameters().check(&aws.call()).await.unwrap();

    for (key_id, secret_key, code) in [
        (server.key_id.as_str(), "wrong", "SignatureDoesNotMatch"),
        ("AKIANOBODY", server.secret_key.as_str(), "InvalidClientTokenId"),
    ] {
        let wrong = Aws::at(SigningServer { key_id: key_id.into(), secret_key: secret_key.into(), ..server.clone() });
        let error = wrong.secrets().get(&wrong.call(), &name(&secret), &Selector::Current).await.unwrap_err();
        assert_eq!((error.kind(), error.upstream_code()), (ErrorKind::Unauthenticated, Some(code)));
        assert_eq!(wrong.secrets().check(&wrong.call()).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
}

async fn a_secret_is_one_by_name_partial_arn_and_arn_in_all_its_versions(aws: &Aws) {
    let (provider, call) = (aws.secrets(), aws.call());
    let friendly = unique("app/db");
    let first = aws.secret("CreateSecret", json!({"Name": friendly, "SecretString": "one"})).await;
    let second = aws.secret("PutSecretValue", json!({"SecretId": friendly, "SecretString": "two \u{1F511}\n"})).await;
    let arn = first["ARN"].as_str().unwrap();
    let (partial, _) = arn.rsplit_once('-').unwrap();
    for spelling in [&friendly, partial, arn] {
        let secret = provider.get(&call, &name(spelling), &Selector::Current).await.unwrap();
        assert_eq!(bytes(&secret), "two \u{1F511}\n".as_bytes());
        assert_eq!((secret.id.name.as_str(), secret.name.as_str()), (arn, friendly.as_str()));
        assert_eq!(Some(&*secret.id.scope.parts().account), arn.split(':').nth(4));
        assert_eq!(secret.version.unwrap().id.as_ref(), second["VersionId"].as_str().unwrap());
    }
    let (one, two) = (first["VersionId"].as_str().unwrap(), second["VersionId"].as_str().unwrap());
    for (text, expected) in [
        (one, Ok("one")),
        (two, Ok("two \u{1F511}\n")),
        ("AWSPREVIOUS", Ok("one")),
        (&format!("{one}:AWSPREVIOUS"), Ok("one")),
        ("AWSNOTHING", Err(ErrorKind::VersionNotFound)),
        ("00000000-0000-4000-8000-000000000000", Err(ErrorKind::VersionNotFound)),
    ] {
        let selector = provider.selector(text).unwrap();
        let answer = provider.get(&call, &name(&friendly), &selector).await;
        let answer = answer.as_ref().map(bytes).map_err(lockstep_core::Error::kind);
        assert_eq!(answer, expected.map(str::as_bytes), "{text}");
    }
    let previous = provider.get(&call, &name(&friendly), &Selector::Previous).await.unwrap();
    assert_eq!((bytes(&previous), &*previous.labels[0]), (&b"one"[..], "AWSPREVIOUS"));
    let versions = provider.versions(&call, &name(&friendly), Page::default()).await.unwrap();
    assert_eq!(versions.items.len(), 2);
    let known = provider.describe(&call, &name(arn)).await.unwrap();
    assert_eq!(known.version.unwrap().id.as_ref(), two);
    // Without a rotation function moto only makes the version; AWS would refuse.
    let rotated = provider.rotate(&call, &name(&friendly)).await.unwrap().version.unwrap();
    let versions = provider.versions(&call, &name(&friendly), Page::default()).await.unwrap();
    assert!(versions.items.iter().any(|item| item.version == rotated));
}

async fn missing_deleted_and_binary_secrets_are_told_apart(aws: &Aws) {
    let (provider, call) = (aws.secrets(), aws.call());
    let binary = unique("binary");
    aws.secret("CreateSecret", json!({"Name": binary, "SecretBinary": "AAH//g=="})).await;
    let secret = provider.get(&call, &name(&binary), &Selector::Current).await.unwrap();
    assert_eq!(bytes(&secret), [0, 1, 255, 254]);
    assert!(matches!(&secret.payload, Payload::Whole(field) if field.encoding == Encoding::Binary));

    let missing = provider.get(&call, &name(&unique("missing")), &Selector::Current).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    aws.secret("DeleteSecret", json!({"SecretId": binary, "RecoveryWindowInDays": 7})).await;
    let deleted = provider.get(&call, &name(&binary), &Selector::Current).await.unwrap_err();
    assert_eq!(deleted.kind(), ErrorKind::Deleted);
    assert_eq!(provider.rotate(&call, &name(&binary)).await.unwrap_err().kind(), ErrorKind::Deleted);
    let known = provider.describe(&call, &name(&binary)).await.unwrap();
    assert!(known.deleted.is_some());
}

async fn many_secrets_are_read_and_listed(aws: &Aws) {
    let (provider, call) = (aws.secrets(), aws.call());
    let prefix = unique("many/x");
    let mut wanted = Vec::new();
    for number in 0..23 {
        let friendly = format!("{prefix}/{number:02}");
        let tags = json!([{"Key": "half", "Value": if number < 3 { "first" } else { "second" }}]);
        let made = aws.secret("CreateSecret", json!({"Name": friendly, "SecretString": friendly, "Tags": tags})).await;
        let spelling = if number % 2 == 0 { friendly.as_str() } else { made["ARN"].as_str().unwrap() };
        wanted.push((name(spelling), Selector::Current));
    }
    wanted.insert(7, (name(&format!("{prefix}/missing")), Selector::Current));
    let answers = provider.get_many(&call, &wanted).await;
    for (at, answer) in answers.iter().enumerate() {
        match at {
            7 => assert_eq!(answer.as_ref().unwrap_err().kind(), ErrorKind::NotFound),
            _ => assert_eq!(bytes(answer.as_ref().unwrap()), answer.as_ref().unwrap().name.as_str().as_bytes()),
        }
    }
    let mut page = Page { token: None, limit: Some(10) };
    let mut listed = Vec::new();
    loop {
        let part = provider.list(&call, &prefix, &Filter::default(), page.clone()).await.unwrap();
        assert!(part.items.len() <= 10);
        listed.extend(part.items.into_iter().map(|item| item.name));
        page.token = part.next;
        if page.token.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 23);
    let first = Filter { tags: vec![("half".into(), Some("first".into()))] };
    assert_eq!(provider.list(&call, &prefix, &first, Page::default()).await.unwrap().items.len(), 3);
}

async fn a_parameter_is_read_by_version_label_and_arn(aws: &Aws) {
    let (provider, call) = (aws.parameters(), aws.call());
    let friendly = format!("/{}", unique("app/db"));
    for value in ["one", "two", "three"] {
        let input = json!({"Name": friendly, "Value": value, "Type": "SecureString", "Overwrite": value != "one"});
        aws.parameter("PutParameter", input).await;
    }
    aws.parameter("LabelParameterVersion", json!({"Name": friendly, "ParameterVersion": 2, "Labels": ["prod"]})).await;
    for (text, expected) in [
        ("1", Ok("one")),
        ("3", Ok("three")),
        ("prod", Ok("two")),
        ("9", Err(ErrorKind::VersionNotFound)),
        ("nolabel", Err(ErrorKind::VersionNotFound)),
    ] {
        let selector = provider.selector(text).unwrap();
        let answer = provider.get(&call, &name(&friendly), &selector).await;
        let answer = answer.as_ref().map(bytes).map_err(lockstep_core::Error::kind);
        assert_eq!(answer, expected.map(str::as_bytes), "{text}");
    }
    let current = provider.get(&call, &name(&friendly), &Selector::Current).await.unwrap();
    assert_eq!((bytes(&current), current.version.as_ref().unwrap().order), (&b"three"[..], Some(3)));
    assert_eq!(&*current.attributes["Type"], "SecureString");
    let by_arn = provider.get(&call, &name(&current.attributes["ARN"]), &Selector::Current).await.unwrap();
    assert_eq!(by_arn, current);
    let previous = provider.get(&call, &name(&friendly), &Selector::Previous).await.unwrap();
    assert_eq!(bytes(&previous), b"two");
    let versions = provider.versions(&call, &name(&friendly), Page::default()).await.unwrap();
    assert_eq!(versions.items.iter().map(|item| item.version.order.unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(&*versions.items[1].labels[0], "prod");
    let known = provider.describe(&call, &name(&friendly)).await.unwrap();
    assert_eq!(known.version.unwrap().order, Some(3));
    let missing = provider.get(&call, &name("/no/such/parameter"), &Selector::Current).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    let settings = ParameterStoreSettings { decrypt: false, ..ParameterStoreSettings::default() };
    let undecrypting = ParameterStore::new(aws.session(), &settings).unwrap();
    let cipher = undecrypting.get(&call, &name(&friendly), &Selector::Current).await.unwrap();
    assert_ne!(bytes(&cipher), b"three");
    assert_ne!(cipher.id, current.id);
}

async fn many_parameters_are_read_and_listed(aws: &Aws) {
    let (provider, call) = (aws.parameters(), aws.call());
    let prefix = format!("/{}", unique("many"));
    let mut wanted = Vec::new();
    for number in 0..12 {
        let friendly = format!("{prefix}/{number:02}");
        aws.parameter("PutParameter", json!({"Name": friendly, "Value": friendly, "Type": "String"})).await;
        let selector = if number % 2 == 0 { Selector::Current } else { Selector::Id("1".into()) };
        wanted.push((name(&friendly), selector));
    }
    wanted.insert(3, (name(&format!("{prefix}/missing")), Selector::Current));
    let answers = provider.get_many(&call, &wanted).await;
    for (at, answer) in answers.iter().enumerate() {
        match at {
            3 => assert_eq!(answer.as_ref().unwrap_err().kind(), ErrorKind::NotFound),
            _ => assert_eq!(bytes(answer.as_ref().unwrap()), wanted[at].0.as_str().as_bytes()),
        }
    }
    let mut page = Page { token: None, limit: Some(5) };
    let mut listed = Vec::new();
    loop {
        let part = provider.list(&call, &prefix, &Filter::default(), page.clone()).await.unwrap();
        listed.extend(part.items.into_iter().map(|item| item.name));
        page.token = part.next;
        if page.token.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 12);
}
