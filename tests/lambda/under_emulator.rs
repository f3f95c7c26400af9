//! The main story: a static function with no retry and no pause reads its secrets under AWS's own emulator, in the first
//! statement of its init and again in its handler.

use lockstep_stories::Connection;
use lockstep_testkit::servers::{OPENBAO_ROOT, unique};
use lockstep_testkit::{require, servers};
use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::sandbox::TOKEN;

/// What the function reads, and where.
struct World {
    variables: Vec<(&'static str, String)>,
    values: [String; 3],
}

impl World {
    /// Puts one secret into each of the three.
    fn new(moto: &str, bao: &str) -> Self {
        let name = unique("lambda");
        let values = ["of Secrets Manager", "of Parameter Store", "of OpenBao"].map(|of| format!("{name} {of}"));
        let parameter = format!("/{name}");
        aws(moto, "secretsmanager", "secretsmanager.CreateSecret", &json!({ "Name": name, "SecretString": values[0] }));
        let put = json!({ "Name": parameter, "Value": values[1], "Type": "SecureString" });
        aws(moto, "ssm", "AmazonSSM.PutParameter", &put);
        let headers = format!("x-vault-token: {OPENBAO_ROOT}\r\n");
        post(bao, &format!("/v1/secret/data/{name}"), &headers, &json!({ "data": { "password": values[2] } }));

        let config = format!(
            "prefetch = [\"aws://{name}\"]\n\
             [providers.aws]\ntype = \"aws-secrets-manager\"\n\
             [providers.ssm]\ntype = \"aws-parameter-store\"\n\
             [providers.bao]\ntype = \"vault\"\naddress = \"{bao}\"\n"
        );
        let paths = format!(
            "/secretsmanager/get?secretId={name} \
             /systemsmanager/parameters/get?name=%2F{name}&withDecryption=true \
             /api/v1/secrets/secret/{name}?provider=bao&key=password"
        );
        let variables = vec![
            ("AWS_ENDPOINT_URL", moto.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "story".to_owned()),
            ("AWS_SESSION_TOKEN", TOKEN.to_owned()),
            ("VAULT_TOKEN", OPENBAO_ROOT.to_owned()),
            ("LOCKSTEP_CONFIG_CONTENT", config),
            ("STORY_PATHS", paths),
        ];
        Self { variables, values }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Every read answered 200, with the right value.
    fn check(&self, reads: &Value, log: &str) {
        let members = ["/body/SecretString", "/body/Parameter/Value", "/body/value"];
        for (read, (member, value)) in members.iter().zip(&self.values).enumerate() {
            let answer = &reads[read];
            assert_eq!(answer["status"], 200, "{answer}\n{log}");
            assert_eq!(answer.pointer(member).and_then(Value::as_str), Some(value.as_str()), "{answer}\n{log}");
        }
    }
}

/// A call of AWS's, unsigned but for the scope that moto chooses a service by.
fn aws(moto: &str, service: &str, target: &str, body: &Value) {
    let scope = format!("AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request");
    let headers = format!(
        "content-type: application/x-amz-json-1.1\r\nx-amz-target: {target}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential={scope}, SignedHeaders=host, Signature=0\r\n"
    );
    post(moto, "/", &headers, body);
}

fn post(url: &str, path: &str, headers: &str, body: &Value) {
    let address = url.trim_start_matches("http://");
    let body = body.to_string();
    let mut connection = Connection::open(address.parse().unwrap()).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    connection.send(format!("{head}{headers}\r\n{body}")).unwrap();
    let answer = connection.receive().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Break: bind after registering, or wait for the first INVOKE before answering.
#[test]
fn lambda_a_function_reads_three_providers_in_its_first_statement_and_shutdown_is_clean() {
    let emulator = require!(servers::lambda_emulator());
    if !Emulator::is_possible() {
        return servers::skip_here("the emulator wants an /opt of its own: root or user namespaces");
    }
    let (moto, bao) = (require!(servers::moto()), require!(servers::openbao()));
    let world = World::new(&moto, &bao);
    let sandbox = Emulator::start(&emulator, &world.variables(), true);
    for _ in 0..3 {
        let answer = sandbox.invoke();
        world.check(&answer["init"], &sandbox.log());
        world.check(&answer["handler"], &sandbox.log());
    }
    let log = sandbox.shut_down();
    assert!(log.contains("registered, subscribed to [INVOKE SHUTDOWN]"), "{log}");
    assert!(log.contains(r#""message":"stopped""#), "{log}");
    assert!(log.contains("the extension ended with 0"), "{log}");
    for value in &world.values {
        assert!(!log.contains(value), "a value stands in the log");
    }
}

/// Break: anything that makes the first answer of a sandbox depend on luck.
#[test]
fn lambda_twenty_cold_starts_of_twenty_read_everything() {
    let emulator = require!(servers::lambda_emulator());
    if !Emulator::is_possible() {
        return servers::skip_here("the emulator wants an /opt of its own: root or user namespaces");
    }
    let (moto, bao) = (require!(servers::moto()), require!(servers::openbao()));
    let world = World::new(&moto, &bao);
    for _ in 0..20 {
        let sandbox = Emulator::start(&emulator, &world.variables(), false);
        let answer = sandbox.invoke();
        world.check(&answer["init"], &sandbox.log());
        world.check(&answer["handler"], &sandbox.log());
        let log = sandbox.shut_down();
        assert!(log.contains(r#""message":"stopped""#), "{log}");
    }
}
