//! [`Sandbox`]: the extension as a process, and an Extensions API that tells it what the test wants, when it wants.
//!
//! AWS's emulator neither knows SnapStart nor Managed Instances, and a test can't hold its events back; so here the API is
//! scripted, in the form that the emulator's has.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use lockstep_stories::{Connection, Response, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::servers::{self, Running};
use lockstep_testkit::transport::Gate;
use serde_json::json;

use crate::port::Port;

/// The session token, which is the local token too.
pub(crate) const TOKEN: &str = "session-token-of-the-stories-0123456789ab";
/// The extension's id.
const IDENTIFIER: &str = "5f0ad2f4-1c28-4a3c-9b6e-000000000001";
const REGISTER: &str = "POST /2020-01-01/extension/register";
const NEXT: &str = "GET /2020-01-01/extension/event/next";

/// What is to happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    /// An INVOKE whose deadline is this far in the future.
    Invoke(Duration),
    /// SHUTDOWN, with time left.
    Shutdown,
    /// No event: the API refuses.
    Refused,
}

/// A function that reads through the extension. It never tries twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    port: u16,
}

impl Function {
    /// GET with the token on a connection of its own.
    pub(crate) fn get(self, path: &str) -> Response {
        let mut connection = Connection::open(([127, 0, 0, 1], self.port).into()).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n", self.port);
        connection.send(format!("{head}x-aws-parameters-secrets-token: {TOKEN}\r\n\r\n")).unwrap();
        connection.receive().unwrap()
    }

    /// The value of the secret `app`.
    pub(crate) fn app(self) -> String {
        self.get("/secretsmanager/get?secretId=app").member("/SecretString")
    }
}

/// A running extension.
pub(crate) struct Sandbox {
    pub(crate) api: Upstream,
    process: Running,
    port: Port,
    events: std::vec::IntoIter<Gate>,
    told: usize,
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// Starts it with these variables, in a sandbox where this will happen, one by one, as the test lets it.
    pub(crate) fn start(env: &[(&str, &str)], events: &[Told]) -> Self {
        let registered = json!({ "functionName": "story", "functionVersion": "$LATEST", "handler": "h" });
        let headers = [("Lambda-Extension-Identifier", IDENTIFIER)];
        let register = Action::with_headers(200, &headers, registered.to_string());
        Self::start_on(env, events, [register])
    }

    /// The same with the dynamically linked extension: what is preloaded into it (libfaketime) works.
    pub(crate) fn start_dynamic(env: &[(&str, &str)], events: &[Told]) -> Self {
        let headers = [("Lambda-Extension-Identifier", IDENTIFIER)];
        Self::start_program(
            &beside_this_test("lockstep-extension"),
            env,
            events,
            [Action::with_headers(200, &headers, "{}")],
        )
    }

    /// The same as [`Sandbox::start`], with these answers to `register`.
    pub(crate) fn start_on(env: &[(&str, &str)], events: &[Told], register: impl IntoIterator<Item = Action>) -> Self {
        Self::start_program(&program(), env, events, register)
    }

