//! `lockstep dev`: the endpoint over an embedded demo, which goes away with it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use lockstep_config::{Config, Document, Endpoint, Format};
use lockstep_core::{Env, Error, ErrorKind};
use lockstep_native::{Listener, LogLevel, StopSignals};
use serde_json::json;

use super::serve;
use crate::arguments::Everywhere;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::Output;

const SECRETS: &str = include_str!("../demo/secrets.yaml");
const SECRETS_FILE: &str = "secrets.yaml";

/// The demo's configuration. Its token is always made, so that it can be printed.
const CONFIG: &str = r#"
[freshness]
journal = "memory://"
max_staleness = "1s"

[providers.demo]
type = "file"
path = "secrets.yaml"
poll = "200ms"

[aws]
secrets_manager = "demo"
ssrf_env_variables = []

[log]
level = "warn"
"#;

pub(crate) async fn run(
    everywhere: &Everywhere,
    dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    host: &Host,
    output: Output,
) -> Result<(), Failure> {
    // From here on Ctrl-C is ours, so that nothing is left behind.
    let mut signals = StopSignals::install()?;
    let folder = Folder::make(dir, host)?;
    let document = Document { name: "the demo", format: Format::Toml, text: CONFIG, folder: &folder.path };
    let config = Config::load(Some(document), &Nothing, &[])?;
    Host::log(everywhere, &config, LogLevel::Info)?;
    let ports = host.ports(&config, output.console())?;
    let assembly = config.assemble(&ports)?;
    let endpoint = config.endpoint(&ports, &assembly)?;
    let listener = bind(&config, listen)?;
    announce(&listener, &folder, &endpoint, output)?;
    serve::serve(host, &config, assembly, endpoint, serve::Front { listener, vault: None, tls: None }, &mut signals)
        .await
}

/// The address of the command line, else the usual one, else a free port.
fn bind(config: &Config, listen: Option<SocketAddr>) -> Result<Listener, Failure> {
    match listen {
        Some(address) => serve::bind(config, Some(address)),
        None => serve::bind(config, None)
            .or_else(|_| serve::bind(config, Some(SocketAddr::new(config.settings().listen.address.ip(), 0)))),
    }
}

fn announce(listener: &Listener, folder: &Folder, endpoint: &Endpoint, output: Output) -> Result<(), Failure> {
    let address = listener.address().map(|address| address.to_string()).unwrap_or_default();
    let token = endpoint.made_token.as_ref().and_then(|token| token.expose_text()).unwrap_or_default();
    let file = folder.path.join(SECRETS_FILE);
    if output.json {
        return output.json(&json!({ "listening": address, "token": token, "file": file }));
    }
    output.note(&format!("a demo of Lockstep listens on http://{address}"));
    output.note(&format!("token: {token}"));
    output.note(&format!("edit:  {}", file.display()));
    output.note("read:  paste the next line; Ctrl-C ends the demo");
    let header = "X-Aws-Parameters-Secrets-Token";
    output.data(&format!("curl -s -H '{header}: {token}' http://{address}/api/v1/secrets/db/creds\n"))
}

/// The demo's folder. One that we made goes away with everything in it; one that was named stays.
struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Folder {
    fn make(dir: Option<PathBuf>, host: &Host) -> Result<Self, Failure> {
        let folder = if let Some(path) = dir {
            if !path.is_dir() {
                private_folder(&path)?;
            }
            Self { path, ours: false }
        } else {
            let mut bytes = [0; 8];
            host.ports.random.fill(&mut bytes);
            let name = format!("lockstep-dev-{:016x}", u64::from_le_bytes(bytes));
            let path = std::env::temp_dir().join(name);
            private_folder(&path)?;
            Self { path, ours: true }
        };
        folder.write_secrets()?;
        Ok(folder)
    }

    /// Writes the demo's secrets, unless a file is there already.
    fn write_secrets(&self) -> Result<(), Failure> {
        let path = self.path.join(SECRETS_FILE);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => file.write_all(SECRETS.as_bytes()).map_err(|error| failed("write", &path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && !self.ours => Ok(()),
            Err(error) => Err(failed("write", &path, error)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "can't remove the demo's folder; remove it by hand");
        }
    }
}

/// Makes a folder that nobody else may look into. One that is there already is not taken.
fn private_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| failed("make", path, error))
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Failure {
    let message = format!("can't {what} {}; name another folder with `--dir`", path.display());
    Error::new(ErrorKind::Config, message).because(error).into()
}

/// The demo is the same everywhere: no variable changes it.
struct Nothing;

impl Env for Nothing {
    fn var(&self, _: &str) -> Option<String> {
        None
    }
}
