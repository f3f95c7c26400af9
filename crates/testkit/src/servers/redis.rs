//! A Redis of a test's own: started, asked by its own `redis-cli`, killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{RedisProgram, Running, free_port};

/// Starting beside a build on two cores takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that keeps its data in a folder and syncs every write before it answers.
#[derive(Debug)]
pub struct RedisServer {
    program: RedisProgram,
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
}

impl RedisServer {
    /// Starts one on a free port of loopback, with more arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(program: RedisProgram, folder: &Path, arguments: &[&str]) -> Self {
        let port = free_port().unwrap_or_else(|error| panic!("a port: {error}"));
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        let mut server = Self { program, port, folder: folder.to_owned(), arguments, running: None };
        server.run();
        server
    }

    /// Starts it in its folder, and waits until it takes commands.
    ///
    /// # Panics
    /// When it does not start.
    pub fn run(&mut self) {
        let mut command = Command::new(&self.program.program);
        command.env("LD_LIBRARY_PATH", &self.program.libraries).stdout(Stdio::null());
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--dir"]).arg(&self.folder);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]).args(&self.arguments);
        let started = Running::start(&mut command).and_then(|mut running| {
            running.listening(self.port, PATIENCE)?;
            Ok(running)
        });
        self.running = Some(started.unwrap_or_else(|error| panic!("Redis: {error}")));
        // It listens before it has read its files.
        while self.cli(&["PING"]).contains("LOADING") {}
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its own client answers.
    ///
    /// # Panics
    /// When the client can't be run.
    pub fn cli(&self, words: &[&str]) -> String {
        let mut command = Command::new(self.program.program.with_file_name("redis-cli"));
        command.env("LD_LIBRARY_PATH", &self.program.libraries);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let output = command.args(words).output().unwrap_or_else(|error| panic!("redis-cli: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command that has to be done.
    ///
    /// # Panics
    /// When it is not.
    pub fn done(&self, words: &[&str]) -> String {
        let said = self.cli(words);
        assert!(!said.contains("ERR") && !said.contains("WRONGTYPE") && !said.is_empty(), "{words:?}: {said}");
        said
    }
}
