//! An account at a real imitation of AWS, written by boto3: what AWS's own client does to a secret.

use std::path::PathBuf;
use std::process::Command;

use lockstep_testkit::servers::{self, Missing, SigningServer};

/// Does one thing and prints what came of it, one word per line.
const BOTO3: &str = "
import base64, boto3, sys
url, key, secret, what, *rest = sys.argv[1:]
made = boto3.client('secretsmanager', endpoint_url=url, region_name='us-east-1', aws_access_key_id=key,
                    aws_secret_access_key=secret)
if what == 'create':
    answer = made.create_secret(Name=rest[0], SecretString=rest[1])
elif what == 'create-binary':
    answer = made.create_secret(Name=rest[0], SecretBinary=base64.b64decode(rest[1]))
elif what == 'create-tagged':
    tags = [dict(zip(('Key', 'Value'), pair.split('='))) for pair in rest[2:]]
    answer = made.create_secret(Name=rest[0], SecretString=rest[1], Tags=tags)
elif what == 'put':
    answer = made.put_secret_value(SecretId=rest[0], SecretString=rest[1])
print(answer['ARN'])
print(answer['VersionId'])
";

/// An account.
pub(crate) struct Account {
    server: SigningServer,
    python: PathBuf,
}

/// What a write made.
pub(crate) struct Written {
    pub(crate) arn: String,
    pub(crate) version: String,
}

impl Account {
    /// At moto, which takes any key.
    pub(crate) fn at_moto() -> Result<Self, Missing> {
        let (url, any) = (servers::moto()?, || "any".to_owned());
        Ok(Self { server: SigningServer { url, key_id: any(), secret_key: any() }, python: servers::python()? })
    }

    /// At moto with its checks on.
    pub(crate) fn at_strict_moto() -> Result<Self, Missing> {
        Ok(Self { server: servers::moto_auth()?, python: servers::python()? })
    }

    /// At ministack, which checks signatures too.
    pub(crate) fn at_ministack() -> Result<Self, Missing> {
        Ok(Self { server: servers::ministack()?, python: servers::python()? })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// What `lockstep` needs in its environment to sign.
    pub(crate) fn env(&self) -> [(&str, &str); 2] {
        [("AWS_ACCESS_KEY_ID", &self.server.key_id), ("AWS_SECRET_ACCESS_KEY", &self.server.secret_key)]
    }

    /// Makes a secret of text.
    pub(crate) fn create(&self, name: &str, value: &str) -> Written {
        self.boto3("create", name, value)
    }

    /// Makes a secret of bytes, given in base64.
    pub(crate) fn create_binary(&self, name: &str, base64: &str) -> Written {
        self.boto3("create-binary", name, base64)
    }

    /// Writes a new version.
    pub(crate) fn put(&self, name: &str, value: &str) -> Written {
        self.boto3("put", name, value)
    }

    /// Makes a secret with a tag, `name=value`.
    pub(crate) fn create_tagged(&self, name: &str, value: &str, tag: &str) -> Written {
        self.boto3_with("create-tagged", name, value, &[tag])
    }

    fn boto3(&self, what: &str, name: &str, value: &str) -> Written {
        self.boto3_with(what, name, value, &[])
    }

    fn boto3_with(&self, what: &str, name: &str, value: &str, more: &[&str]) -> Written {
        let SigningServer { url, key_id, secret_key } = &self.server;
        let mut command = Command::new(&self.python);
        let output =
            command.args(["-c", BOTO3, url, key_id, secret_key, what, name, value]).args(more).output().unwrap();
        assert!(output.status.success(), "boto3 {what}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let mut lines = said.lines().map(str::to_owned);
        Written { arn: lines.next().unwrap(), version: lines.next().unwrap() }
    }
}

/// A configuration of Secrets Manager at this address.
pub(crate) fn config(endpoint: &str, more: &str) -> String {
    format!(
        "{more}\n[providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n"
    )
}
