//! A Kubernetes API server over an etcd: no node, no controller, no scheduler, but every rule of the API is the real one.
//!
//! Two users have tokens in a file: an operator who may do everything, and a reader who may do what a test lets him. A
//! certificate of testkit's own authority is a login too.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{PATIENCE, Starting, TRIES};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process::{self, Recipe, Service, free_port};
use crate::tools;

/// Signs the tokens of service accounts. It opens nothing else.
const SIGNING_KEY: &str = include_str!("../../../testkit/src/keys/rsa.pem");
/// Whose certificates are a login.
const CLIENT_CA: &str = include_str!("../../../testkit/src/keys/kubernetes-ca.pem");

/// The running pair; dropped, it ends.
#[derive(Debug)]
pub(super) struct Kubernetes {
    apiserver: Service,
    port: u16,
    admin: String,
    reader: String,
    programs: (PathBuf, u16),
    folder: PathBuf,
    /// After the server that uses it.
    _etcd: Service,
}

impl Kubernetes {
    /// Starts both, below `scratch`, and waits for etcd alone.
    pub(super) fn start(programs: &tools::Kubernetes, scratch: &Path) -> Outcome<Self> {
        let folder = scratch.join("kubernetes");
        std::fs::create_dir_all(&folder).at("create", &folder)?;
        let (admin, reader) = (super::postgres::password()?, super::postgres::password()?);
        let users = format!("{admin},admin,admin,system:masters\n{reader},reader,reader\n");
        for (name, text) in [("users.csv", users.as_str()), ("signing.pem", SIGNING_KEY), ("ca.pem", CLIENT_CA)] {
            let path = folder.join(name);
            std::fs::write(&path, text).at("write", &path)?;
        }
        // The port after it is free too: the one for other members, who don't exist.
        let (etcd_port, etcd) = {
            let mut etcd = Starting::new("etcd", &folder, "/health", |port| etcd_command(&programs.etcd, port))?;
            etcd.ready()?;
            (etcd.port, etcd.service)
        };
        give_history(etcd_port)?;
        let port = free_port()?;
        let apiserver =
            Service::start(&recipe("kube-apiserver", &folder), &apiserver(&programs.apiserver, port, etcd_port))?;
        let programs = (programs.apiserver.clone(), etcd_port);
        Ok(Self { apiserver, port, admin, reader, programs, folder, _etcd: etcd })
    }

    /// Waits until it is ready for tests, and gives the variables that lead them there.
    pub(super) fn ready(&mut self, python: &Path) -> Outcome<Vec<(String, String)>> {
        for left in (0..TRIES).rev() {
            let (port, admin) = (self.port, self.admin.clone());
            let answers = || is_ready(python, port, &admin);
            match self.apiserver.ready_when(PATIENCE, answers) {
                Ok(()) => break,
                Err(failure) if left == 0 => return Err(failure),
                Err(_) => {
                    self.port = free_port()?;
                    let command = apiserver(&self.programs.0, self.port, self.programs.1);
                    self.apiserver = Service::start(&recipe("kube-apiserver", &self.folder), &command)?;
                }
            }
        }
        let ca = self.folder.join("certificates/apiserver.crt");
        if !ca.is_file() {
            return Err(Failure::new(format!("the API server made no certificate {}", ca.display())));
        }
        let variable = |name: &str, value: String| (format!("LOCKSTEP_TEST_KUBERNETES{name}"), value);
        Ok(vec![
            variable("", format!("https://127.0.0.1:{}", self.port)),
            variable("_CA", ca.display().to_string()),
            variable("_TOKEN", self.admin.clone()),
            variable("_READER_TOKEN", self.reader.clone()),
        ])
    }
}

fn recipe<'a>(name: &'a str, folder: &'a Path) -> Recipe<'a> {
    Recipe { name, folder, ready: "", patience: PATIENCE }
}

fn etcd_command(program: &Path, port: u16) -> Command {
    let client = format!("http://127.0.0.1:{port}");
    let peer = format!("http://127.0.0.1:{}", port + 1);
    let mut command = Command::new(program);
    command.args(["--data-dir", "etcd", "--unsafe-no-fsync"]);
    for (flag, value) in [
        ("--listen-client-urls", &client),
        ("--advertise-client-urls", &client),
        ("--listen-peer-urls", &peer),
        ("--initial-advertise-peer-urls", &peer),
    ] {
        command.args([flag, value]);
    }
    command.arg("--initial-cluster").arg(format!("default={peer}"));
    // Debian's etcd refuses to start on architectures that its makers don't test, unless it is told which one it is.
    command.env("ETCD_UNSUPPORTED_ARCH", if cfg!(target_arch = "aarch64") { "arm64" } else { "" });
    command
}

/// Writes what nobody reads: the first revisions are then from before the API server's time, and whoever watches from
/// there is told that they are gone (410).
fn give_history(port: u16) -> Outcome {
    const BODY: &str = r#"{"key":"bG9ja3N0ZXA=","value":""}"#;
    let request = format!(
        "POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    for _ in 0..8 {
        let put = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = put().doing(|| "can't write to etcd".to_owned())?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(Failure::new("etcd does not take what is written to it"));
        }
    }
    Ok(())
}

fn apiserver(program: &Path, port: u16, etcd: u16) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("--secure-port={port}")).arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"));
    command.args([
        "--bind-address=127.0.0.1",
        "--insecure-port=0",
        "--cert-dir=certificates",
        "--token-auth-file=users.csv",
        "--client-ca-file=ca.pem",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-signing-key-file=signing.pem",
        "--service-account-key-file=signing.pem",
        // There is no controller that would make the accounts which this one asks for.
        "--disable-admission-plugins=ServiceAccount",
        // It would write down its address for others to find, and there are none.
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
    ]);
    command
}

/// Python speaks TLS; this program does not.
fn is_ready(python: &Path, port: u16, token: &str) -> bool {
    let mut ask = Command::new(python);
    ask.args(["-c", include_str!("../../python/kubernetes.py"), &format!("https://127.0.0.1:{port}")])
        .env("TOKEN", token);
    process::capture(&mut ask).is_ok_and(|said| said.trim() == "ready")
}
