//! AWS Secrets Manager and Parameter Store: one key, of the reader and of the operator, whose requests are signed too.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use lockstep_core::{Call, Encoding, ErrorKind, Payload, Provider, Secret, SecretName, Selector};
use lockstep_providers::aws::{
    ParameterStore, ParameterStoreSettings, SecretsManager, SecretsManagerSettings, Session, SessionSettings,
};
use lockstep_testkit::contract::{Harness, Shape};
use serde_json::{Value, json};

use crate::bench::{Bench, name, text, whole};

const REGION: &str = "eu-west-1";

/// The server, and who may do everything there.
struct Account {
    bench: Bench,
    url: String,
    key: Credentials,
    prefix: String,
}

impl Account {
    fn new(bench: Bench, url: String, key_id: &str, secret_key: &str, prefix: String) -> Self {
        for (name, value) in [
            ("AWS_REGION", REGION),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_ACCESS_KEY_ID", key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
        ] {
            bench.env.set(name, value);
        }
        Self { bench, url, key: Credentials::new(key_id, secret_key, None, None, "suite"), prefix }
    }

    fn session(&self) -> std::sync::Arc<Session> {
        let session = Session::new(&SessionSettings::default(), self.bench.ports());
        session.unwrap_or_else(|error| panic!("the session: {error:?}"))
    }

    /// As the operator.
    async fn operate(&self, service: &str, target: &str, input: Value) -> Value {
        let mut request = Request::post(format!("{}/", self.url))
            .header("host", self.url.trim_start_matches("http://"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(Bytes::from(input.to_string()))
            .unwrap_or_else(|error| panic!("a request: {error}"));
        self.sign(service, &mut request).unwrap_or_else(|error| panic!("a signature: {error}"));
        let (status, answer) = self.bench.ask(request).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    fn sign(&self, service: &str, request: &mut Request<Bytes>) -> Result<(), Box<dyn std::error::Error>> {
        let identity = self.key.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(self.bench.now()))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let body = SignableBody::Bytes(request.body());
        let signable = SignableRequest::new("POST", request.uri().to_string(), headers, body)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

pub(crate) struct Secrets {
    account: Account,
    provider: SecretsManager,
}

impl Secrets {
    pub(crate) fn new(bench: Bench, url: String, key_id: &str, secret_key: &str, prefix: String) -> Self {
        let account = Account::new(bench, url, key_id, secret_key, prefix);
        let provider = SecretsManager::new(account.session(), &SecretsManagerSettings::default());
        Self { provider: provider.unwrap_or_else(|error| panic!("the settings: {error:?}")), account }
    }

    async fn operate(&self, operation: &str, input: Value) -> Value {
        self.account.operate("secretsmanager", &format!("secretsmanager.{operation}"), input).await
    }
}

#[async_trait]
impl Harness for Secrets {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.account.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("{}/{word}", self.account.prefix))
    }

    fn prefix(&self) -> String {
        format!("{}/", self.account.prefix)
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let field = whole(payload);
        let (member, value) = match field.encoding {
            Encoding::Binary => ("SecretBinary", STANDARD.encode(field.value.expose())),
            _ => ("SecretString", text(field).to_owned()),
        };
        let is_there = self.provider.describe(&self.call(), name).await.is_ok();
        let (operation, id) = if is_there { ("PutSecretValue", "SecretId") } else { ("CreateSecret", "Name") };
        let made = self.operate(operation, json!({ id: name.as_str(), member: value })).await;
        // A label of its own keeps a version: an imitation may forget at once those that have none.
        let version = &made["VersionId"];
        let label = format!("kept-{}", version.as_str().unwrap_or_default());
        let kept = json!({ "SecretId": name.as_str(), "VersionStage": label, "MoveToVersionId": version });
        self.operate("UpdateSecretVersionStage", kept).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.operate("DeleteSecret", json!({ "SecretId": name.as_str(), "RecoveryWindowInDays": 7 })).await;
        ErrorKind::Deleted
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("00000000-0000-4000-8000-000000000000".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("AWSPENDING", Selector::Label("AWSPENDING".into())), ("AWSCURRENT", Selector::Current)]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![secret.id.name.clone(), secret.name.clone()]
    }
}

pub(crate) struct Parameters {
    account: Account,
    provider: ParameterStore,
}

impl Parameters {
    pub(crate) fn new(bench: Bench, url: String, key_id: &str, secret_key: &str, prefix: String) -> Self {
        let account = Account::new(bench, url, key_id, secret_key, prefix);
        let provider = ParameterStore::new(account.session(), &ParameterStoreSettings::default());
        Self { provider: provider.unwrap_or_else(|error| panic!("the settings: {error:?}")), account }
    }

    async fn operate(&self, operation: &str, input: Value) {
        self.account.operate("ssm", &format!("AmazonSSM.{operation}"), input).await;
    }
}

#[async_trait]
impl Harness for Parameters {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.account.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("/{}/{word}", self.account.prefix))
    }

    fn prefix(&self) -> String {
        format!("/{}/", self.account.prefix)
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let value = text(whole(payload));
        let input = json!({ "Name": name.as_str(), "Value": value, "Type": "SecureString", "Overwrite": true });
        self.operate("PutParameter", input).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.operate("DeleteParameter", json!({ "Name": name.as_str() })).await;
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text]
    }

    fn longest(&self) -> usize {
        4096
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("77".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Id("3".into())), ("prod", Selector::Label("prod".into()))]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        secret.attributes.get("ARN").map(|arn| name(arn)).into_iter().collect()
    }
}
