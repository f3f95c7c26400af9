//! [`Emulator`]: AWS's own Lambda emulator with the extension in its layer and a static function in its task.
//!
//! It wants an `/opt` of its own, so it runs in a mount namespace; that needs root or user namespaces.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use lockstep_stories::Connection;
use lockstep_testkit::servers::Running;
use rustix::process::{Pid, Signal, kill_process};

use crate::port::Port;
use crate::sandbox::program;

/// Lays out `/opt` and becomes the emulator. The extension stands where a layer puts it; what its exit code is, says
/// a script in its place, since the emulator keeps that to itself.
const SCRIPT: &str = r#"
    mount -t tmpfs tmpfs /opt && mkdir -p /opt/extensions /opt/lockstep || exit 97
    if [ "$5" = told ]; then
        cp "$1" /opt/lockstep/lockstep
        printf '#!/bin/sh\n/opt/lockstep/lockstep\necho "the extension ended with $?" >&2\n' > /opt/extensions/lockstep
        chmod 755 /opt/extensions/lockstep
    else
        cp "$1" /opt/extensions/lockstep
    fi
    exec "$2" --runtime-interface-emulator-address "127.0.0.1:$3" --runtime-api-address "127.0.0.1:$4" "$6"
"#;

/// A sandbox that is not started before its first invocation.
pub(crate) struct Emulator {
    process: Running,
    /// The emulator's, its API's, and the extension's.
    ports: [Port; 3],
    folder: tempfile::TempDir,
}

impl Emulator {
    /// Whether this user may have an `/opt` of its own on this machine.
    pub(crate) fn is_possible() -> bool {
        let tried = unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/opt"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    }

    /// `variables` are the function's and the extension's. With `told`, the log tells the extension's exit code.
    pub(crate) fn start(emulator: &Path, variables: &[(&str, &str)], told: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [Port::hold(), Port::hold(), Port::hold()];
        let [port, api, local] = ports.each_ref().map(|port| port.number);
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = unshare();
        command.args(["sh", "-c", SCRIPT, "sh"]).arg(program()).arg(emulator);
        command.args([port.to_string(), api.to_string()]).arg(if told { "told" } else { "plain" }).arg(function());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", local.to_string());
        command.envs(variables.iter().copied());
        let mut process = Running::start(&mut command).unwrap();
        // Its two servers start beside each other; Lambda has its API before it starts anything.
        for port in [port, api] {
            if let Err(error) = process.listening(port, Duration::from_secs(30)) {
                panic!("the emulator did not start: {error}\n{}", said(&folder));
            }
        }
        Self { process, ports, folder }
    }

    /// Invokes the function: its answer.
    pub(crate) fn invoke(&self) -> serde_json::Value {
        let mut connection = Connection::open(([127, 0, 0, 1], self.ports[0].number).into()).unwrap();
        let head = "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nhost: lambda\r\nconnection: close\r\n";
        connection.send(format!("{head}content-length: 2\r\n\r\n{{}}")).unwrap();
        let answer = connection.receive().unwrap();
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), self.log());
        answer.json()
    }

    /// Ends the sandbox as Lambda does, with SHUTDOWN, and gives the whole log.
    pub(crate) fn shut_down(mut self) -> String {
        let id = i32::try_from(self.process.child().id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let ended = self.process.ended(Duration::from_secs(30)).unwrap();
        assert!(ended.is_some(), "the emulator did not end\n{}", self.log());
        self.log()
    }

    pub(crate) fn log(&self) -> String {
        said(&self.folder)
    }
}

/// Runs what follows in a mount namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-rm" });
    command
}

fn said(folder: &tempfile::TempDir) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.path().join("log")).unwrap()).into_owned()
}

/// The function, compiled to a static program once per process.
fn function() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("lambda/bootstrap.rs");
        let mut compiler = Command::new("rustc");
        compiler.args(["--edition", "2024", "-A", "unknown_lints", "-C", "strip=symbols", "--target"]);
        compiler.arg(format!("{}-unknown-linux-musl", std::env::consts::ARCH));
        compiler.arg("-o").arg(folder.path().join("bootstrap")).arg(source);
        let output = compiler.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    folder.path().join("bootstrap")
}
