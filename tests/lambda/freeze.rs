//! A freeze between two invocations: connections die meanwhile, and clocks may stand still.

use std::time::Duration;

use lockstep_stories::{Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::{require, servers};
use rustix::process::{Pid, Signal, kill_process};

use crate::function::{Asked, Front, Function};
use crate::sandbox::{Sandbox, Told};
use crate::secrets_manager;

const A_MOMENT: Told = Told::Invoke(Duration::from_secs(3));

/// Stops the process as Lambda does, does something meanwhile, and lets it go on.
fn frozen(id: Pid, meanwhile: impl FnOnce()) {
    kill_process(id, Signal::STOP).unwrap();
    until("the stop", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().starts_with('T').then_some(())
    });
    meanwhile();
    kill_process(id, Signal::CONT).unwrap();
}

/// The provider closes the idle connection while the extension is stopped. Break: keep closed connections in the pool,
/// and switch the retry off.
#[test]
fn lambda_a_connection_that_was_closed_during_a_freeze_is_not_seen_by_the_function() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one"), secrets_manager("two")]);
    let mut sandbox = Sandbox::start(&[("AWS_ENDPOINT_URL", &aws.url())], &[A_MOMENT, A_MOMENT, Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    sandbox.tell();
    frozen(sandbox.id(), || aws.drop_connections());
    sandbox.tell();
    let answer = sandbox.get("/secretsmanager/get?secretId=app&refreshNow=true");
    assert_eq!(answer.member("/SecretString"), "two", "{}", answer.text());
    assert_eq!((aws.count("POST /"), aws.connections()), (2, 2));
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// Nobody told of the connection's end: it is seen only when a request on it is cut off. That costs one retry. Break:
/// `attempts` of 1 in the upstream settings.
#[test]
fn lambda_a_connection_that_died_unseen_costs_one_retry_and_no_error() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one"), Action::close(), secrets_manager("two")]);
    let mut sandbox = Sandbox::start(&[("AWS_ENDPOINT_URL", &aws.url())], &[A_MOMENT, A_MOMENT, Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    sandbox.tell();
    frozen(sandbox.id(), || ());
    sandbox.tell();
    let answer = sandbox.get("/secretsmanager/get?secretId=app&refreshNow=true");
    assert_eq!(answer.member("/SecretString"), "two", "{}", answer.text());
    let connections: Vec<_> = aws.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1], "the old connection, and once more on a new one");
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// Both clocks of the sandbox may have stood still; the deadline of an INVOKE can't. Break: leave `at_least` out.
#[test]
fn lambda_c6_an_invoke_tells_how_late_it_is() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one"), secrets_manager("two")]);
    // Within the longest timeout of a function the deadline proves nothing; an hour later it does.
    let late = Told::Invoke(Duration::from_mins(75));
    let mut sandbox = Sandbox::start(&[("AWS_ENDPOINT_URL", &aws.url())], &[A_MOMENT, late, Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    sandbox.tell();
    assert_eq!(sandbox.app(), "one");
    sandbox.tell();
    assert_eq!(sandbox.app(), "two");
    assert_eq!(aws.count("POST /"), 2);
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// The endpoint as a function, over connections that were closed while it was stopped and over one that died unseen. Break:
/// keep closed connections in the pool, and `attempts` of 1 in the upstream settings.
#[test]
fn resolve_answers_over_connections_that_died_during_a_freeze() {
    let emulator = require!(servers::lambda_emulator());
    let aws = Upstream::start();
    let [one, two, three] = ["one", "two", "three"].map(secrets_manager);
    aws.on("POST /", [one, two, Action::close(), three]);
    let token = "token-of-the-callers-0123456789abcdef";
    let config = "[listen]\ntoken = { env = \"CALLERS\" }\n[cache]\nttl = 0\n\
                  [providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\n";
    let url = aws.url();
    let mut function = Function::deploy(
        &emulator,
        &[
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "story"),
            ("CALLERS", token),
            ("LOCKSTEP_CONFIG_CONTENT", config),
        ],
    );
    let read = |function: &Function| {
        let (status, secret) = function.ask(Front::Url, Asked::get("/api/v1/secrets/app", token));
        assert_eq!(status, 200, "{secret}\n{}", function.log());
        secret["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(read(&function), "one");
    frozen(function.id(), || aws.drop_connections());
    assert_eq!(read(&function), "two");
    frozen(function.id(), || ());
    assert_eq!(read(&function), "three");
    let connections: Vec<_> = aws.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 1, 2]);
}
