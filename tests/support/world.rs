//! [`World`]: what the conformance suite and the clients expect to be there, written by boto3 into an imitation of AWS, and
//! the configuration of an endpoint before it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use lockstep_conformance::Inputs;
use lockstep_conformance::seed::{ABSENT, DENIED, ODD, SEEDS};
use lockstep_testkit::servers::{self, Missing, SigningServer};
use serde_json::{Value, json};

use crate::Lockstep;

/// Writes every version of every seed, the oldest first.
const BOTO3: &str = "
import base64, boto3, json, sys
told = json.load(sys.stdin)
aws = boto3.client('secretsmanager', endpoint_url=told['url'], region_name='us-east-1',
                   aws_access_key_id=told['key'], aws_secret_access_key=told['secret'])
for seed in told['seeds']:
    made = [dict(SecretBinary=base64.b64decode(one)) if seed['base64'] else dict(SecretString=one)
            for one in seed['versions']]
    aws.create_secret(Name=seed['name'], Tags=[dict(Key=k, Value=v) for k, v in seed['tags']], **made[0])
    for one in made[1:]:
        aws.put_secret_value(SecretId=seed['name'], **one)
";

/// The seeds at ministack, which checks signatures.
#[derive(Debug)]
pub struct World {
    server: SigningServer,
    prefix: String,
}

impl World {
    /// Writes them, below a prefix of their own.
    ///
    /// # Errors
    /// There is no ministack.
    ///
    /// # Panics
    /// When boto3 fails.
    pub fn seed() -> Result<Self, Missing> {
        let world = Self { server: servers::ministack()?, prefix: servers::unique("conformance") };
        let seeds: Vec<Value> = SEEDS
            .iter()
            .map(|seed| {
                let name = format!("{}/{}", world.prefix, seed.name);
                let tags: Vec<_> = seed.tag.into_iter().collect();
                json!({ "name": name, "versions": seed.versions, "base64": seed.is_base64, "tags": tags })
            })
            .collect();
        let SigningServer { url, key_id, secret_key } = &world.server;
        let told = json!({ "url": url, "key": key_id, "secret": secret_key, "seeds": seeds });
        let mut boto3 = Command::new(servers::python()?);
        let mut boto3 = boto3.args(["-c", BOTO3]).stdin(Stdio::piped()).spawn().unwrap();
        boto3.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
        assert!(boto3.wait().unwrap().success(), "boto3 wrote no seeds");
        Ok(world)
    }

    /// What an endpoint signs with.
    pub fn env(&self) -> [(&str, &str); 2] {
        [("AWS_ACCESS_KEY_ID", &self.server.key_id), ("AWS_SECRET_ACCESS_KEY", &self.server.secret_key)]
    }

    /// `[providers]` and `[[routes]]` of an endpoint. It ends in a section that anything may follow.
    pub fn providers(&self) -> String {
        let url = &self.server.url;
        let (odd, value) = (format!("{}/{}", self.prefix, ODD.name), ODD.current());
        format!(
            "[providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{url}\"\n\
             [providers.odd]\ntype = \"mock\"\n[providers.odd.secrets.\"{odd}\"]\nversions = [\"{value}\"]\n\
             [[routes]]\nmatch = \"**\"\nproviders = [\"aws\"]\n"
        )
    }

    /// `[auth]` that allows everything of the world but what is denied.
    pub fn allow(&self) -> String {
        let mut text = "[auth]\nallow = [".to_owned();
        let seeds = SEEDS.iter().filter(|seed| **seed != DENIED).map(|seed| seed.name).chain([ABSENT, "naïve clé/**"]);
        for name in seeds.chain(["moved@x", "deep"]) {
            // Writing to a String can't fail.
            let _ = write!(text, "\"{}/{name}\", ", self.prefix);
        }
        text.push_str("]\n");
        text
    }

    /// `[auth]` with a policy: `key:app` may do everything but with what is denied, and who else there is, nothing.
    pub fn policy(&self, hides_denied: bool) -> String {
        let denied = format!("aws://{}/{}", self.prefix, DENIED.name);
        format!(
            "[auth]\nhide_denied = {hides_denied}\npolicy = '''\n\
             @id(\"app\") permit(principal == Caller::\"key:app\", action, resource);\n\
             @id(\"denied\") forbid(principal, action, resource == Secret::\"{denied}\");\n'''\n"
        )
    }

    /// What the suite is told of an endpoint there.
    pub fn inputs(&self, base_url: &str, credential: &str) -> Inputs {
        Inputs {
            base_url: base_url.to_owned(),
            credential: credential.to_owned(),
            prefix: self.prefix.clone(),
            odd_provider: Some("odd".to_owned()),
            provider: "aws".to_owned(),
            ..Inputs::default()
        }
    }
}

/// An API key as the command makes it, and the section that lets its holder in.
///
/// # Panics
/// When the command fails.
pub fn api_key(name: &str) -> (String, String) {
    let made = Lockstep::new(None, &[]).run(&["key", name, "--json"]).stdout;
    let made: Value = serde_json::from_str(&made).unwrap();
    let section = format!("[auth.keys.{name}]\nhashes = [{{ hash = {} }}]\n", made["hash"]);
    (made["key"].as_str().unwrap().to_owned(), section)
}
