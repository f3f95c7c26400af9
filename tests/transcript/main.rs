//! The transcript of AWS's agent, held against ours: the same bytes are sent to `lockstep serve` without a configuration
//! and to the Lambda extension, and every answer is the agent's, or stands in `differences.toml` with its reason.
//!
//! `cargo xtask transcript` asks the agent and writes `agent-3.1.2.json`.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it should be")]

mod differences;
mod recorded;
mod shared;
mod subject;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use lockstep_testkit::{require, servers};

use self::differences::{Differences, Ours};
use self::recorded::{Exchange, recorded};
use self::shared::script::{self, Upstream};
use self::shared::wire;
use self::shared::world::World;
use self::subject::{Kind, Subject};

/// An account of the shared imitation of AWS that no other test uses.
fn account() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("4{:07}{:04}", std::process::id() % 10_000_000, COUNT.fetch_add(1, Ordering::Relaxed) % 10_000)
}

/// Asks everything and compares. Gives what is wrong, one line each.
fn replay(moto: &str, kind: &Kind) -> Vec<String> {
    let moto = moto.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("http://127.0.0.1:PORT");
    let mut world = World::new(moto, &account()).unwrap();
    let subjects = Upstream::ALL.map(|upstream| (upstream, Subject::start(kind, upstream, moto, &world.login)));
    let listed = Differences::read();
    let recorded = recorded();
    let mut wrong = Vec::new();
    for request in script::requests().unwrap() {
        for call in &request.before {
            world.call(call).unwrap();
        }
        let (_, subject) = subjects.iter().find(|(upstream, _)| *upstream == request.upstream).unwrap();
        let fill = |text: &str| world.fill(text, subject.port()).unwrap();
        let headers: Vec<String> = request.headers.iter().map(|header| fill(header)).collect();
        let bytes = wire::request(&request.method, &fill(&request.target), &headers, &request.body);
        let name = &request.name;
        let mut answer = match wire::exchange(subject.port(), &bytes) {
            Ok(answer) => answer,
            Err(error) => {
                wrong.push(format!("\"{name}\": no answer: {error}"));
                continue;
            }
        };
        answer.body = world.normalise(&answer.body);
        let Some(agents) = recorded.iter().find(|exchange| exchange.name == *name) else {
            wrong.push(format!("\"{name}\" was never asked of the agent"));
            continue;
        };
        let found = Ours::of(agents, &answer);
        match listed.of(name, kind.word()) {
            Some(expected) if *expected == found => {}
            None if found == Ours::default() => {}
            Some(_) if found == Ours::default() => {
                wrong.push(format!("\"{name}\" is listed as a difference, and is none"));
            }
            expected => wrong.push(format!(
                "\"{name}\":\n  listed {expected:?}\n  found  {found:?}\n  agent  {} {}\n  ours   {} {}",
                agents.status, agents.body, answer.status, answer.body
            )),
        }
    }
    wrong
}

// Break: any status, text or `__type` of the AWS surface, or a line of `differences.toml`.
#[test]
fn transcript_of_the_agent_holds_against_serve() {
    let moto = require!(servers::moto());
    let wrong = replay(&moto, &Kind::Serve);
    assert!(wrong.is_empty(), "{} of the answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

// Break: the same.
#[test]
fn transcript_of_the_agent_holds_against_the_extension() {
    let moto = require!(servers::moto());
    let wrong = replay(&moto, &Kind::Extension(require!(servers::extension())));
    assert!(wrong.is_empty(), "{} of the answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

// Break: change a request of `requests.toml` without recording anew.
#[test]
fn transcript_is_of_the_requests_that_are_asked() {
    let asked: Vec<Exchange> = script::requests().unwrap().iter().map(Exchange::without_answer).collect();
    let recorded: Vec<Exchange> = recorded().iter().map(Exchange::asked).collect();
    assert_eq!(recorded, asked, "run `cargo xtask transcript`");
    let names: BTreeSet<&str> = asked.iter().map(|exchange| exchange.name.as_str()).collect();
    assert_eq!(names.len(), asked.len(), "two requests have one name");
    let (good, bad): (Vec<_>, Vec<_>) = recorded::recorded().into_iter().partition(|agents| agents.status == 200);
    assert!(good.len() >= 30 && bad.len() >= 30, "{} good, {} bad", good.len(), bad.len());
}

// Break: list a request that is not asked, list one twice, or leave a reason out.
#[test]
fn transcript_differences_each_name_a_request_and_a_reason() {
    let names: BTreeSet<String> = script::requests().unwrap().into_iter().map(|request| request.name).collect();
    let wrong = Differences::read().faults(&names);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