    fn start_program(
        program: &Path,
        env: &[(&str, &str)],
        events: &[Told],
        register: impl IntoIterator<Item = Action>,
    ) -> Self {
        let api = Upstream::start();
        api.on(REGISTER, register);
        let gates: Vec<_> = events.iter().map(|_| Gate::new()).collect();
        let answers =
            events.iter().zip(&gates).enumerate().map(|(number, (told, gate))| told.answer(number).behind(gate));
        api.on(NEXT, answers.chain([Action::stall()]));
        for path in ["init/error", "exit/error"] {
            api.on(&format!("POST /2020-01-01/extension/{path}"), [Action::json(202, &json!({ "status": "OK" }))]);
        }
        let port = Port::hold();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null()).stdout(log(&folder)).stderr(log(&folder));
        command.env("AWS_LAMBDA_RUNTIME_API", api.address().to_string());
        command.env("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", port.number.to_string());
        for (name, value) in [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "story"),
            ("AWS_SESSION_TOKEN", TOKEN),
        ]
        .iter()
        .chain(env)
        {
            command.env(name, value);
        }
        let process = Running::start(&mut command).unwrap();
        Self { api, process, port, events: gates.into_iter(), told: 0, folder }
    }

    /// A function in this sandbox.
    pub(crate) fn function(&self) -> Function {
        Function { port: self.port.number }
    }

    /// [`Function::get`].
    pub(crate) fn get(&self, path: &str) -> Response {
        self.function().get(path)
    }

    /// [`Function::app`].
    pub(crate) fn app(&self) -> String {
        self.function().app()
    }

    /// How often it has asked for an event.
    pub(crate) fn wishes(&self) -> usize {
        self.api.count(NEXT)
    }

    /// Waits until it is registered: from here on the runtime may ask.
    pub(crate) fn registered(&self) {
        until("a registration", || (self.api.count(REGISTER) > 0).then_some(()));
    }

    /// Waits until it asks for the next event: it has done what the one before called for.
    pub(crate) fn asks_for_next(&self) {
        until("a wish for the next event", || (self.wishes() > self.told).then_some(()));
    }

    /// Lets the next event happen, and waits until it is done with it.
    pub(crate) fn tell(&mut self) {
        self.asks_for_next();
        self.let_happen();
        self.asks_for_next();
    }

    /// Lets SHUTDOWN happen, and waits for the end.
    pub(crate) fn shut_down(&mut self) -> ExitStatus {
        self.asks_for_next();
        self.let_happen();
        self.ended()
    }

    fn let_happen(&mut self) {
        self.events.next().unwrap().open();
        self.told += 1;
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = self.process.ended(Duration::from_secs(30)).unwrap();
        status.unwrap_or_else(|| panic!("it did not end: {}", self.log()))
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// What it told the API at this path.
    pub(crate) fn reported(&self, path: &str) -> Vec<lockstep_testkit::fake::Seen> {
        let target = format!("/2020-01-01/extension/{path}");
        self.api.seen().into_iter().filter(|seen| seen.target == target).collect()
    }

    /// Its process.
    pub(crate) fn id(&mut self) -> rustix::process::Pid {
        let id = i32::try_from(self.process.child().id()).unwrap();
        rustix::process::Pid::from_raw(id).unwrap()
    }
}

impl Told {
    #[expect(clippy::disallowed_methods, reason = "an event of Lambda's has the time of Lambda")]
    fn answer(self, number: usize) -> Action {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = |left: Duration| u64::try_from((now + left).as_millis()).unwrap();
        let event = match self {
            Self::Invoke(left) => json!({
                "eventType": "INVOKE", "deadlineMs": at(left), "requestId": format!("invocation-{number}"),
                "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:story",
                "tracing": { "type": "X-Amzn-Trace-Id", "value": "Root=1-5f35ae12-0c0fec14" },
            }),
            // The deadline is written when the test begins; it must not be over when it is let happen.
            Self::Shutdown => json!({
                "eventType": "SHUTDOWN", "deadlineMs": at(Duration::from_mins(1)), "shutdownReason": "spindown",
            }),
            Self::Refused => {
                let refusal = json!({ "errorType": "Extension.UnknownExtensionIdentifier", "errorMessage": "no" });
                return Action::json(403, &refusal);
            }
        };
        Action::json(200, &event)
    }
}

/// The extension as it ships, or as it was built beside this test.
pub(crate) fn program() -> PathBuf {
    servers::extension().unwrap_or_else(|_| beside_this_test("lockstep-extension"))
}

/// A program of this workspace that was built with this test.
pub(crate) fn beside_this_test(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build -p {name}` first", path.display());
    path
}

fn log(folder: &tempfile::TempDir) -> std::fs::File {
    std::fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap()
}
