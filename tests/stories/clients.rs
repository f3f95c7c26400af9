//! The clients for TypeScript and Python, each where it runs, against `lockstep serve` and a provider by other hands: the
//! calls of `tests/conformance/calls.json`, which the conformance suite makes over plain HTTP.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockstep_conformance::calls;
use lockstep_stories::{Lockstep, Running, World, api_key};
use lockstep_testkit::{require, server_certificate, servers};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// An endpoint with logins before the seeds.
struct Endpoint {
    running: Running,
    world: World,
    key: String,
    url: String,
}

impl Endpoint {
    fn start(world: World, is_tls: bool) -> Self {
        let (key, section) = api_key("app");
        let tls = if is_tls { "tls = { cert_file = \"server.pem\", key_file = \"server.key\" }\n" } else { "" };
        let config = format!(
            "{}{}{section}[audit]\nsink = {{ file = \"audit.jsonl\" }}\n[listen]\n{tls}",
            world.providers(),
            world.policy(false)
        );
        let home = Lockstep::new(config.as_str(), &world.env());
        let (certificate, private) = server_certificate("localhost");
        home.file("server.pem", &certificate);
        home.file("server.key", &private);
        let running = home.start();
        let scheme = if is_tls { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", running.address.port());
        Self { running, world, key, url }
    }

    fn ca(&self) -> PathBuf {
        self.running.home().folder().join("server.pem")
    }

    /// Lets a runner make the calls, and looks at what came of each.
    fn hold(&self, runner: &mut Command, more: &Value) {
        let all = calls(&self.world.inputs(&self.url, &self.key)).unwrap();
        let told: Vec<&Value> = all.iter().map(|call| &call.told).collect();
        let mut input = json!({ "baseUrl": self.url, "credential": self.key, "calls": told });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let said = run(runner, &input.to_string());
        let outcomes: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(outcomes.len(), all.len(), "{said}");
        let wrong: Vec<_> = all.iter().zip(&outcomes).filter_map(|(call, came)| call.check(came).err()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        self.was_asked();
    }

    /// The endpoint itself has seen what leaves no trace in an answer.
    fn was_asked(&self) {
        let audit = std::fs::read_to_string(self.running.home().folder().join("audit.jsonl")).unwrap();
        let records: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for action in ["get", "list", "describe", "rotate", "invalidate"] {
            let is_it = |record: &&Value| record["action"] == action && record["principal"] == "key:app";
            assert!(records.iter().any(|record| is_it(&record)), "{action}");
        }
    }
}

/// Runs it to its end with this input: what it printed.
fn run(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}\n{said}\n{complained}", output.status);
    said.into_owned()
}

/// The TypeScript client as its compiler makes it, with every check of its settings on.
fn built(tools: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The files here are JavaScript's modules because a package says so.
    std::fs::copy(root().join("clients/typescript/package.json"), folder.path().join("package.json")).unwrap();
    let mut compiler = Command::new("node");
    compiler.arg(tools.join("node_modules/typescript/bin/tsc")).arg("--project");
    compiler.arg(root().join("clients/typescript")).arg("--outDir").arg(folder.path());
    run(&mut compiler, "");
    folder
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("tests/clients").join(script));
    command
}

/// The interpreter, and where the client is.
fn python(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.env("PYTHONPATH", root().join("clients/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Break: `name` in a query of the client, or a row of `KINDS` in errors.ts.
#[test]
fn the_typescript_client_passes_the_conformance_calls_in_node() {
    let (tools, world) = (require!(servers::client_tools()), require!(World::seed()));
    let (endpoint, client) = (Endpoint::start(world, true), built(&tools));
    let mut runner = node("node.mjs");
    runner.arg(client.path()).env("NODE_EXTRA_CA_CERTS", endpoint.ca());
    endpoint.hold(&mut runner, &json!({}));
}

/// Break: use what is of Node alone, such as `Buffer`, in the client.
#[test]
fn the_typescript_client_passes_the_conformance_calls_in_workerd() {
    let (tools, world) = (require!(servers::client_tools()), require!(World::seed()));
    let (endpoint, client) = (Endpoint::start(world, false), built(&tools));
    for is_bound in [false, true] {
        let mut runner = node("workerd.mjs");
        runner.arg(&tools).arg(client.path());
        endpoint.hold(&mut runner, &json!({ "binding": is_bound }));
    }
}

/// Break: `name` in a query of the client, or a row of `KINDS` in errors.py.
#[test]
fn the_python_client_passes_the_conformance_calls() {
    let (interpreter, world) = (require!(servers::python()), require!(World::seed()));
    let endpoint = Endpoint::start(world, true);
    let mut runner = python(&interpreter);
    endpoint.hold(runner.arg(root().join("tests/clients/run.py")), &json!({ "ca": endpoint.ca() }));
}

/// Tries, times, credentials, references, and that nothing prints a value. Break: as each of its tests says.
#[test]
fn m1_the_typescript_client_holds_against_an_endpoint_that_misbehaves() {
    let tools = require!(servers::client_tools());
    let client = built(&tools);
    let mut tests = Command::new("node");
    tests.arg("--test").env("LOCKSTEP_CLIENT_DIST", client.path());
    let folder = root().join("clients/typescript/test");
    let said = run(tests.args(["client.test.mjs", "references.test.mjs"].map(|file| folder.join(file))), "");
    assert!(said.contains("pass 18\n") && said.contains("skipped 0"), "{said}");
}

/// The same of Python's. Break: as each of its tests says.
#[test]
fn m1_the_python_client_holds_against_an_endpoint_that_misbehaves() {
    let interpreter = require!(servers::python());
    let mut tests = python(&interpreter);
    tests.args(["-W", "error", "-m", "unittest", "discover", "-s"]).arg(root().join("clients/python/tests"));
    run(&mut tests, "");
}

/// For the oldest Python that it is for. TypeScript's compiler is as strict, wherever the client is built. Break: leave an
/// `Optional` out.
#[test]
fn the_python_client_has_types_without_a_gap() {
    let interpreter = require!(servers::mypy_python());
    let cache = tempfile::tempdir().unwrap();
    let mut mypy = Command::new(interpreter);
    mypy.args(["-m", "mypy", "--strict", "--python-version", "3.9", "--cache-dir"]).arg(cache.path());
    run(mypy.arg(root().join("clients/python/src")), "");
}
