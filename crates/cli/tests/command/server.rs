//! A running `lockstep serve` or `dev`, spoken to over a plain socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server. It is stopped when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Held open: a server whose reader goes away is another test.
    _stdout: BufReader<ChildStdout>,
    /// The first line of standard output.
    pub(crate) line: String,
    /// The same as JSON, if it is.
    pub(crate) hello: serde_json::Value,
}

impl Server {
    /// Starts it and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the server did not start: {said}");
        }
        let hello = serde_json::from_str(&line).unwrap_or_default();
        Self { child, _stdout: stdout, line, hello }
    }

    fn address(&self) -> &str {
        self.hello["listening"].as_str().unwrap_or_else(|| {
            let after = self.line.split("http://").nth(1).unwrap();
            after.split('/').next().unwrap()
        })
    }

    /// One request, head and body of its answer.
    pub(crate) fn get(&self, path: &str, token: &str) -> String {
        let address = self.address();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nx-aws-parameters-secrets-token: {token}\r\nconnection: \
             close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks until the answer holds this, a bounded number of times.
    pub(crate) fn wait_for(&self, path: &str, token: &str, wanted: &str) {
        for _ in 0..200 {
            if self.get(path, token).contains(wanted) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("{path} never answered {wanted}");
    }

    /// Sends SIGTERM and waits. The exit code, and everything that was said.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
