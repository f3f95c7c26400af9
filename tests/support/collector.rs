//! [`Collector`]: a collector of traces that reads with OpenTelemetry's own messages, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use lockstep_testkit::servers::{self, Missing};
use serde_json::{Value, json};

use crate::http::{Connection, Response};
use crate::until;

const PROGRAM: &str = include_str!("collector.py");

/// A collector. It ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    address: SocketAddr,
}

impl Collector {
    /// Starts it on a free port; it takes everything.
    ///
    /// # Errors
    /// There is no Python that has the messages.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Result<Self, Missing> {
        let mut command = Command::new(servers::otlp_python()?);
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap_or_else(|_| panic!("the collector did not start: {line}"));
        Ok(Self { child, address: ([127, 0, 0, 1], port).into() })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it answers from now on, one after the other: a status, `"hang"` or `"partial"`. The last one goes on.
    ///
    /// # Panics
    /// When it does not listen to that.
    pub fn script(&self, answers: &Value) {
        assert_eq!(self.send("POST", "/script", &answers.to_string()).status, 204);
    }

    /// What was sent to it, whatever it answered.
    pub fn requests(&self) -> Vec<Value> {
        self.said("requests")
    }

    /// The spans that it has taken.
    ///
    /// # Panics
    /// When something was wrong with what was sent.
    pub fn spans(&self) -> Vec<Value> {
        assert_eq!(self.said("faults"), Vec::<Value>::new());
        self.said("spans")
    }

    /// The spans of a trace, once there are this many.
    ///
    /// # Panics
    /// As [`Collector::spans`], and when they never come.
    pub fn trace(&self, trace: &str, count: usize) -> Vec<Value> {
        let of_trace = || self.spans().into_iter().filter(|span| span["trace"] == trace).collect::<Vec<_>>();
        until("the spans of the trace", || Some(of_trace()).filter(|spans| spans.len() >= count))
    }

    /// Every byte that was sent to it.
    pub fn raw(&self) -> Vec<u8> {
        self.send("GET", "/raw", "").body
    }

    fn said(&self, what: &str) -> Vec<Value> {
        let answer = self.send("GET", "/", "");
        answer.json()[what].as_array().cloned().unwrap_or_else(|| vec![json!(answer.text())])
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let mut connection = Connection::open(self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        connection.send(head).unwrap();
        connection.receive().unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
