//! Roles and replicas: what is read with the credentials of an assumed role, by servers that check its signatures.

use std::fmt::Write as _;

use async_trait::async_trait;
use lockstep_core::{Error, Result};
use lockstep_providers::aws::{ExternalId, Role};
use lockstep_testkit::contract::run;

use super::contract::{Cut, Parameters, Secrets};
use super::*;

/// The account of moto's administrator.
const ACCOUNT: &str = "123456789012";

fn role(name: &str) -> Role {
    let role = Role::new(&format!("arn:aws:iam::{ACCOUNT}:role/{name}")).unwrap();
    role.session_name("lockstep-test").unwrap().external_id(ExternalId::Text("tenant/7".into())).unwrap()
}

impl Aws {
    /// A role that everybody may assume and that may do this.
    async fn make_role(&self, name: &str, action: &str) {
        let statement = |more: Value| {
            let mut all = json!({"Effect": "Allow"});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"Version": "2012-10-17", "Statement": [all]}).to_string()
        };
        let trust = statement(json!({"Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}));
        let policy = statement(json!({"Action": action, "Resource": "*"}));
        self.iam(&[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
        let put = [("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "p"), ("PolicyDocument", &policy)];
        self.iam(&put).await;
    }

    async fn iam(&self, fields: &[(&str, &str)]) {
        let mut body = "Version=2010-05-08".to_owned();
        for (name, value) in fields {
            write!(body, "&{name}=").unwrap();
            for byte in value.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => body.push(char::from(byte)),
                    other => write!(body, "%{other:02X}").unwrap(),
                }
            }
        }
        let request = Request::post(format!("{}/", self.server.url))
            .header("host", self.server.url.trim_start_matches("http://"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
            .unwrap();
        let answer = self.signed("iam", request).await;
        assert!(answer.status().is_success(), "{fields:?}: {answer:?}");
    }
}

fn secrets_of(session: Arc<Session>) -> SecretsManager {
    SecretsManager::new(session, &SecretsManagerSettings::default()).unwrap()
}

#[tokio::test]
async fn secrets_manager_keeps_the_contract_through_an_assumed_role() {
    let aws = Aws::open(require!(servers::moto()));
    let session = aws.session().assume(&role("reader")).unwrap();
    run(&Secrets::on(aws, Box::new(Cut(secrets_of(session))))).await;
}

#[tokio::test]
async fn parameter_store_keeps_the_contract_through_a_chain_of_roles() {
    let aws = Aws::open(require!(servers::moto()));
    let session = aws.session().assume(&role("first")).unwrap().assume(&role("second")).unwrap();
    let provider = ParameterStore::new(session, &ParameterStoreSettings::default()).unwrap();
    run(&Parameters::on(aws, Box::new(Cut(provider)))).await;
}

/// Break: sign `AssumeRole` for another service or region, or leave the session token out of a read.
#[tokio::test]
async fn what_a_role_signs_is_accepted_and_counts_as_the_role() {
    let aws = Aws::at(require!(servers::moto_auth()));
    let (reader, nobody) = (unique("reader"), unique("nobody"));
    aws.make_role(&reader, "secretsmanager:*").await;
    aws.make_role(&nobody, "s3:ListBuckets").await;
    let friendly = unique("assumed");
    aws.secret("CreateSecret", json!({"Name": friendly, "SecretString": "v"})).await;
    let session = aws.session();
    let read = async |session: Arc<Session>| {
        let secret = secrets_of(session).get(&aws.call(), &name(&friendly), &Selector::Current).await?;
        Ok::<_, Error>(bytes(&secret).to_vec())
    };
    assert_eq!(read(session.assume(&role(&reader)).unwrap()).await.unwrap(), b"v");
    let denied = read(session.assume(&role(&nobody)).unwrap()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);

    let wrong = Aws::at(SigningServer { secret_key: "wrong".into(), ..aws.server.clone() });
    let error = read(wrong.session().assume(&role(&reader)).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(error.operation(), Some(lockstep_core::Operation::Login));
    assert_eq!(error.upstream_code(), Some("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_profile_with_a_role_reads_with_that_role() {
    let mut aws = Aws::at(require!(servers::moto_auth()));
    let reader = unique("reader");
    aws.make_role(&reader, "secretsmanager:*").await;
    let friendly = unique("profile");
    aws.secret("CreateSecret", json!({"Name": friendly, "SecretString": "v"})).await;
    let files = TestFiles::new();
    let keys = format!(
        "[base]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        aws.server.key_id, aws.server.secret_key
    );
    files.write("/h/.aws/credentials", keys);
    let config = format!(
        "[profile team]\nregion = {REGION}\nendpoint_url = {}\nrole_arn = arn:aws:iam::{ACCOUNT}:role/{reader}\n\
         source_profile = base\n",
        aws.server.url
    );
    files.write("/h/.aws/config", config);
    aws.ports.files = files;
    aws.ports.env = TestEnv::of(&[("HOME", "/h"), ("AWS_PROFILE", "team")]);
    let secret = aws.secrets().get(&aws.call(), &name(&friendly), &Selector::Current).await.unwrap();
    assert_eq!(bytes(&secret), b"v");
}

/// One region does not answer: what is signed for it never arrives.
struct Outage {
    region: &'static str,
    transport: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Outage {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        let signed = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if signed.contains(&format!("/{}/secretsmanager/", self.region)) {
            return Err(Error::new(ErrorKind::Network, "the region is away"));
        }
        self.transport.send(request, limits).await
    }
}

/// Break: keep the ARN of the replica, or ask the replica's region for the ARN of the other one.
#[tokio::test]
async fn a_replica_answers_for_a_region_that_is_away_as_the_secret_itself() {
    let aws = Aws::open(require!(servers::moto()));
    let friendly = unique("replicated");
    let input = json!({"Name": friendly, "SecretString": "v", "AddReplicaRegions": [{"Region": "eu-central-1"}]});
    let made = aws.secret("CreateSecret", input).await;
    let alone = unique("alone");
    aws.secret("CreateSecret", json!({"Name": alone, "SecretString": "v"})).await;
    let settings =
        SecretsManagerSettings { replicas: vec!["eu-central-1".into()], ..SecretsManagerSettings::default() };
    let own = SecretsManager::new(aws.session(), &settings).unwrap();
    let expected = own.get(&aws.call(), &name(&friendly), &Selector::Current).await.unwrap();

    let mut ports = aws.ports.clone();
    ports.transport = Arc::new(Outage { region: REGION, transport: aws.ports.transport.clone() });
    let away = Session::new(&SessionSettings::default(), ports).unwrap();
    let provider = SecretsManager::new(away, &settings).unwrap();
    for spelling in [friendly.as_str(), made["ARN"].as_str().unwrap()] {
        let secret = provider.get(&aws.call(), &name(spelling), &Selector::Current).await.unwrap();
        assert_eq!((bytes(&secret), &secret.id), (&b"v"[..], &expected.id));
    }
    let many = [(name(&friendly), Selector::Current), (name(&alone), Selector::Current)];
    let answers = provider.get_many(&aws.call(), &many).await;
    assert_eq!(answers[0].as_ref().unwrap().id, expected.id);
    // It has no replica: that its region is away is all that can be said.
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Network);
    provider.check(&aws.call()).await.unwrap();
}
