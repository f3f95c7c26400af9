//! A chained Lockstep: the contract kept through `lockstep serve` in front of an AWS, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use lockstep_core::{MAX_MEMBERS, Selector};
use lockstep_providers::Credential;
use lockstep_providers::lockstep::{LockstepProvider, LockstepSettings};
use lockstep_testkit::contract::run;
use lockstep_testkit::servers::{self, Running};
use lockstep_testkit::{TestEnv, require};

use super::contract::Secrets;
use super::{Aws, REGION};

const TOKEN: &str = "token-of-the-chained-endpoint-01";
/// Nothing is kept on the way: what was written a moment ago is read.
const CONFIG: &str = "[cache]\nttl = 0\nnegative_ttl = 0\nmax_stale = 0\n\
                      [providers.aws]\ntype = \"aws-secrets-manager\"\nmax_members = 100000\n";

/// Break: in `LockstepProvider`, leave any parameter out of a route, or any row out of its table.
#[tokio::test]
async fn a_chained_endpoint_keeps_the_contract_of_the_provider_behind_it() {
    let aws = Aws::at(require!(servers::ministack()));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), CONFIG).unwrap();
    let mut command = Command::new(require!(servers::lockstep()));
    command.args(["serve", "--json", "--listen", "127.0.0.1:0"]).current_dir(folder.path()).env_clear();
    command.envs([
        ("AWS_TOKEN", TOKEN),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &aws.server.url),
        ("AWS_ACCESS_KEY_ID", &aws.server.key_id),
        ("AWS_SECRET_ACCESS_KEY", &aws.server.secret_key),
    ]);
    let mut serving = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null())).unwrap();
    let mut line = String::new();
    BufReader::new(serving.child().stdout.take().unwrap()).read_line(&mut line).unwrap();
    let hello: serde_json::Value = serde_json::from_str(&line).unwrap();
    let settings = LockstepSettings {
        address: format!("http://{}", hello["listening"].as_str().unwrap()),
        token: Credential::Env("TOKEN".into()),
        provider: None,
        members: MAX_MEMBERS,
        environment: String::new(),
    };
    let mut ports = aws.ports.clone();
    ports.env = TestEnv::of(&[("TOKEN", TOKEN)]);
    let provider = Box::new(LockstepProvider::new(settings, ports).unwrap());
    let mut secrets = Secrets::on(aws, provider);
    secrets.selectors = vec![("3", Selector::Label("3".into())), ("AWSPENDING", Selector::Label("AWSPENDING".into()))];
    run(&secrets).await;
}
