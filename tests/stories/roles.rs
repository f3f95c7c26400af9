//! Roles that callers of AWS's surface name as `roleArn`: each reads its own account, and only those that are listed.

use std::fmt::Write as _;
use std::process::Command;

use lockstep_stories::{CountingProxy, Lockstep, Running};
use lockstep_testkit::{require, servers};

/// Makes the secret in the account of each role, as that role.
const SECRETS: &str = "
import boto3, sys
url, name, *roles = sys.argv[1:]
def client(service, **keys):
    return boto3.client(service, endpoint_url=url, region_name='us-east-1', **keys)
sts = client('sts', aws_access_key_id='any', aws_secret_access_key='any')
for role in roles:
    given = sts.assume_role(RoleArn=role, RoleSessionName='seed')['Credentials']
    keys = dict(aws_access_key_id=given['AccessKeyId'], aws_secret_access_key=given['SecretAccessKey'],
                aws_session_token=given['SessionToken'])
    client('secretsmanager', **keys).create_secret(Name=name, SecretString='of ' + role)
";

/// One more than AWS's agent ever has room for.
const ROLES: usize = 21;
/// So many values stay in the cache, at most.
const ROOM: usize = 20;

fn role(number: usize) -> String {
    format!("arn:aws:iam::{}:role/reader", 100_000_000_000 + number)
}

fn read(running: &Running, name: &str, role: &str) -> (u16, String) {
    let answer = running.get(&format!("/secretsmanager/get?secretId={name}&roleArn={role}"));
    (answer.status, answer.text())
}

/// Against moto, which keeps accounts apart: the same name is another secret in each. Break: read with the same
/// alias whatever `roleArn` says (`api/src/aws/secrets_manager.rs`).
#[test]
fn o8_more_roles_than_the_cache_has_room_for_all_read_their_own_again_and_again() {
    let (moto, python) = (require!(servers::moto()), require!(servers::python()));
    let (name, roles) = (servers::unique("o8"), (0..ROLES).map(role).collect::<Vec<_>>());
    let seeded = Command::new(python).args(["-c", SECRETS, &moto, &name]).args(&roles).output().unwrap();
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));

    let proxy = CountingProxy::to(&moto);
    let mut config = format!("[cache]\nmax_entries = {ROOM}\n[[routes]]\nmatch = \"**\"\nproviders = [\"r0\"]\n");
    for (number, role) in roles.iter().enumerate() {
        write!(config, "[providers.r{number}]\ntype = \"aws-secrets-manager\"\nrole = \"{role}\"\n").unwrap();
    }
    config.push_str("[aws.roles]\n");
    for (number, role) in roles.iter().enumerate() {
        writeln!(config, "\"{role}\" = \"r{number}\"").unwrap();
    }
    let url = proxy.url();
    let keys = [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_REGION", "us-east-1")];
    let env = [keys.as_slice(), &[("AWS_ENDPOINT_URL", url.as_str())]].concat();
    let running = Lockstep::serve(config.as_str(), &env);
    let calls = || (proxy.count("Action=AssumeRole"), proxy.count("secretsmanager.GetSecretValue"));

    for role in roles.iter().chain(&roles) {
        let (status, body) = read(&running, &name, role);
        assert!(status == 200 && body.contains(&format!("\"of {role}\"")), "{role}: {status} {body}");
    }
    let (logins, reads) = calls();
    assert_eq!(logins, ROLES, "what left the cache was read with the login that was there");
    assert!((ROLES + 1..2 * ROLES).contains(&reads), "some left the cache, and not all: {reads}");

    // A role that nobody has listed is no role, whoever may assume it.
    let (status, body) = read(&running, &name, &role(ROLES));
    assert_eq!((status, body.as_str()), (400, "roleArn is not allowed: list the role in the configuration"));
    assert_eq!(calls(), (logins, reads));
}
