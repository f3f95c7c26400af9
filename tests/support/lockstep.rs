//! The `lockstep` command as a process of its own: started in a folder of its own with nothing but the environment that
//! the test names, stopped by SIGTERM, and killed when its test ends before.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use lockstep_testkit::servers;
use tempfile::TempDir;

use crate::http::{Connection, Response};
use crate::{PATIENCE, until};

/// The local token, unless a test sets `AWS_TOKEN` or another of the token's variables itself.
pub const TOKEN: &str = "token-of-the-stories-0123456789ab";

/// The variables that the token may come from.
const TOKEN_VARIABLES: [&str; 3] = ["AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// The command itself: what the gate built, or `target/<profile>/lockstep` beside this test.
///
/// # Panics
/// When it is not there.
pub fn binary() -> PathBuf {
    let path = servers::lockstep().unwrap_or_else(|_| {
        let test = std::env::current_exe().expect("this test knows where it is");
        let profile = test.parent().and_then(Path::parent).expect("a test stands in target/<profile>/deps");
        profile.join("lockstep")
    });
    assert!(path.is_file(), "{} is missing: run `cargo build -p lockstep-cli` first", path.display());
    path
}

/// A folder with a configuration, and what `lockstep` is started with there.
#[derive(Debug)]
pub struct Lockstep {
    folder: TempDir,
    env: Vec<(String, String)>,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; nothing when a signal ended it.
    pub code: Option<i32>,
    /// All of standard output, the line that says where it listens left out.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Lockstep {
    /// A folder with this configuration as `lockstep.toml`, or none, and these variables alone.
    ///
    /// # Panics
    /// When no folder can be made.
    pub fn new<'c>(config: impl Into<Option<&'c str>>, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(config) = config.into() {
            std::fs::write(folder.path().join("lockstep.toml"), config).unwrap();
        }
        let mut env: Vec<_> = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !env.iter().any(|(name, _)| TOKEN_VARIABLES.contains(&name.as_str())) {
            env.push(("AWS_TOKEN".to_owned(), TOKEN.to_owned()));
        }
        Self { folder, env }
    }

    /// `lockstep serve` on a free port with this configuration, or none, and these variables alone.
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve<'c>(config: impl Into<Option<&'c str>>, env: &[(&str, &str)]) -> Running {
        Self::new(config, env).start()
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of mode 0600 in the folder.
    ///
    /// # Panics
    /// When it can't.
    pub fn file(&self, name: &str, content: &str) {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.folder.path().join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path).unwrap().write_all(content.as_bytes()).unwrap();
    }

    /// Runs it to its end with these arguments.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `lockstep serve` on a free port.
    ///
    /// # Panics
    /// When it does not start; the message holds what it said.
    pub fn start(self) -> Running {
        match self.try_start() {
            Ok(running) => running,
            Err(output) => panic!("lockstep serve did not start: {output:?}"),
        }
    }

    /// `lockstep serve` on this port of loopback, for who must know it before.
    ///
    /// # Panics
    /// When it does not start; the message holds what it said.
    pub fn start_on(self, port: u16) -> Running {
        match self.listen_on(&format!("127.0.0.1:{port}")) {
            Ok(running) => running,
            Err(output) => panic!("lockstep serve did not start: {output:?}"),
        }
    }

    /// The same; how it ended when it did not start.
    ///
    /// # Errors
    /// Its end.
    ///
    /// # Panics
    /// When the process can't be started at all, or says something else than where it listens.
    pub fn try_start(self) -> Result<Running, Output> {
        self.listen_on("127.0.0.1:0")
    }

    fn listen_on(self, address: &str) -> Result<Running, Output> {
        let mut command = self.command(&["serve", "--json", "--listen", address]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process { child };
        let said = Collected::of(process.child.stderr.take().unwrap());
        let mut stdout = BufReader::new(process.child.stdout.take().unwrap());
        let mut line = String::new();
        // A server that neither listens nor ends is cut by the runner's own limit.
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let code = process.child.wait().unwrap().code();
            return Err(Output { code, stdout: String::new(), stderr: said.all() });
        }
        let hello: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let address = hello["listening"].as_str().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("this is not where it listens: {line}"));
        let token = TOKEN_VARIABLES
            .iter()
            .find_map(|wanted| self.env.iter().find(|(name, value)| name == wanted && !value.is_empty()))
            .map(|(_, token)| token.clone())
            .unwrap_or_default();
        let vault = hello["vault"].as_str().and_then(|address| address.parse::<SocketAddr>().ok());
        let vault = vault.map(|address| address.port());
        let printed = Collected::of(stdout);
        Ok(Running { address, vault, token, process, stdout: printed, stderr: said, home: self })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running `lockstep serve`.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The local token.
    pub token: String,
    /// The port on which it listens for Vault's clients.
    vault: Option<u16>,
    process: Process,
    stdout: Collected,
    stderr: Collected,
    home: Lockstep,
}

impl Running {
    /// Where it listens for Vault's clients.
    ///
    /// # Panics
    /// When it does not.
    pub fn vault(&self) -> SocketAddr {
        (self.address.ip(), self.vault.unwrap()).into()
    }

    /// GET with the token.
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    /// GET with the token and these headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers, b"")
    }

    /// Any method with the token, these headers and this body.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let headers: Vec<_> =
            headers.iter().copied().chain([("x-aws-parameters-secrets-token", self.token.as_str())]).collect();
        self.bare(method, path, &headers, body)
    }

    /// Any method with a `Host` and these headers alone: no token.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn bare(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            request.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
        }
        request.push_str("\r\n");
        self.raw([request.as_bytes(), body].concat())
    }

    /// These bytes, and the first answer to them.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut connection = self.connect();
        // What is refused early may be refused before all of it is sent.
        let sent = connection.send(bytes.as_ref());
        connection.receive().unwrap_or_else(|error| panic!("no answer: {error}; sent: {sent:?}"))
    }

    /// A connection of its own.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// The same from another address of this machine.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn connect_from(&self, source: [u8; 4]) -> Connection {
        Connection::open_from(source, self.address).unwrap()
    }

    /// The value of a secret as the native API answers it.
    pub fn value(&self, name: &str) -> String {
        self.get(&format!("/api/v1/secrets/{name}")).member("/value")
    }

    /// Everything that it has said on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until it has said this on standard error.
    pub fn until_said(&self, wanted: &str) {
        until(wanted, || self.said().contains(wanted).then_some(()));
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Its folder, to edit files in.
    pub fn home(&self) -> &Lockstep {
        &self.home
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(mut self) -> Output {
        self.terminate();
        let child = &mut self.process.child;
        let status = until("the end of lockstep serve", || child.try_wait().unwrap());
        Output { code: status.code(), stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    /// SIGTERM alone.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        let id = i32::try_from(self.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }
}

/// A child that does not outlive its test.
#[derive(Debug)]
struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream read to its end beside the test, so that a full pipe never stops the child.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Collected {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it: the child has ended.
    fn all(self) -> String {
        for _ in 0..PATIENCE.as_millis() / 10 {
            if self.reader.is_finished() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.so_far()
    }
}
