//! The three that are measured: how each is started, asked and ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::process::{Recipe, Service, free_port, get};

/// Callers' token. It is the session token of made-up credentials too, as in Lambda.
const TOKEN: &str = "bench-token-0123456789abcdef";

/// Who, and from which program.
#[derive(Debug)]
pub(super) enum Kind {
    /// Ours, with its default config; by default hits are audited in sums, with `full` each by itself.
    Extension { program: PathBuf, runtime_api: String, full: bool },
    /// `examples/bare.rs`: the same checks and the same lookup, and nothing else.
    Bare { program: PathBuf },
    /// AWS's Workload Credentials Provider.
    Agent { program: PathBuf },
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Extension { full: false, .. } => "lockstep",
            Self::Extension { full: true, .. } => "lockstep-full",
            Self::Bare { .. } => "bare",
            Self::Agent { .. } => "aws-agent",
        }
    }

    fn command(&self, port: u16, folder: &Path, upstream: &str) -> Outcome<Command> {
        let mut command = match self {
            Self::Extension { program, runtime_api, full } => {
                let mut command = Command::new(program);
                command.env("AWS_LAMBDA_RUNTIME_API", runtime_api);
                command.env("AWS_LAMBDA_FUNCTION_NAME", "bench");
                command.env("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", port.to_string());
                if *full {
                    command.env("LOCKSTEP__AUDIT__HITS", "full");
                }
                command
            }
            Self::Bare { program } => {
                let mut command = Command::new(program);
                command.arg(port.to_string());
                command
            }
            Self::Agent { program } => {
                let config = folder.join(format!("agent-{port}.toml"));
                let text = format!("http_port = {port}\nregion = \"us-east-1\"\nlog_to_file = false\n");
                fs::write(&config, text).at("write", &config)?;
                let mut command = Command::new(program);
                command.args(["sm", "start", "-c"]).arg(config);
                command
            }
        };
        for (name, value) in [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
            ("AWS_SESSION_TOKEN", TOKEN),
            ("AWS_TOKEN", TOKEN),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", upstream),
        ] {
            command.env(name, value);
        }
        for name in ["AWS_PROFILE", "AWS_CONFIG_FILE", "LOCKSTEP_CONFIG", "LOCKSTEP_CONFIG_CONTENT"] {
            command.env_remove(name);
        }
        Ok(command)
    }
}

/// A running one.
#[derive(Debug)]
pub(super) struct Contender {
    name: &'static str,
    service: Service,
    port: u16,
}

impl Contender {
    /// Starts it and waits for nothing.
    pub(super) fn spawn(kind: &Kind, folder: &Path, upstream: &str) -> Outcome<Self> {
        let port = free_port()?;
        let service = Service::start(&recipe(kind, folder), &kind.command(port, folder, upstream)?)?;
        Ok(Self { name: kind.name(), service, port })
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(kind: &Kind, folder: &Path, upstream: &str) -> Outcome<Self> {
        let mut contender = Self::spawn(kind, folder, upstream)?;
        contender.service.ready(&recipe(kind, folder), contender.port)?;
        Ok(contender)
    }

    /// Whether it has come to its end by itself.
    pub(super) fn ended(&mut self) -> bool {
        self.service.ended()
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.service.pid()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Reads every secret once, so that all are cached.
    pub(super) fn fill(&self, secrets: usize) -> Outcome {
        (0..secrets).try_for_each(|index| self.read(index))
    }

    fn read(&self, index: usize) -> Outcome {
        match get(self.port, &path(index), &headers()) {
            Some(answer) if answer.status == 200 => Ok(()),
            Some(answer) => Err(Failure::new(format!("{} answers {} for secret {index}", self.name, answer.status))),
            None => Err(Failure::new(format!("{} does not answer for secret {index}", self.name))),
        }
    }
}

fn recipe<'a>(kind: &'a Kind, folder: &'a Path) -> Recipe<'a> {
    Recipe { name: kind.name(), folder, ready: "/ping", patience: Duration::from_secs(30) }
}

/// The headers of every request, each ended with CRLF.
pub(super) fn headers() -> String {
    format!("X-Aws-Parameters-Secrets-Token: {TOKEN}\r\n")
}

fn path(index: usize) -> String {
    format!("/secretsmanager/get?secretId=bench/s{index:04}")
}
