//! `bench hit`: what a cached read costs, in our extension, in a bare server and in AWS's agent, side by side.
//!
//! One machine, one run, alternating rounds: noise hits all three alike, and only ratios and CPU time are held against
//! the bars. Throughput and latency of a shared machine say nothing and are not printed.

mod beside;
mod contender;
mod lambda;
mod load;
mod proc;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::beside::Beside;
use self::contender::{Contender, Kind};
use self::load::{Load, What};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::servers::{Starting, moto_server};
use crate::tools::{self, Cache};
use crate::workspace::{Workspace, X86_64, now};
use crate::{process::get, size};

/// How many secrets each contender holds.
const SECRETS: usize = 1000;

/// Rounds of each contender. The cheapest counts: what else runs on the machine only ever adds.
const ROUNDS: usize = 6;

/// Open connections: one caller, and a busy function.
const CONNECTIONS: [u32; 2] = [1, 16];

/// Starts of each contender.
const STARTS: usize = 15;

/// What was measured of one contender.
#[derive(Debug, Default)]
struct Measured {
    /// CPU µs per request of each round, per entry of `CONNECTIONS`.
    cpu: [Vec<f64>; CONNECTIONS.len()],
    /// The part of it that is not the kernel's.
    user: [Vec<f64>; CONNECTIONS.len()],
    /// Resident kB with every secret cached, after the load.
    resident: u64,
    /// Milliseconds from the start to the first answer.
    start: Vec<f64>,
}

/// Builds, runs and prints; a missed bar is a failure.
pub(crate) fn hit(workspace: &Workspace) -> Outcome {
    let cache = Cache::open()?;
    let wrk = tools::wrk(&cache)?;
    let python = tools::aws(&cache)?.program();
    let agent = tools::agent(workspace, &cache)?;
    let extension = size::extension(workspace, X86_64)?;
    let bare = {
        size::release(workspace, X86_64, &["--package", "lockstep-xtask", "--example", "bare"])?;
        workspace.target().join(X86_64).join("release/examples/bare")
    };
    let folder = workspace.scratch("bench")?;
    let mut moto = Starting::new("moto", &folder, "/moto-api/", |port| moto_server(&python, port, None))?;
    let upstream = moto.ready()?;
    println!("making {SECRETS} secrets");
    let seed = ["-c", include_str!("../python/secrets.py"), &upstream, &SECRETS.to_string()];
    process::run(Command::new(&python).args(seed))?;
    let lambda = lambda::RuntimeApi::start()?;

    let ours = |full| Kind::Extension { program: extension.clone(), runtime_api: lambda.address(), full };
    let kinds = [ours(false), Kind::Bare { program: bare.clone() }, Kind::Agent { program: agent }];
    let mut measured: Vec<Measured> = kinds.iter().map(|_| Measured::default()).collect();

    println!("starting each {STARTS} times");
    let mut empty = Vec::new();
    for _ in 0..STARTS {
        empty.push(empty_process(&bare)?);
        for (kind, measured) in kinds.iter().zip(&mut measured) {
            measured.start.push(first_answer(kind, &folder, &upstream)?);
        }
    }

    println!("filling the caches");
    let contenders: Vec<Contender> =
        kinds.iter().map(|kind| Contender::start(kind, &folder, &upstream)).collect::<Outcome<_>>()?;
    contenders.iter().try_for_each(|contender| contender.fill(SECRETS))?;
    let load = Load { wrk: &wrk, duration: Duration::from_secs(2) };
    for round in 1..=ROUNDS {
        println!("round {round} of {ROUNDS}");
        for (at, connections) in CONNECTIONS.into_iter().enumerate() {
            // Each is first in turn: what comes first finds another machine than what comes last.
            for turn in 0..contenders.len() {
                let who = (turn + round) % contenders.len();
                let (contender, measured) = (&contenders[who], &mut measured[who]);
                let before = proc::cpu(contender.pid())?;
                let requests = load.press(contender, connections, What::Drop)?;
                let after = proc::cpu(contender.pid())?;
                let user = after.user.saturating_sub(before.user).as_secs_f64() * 1e6 / requests;
                let system = after.system.saturating_sub(before.system).as_secs_f64() * 1e6 / requests;
                measured.cpu[at].push(user + system);
                measured.user[at].push(user);
            }
        }
    }
    for (contender, measured) in contenders.iter().zip(&mut measured) {
        measured.resident = proc::resident(contender.pid())?;
    }
    println!("audit in full, and a batch");
    let full = Contender::start(&ours(true), &folder, &upstream)?;
    full.fill(SECRETS)?;
    let beside = beside::measure(&load, &contenders[0], &full, &folder)?;
    report(&kinds, &measured, &beside, median(&empty))
}

/// Milliseconds until a process that does nothing has come and gone.
fn empty_process(bare: &Path) -> Outcome<f64> {
    let started = now();
    process::run(Command::new(bare).arg("nothing"))?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// Milliseconds from the start of a process to its first answer.
fn first_answer(kind: &Kind, folder: &Path, upstream: &str) -> Outcome<f64> {
    let started = now();
    let mut contender = Contender::spawn(kind, folder, upstream)?;
    while started.elapsed() < Duration::from_secs(20) && !contender.ended() {
        if get(contender.port(), "/ping", "").is_some_and(|answer| answer.status == 200) {
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    let log = folder.join(format!("{}.log", kind.name()));
    let said = fs::read_to_string(&log).at("read", &log)?;
    Err(Failure::new(format!("{} did not answer /ping; it said:\n{said}", kind.name())))
}

fn report(kinds: &[Kind], measured: &[Measured], beside: &Beside, empty: f64) -> Outcome {
    println!(
        "\nCPU in us per request (of it in user space), RSS in kB with {SECRETS} secrets, ms to the first answer:"
    );
    println!("{:<12} {:>16} {:>16} {:>8} {:>8}", "", "c=1", "c=16", "RSS", "start");
    for (kind, measured) in kinds.iter().zip(measured) {
        let cpu = |at: usize| format!("{:.2} ({:.2})", best(&measured.cpu[at]), best(&measured.user[at]));
        let start = median(&measured.start);
        println!("{:<12} {:>16} {:>16} {:>8} {start:>8.2}", kind.name(), cpu(0), cpu(1), measured.resident);
    }
    println!("{:<12} {:>51.2}", "(empty)", empty);
    println!(
        "c=1: {:.2} with audit.hits = full, {:.2} by the native API, {:.2} a batch of 20",
        beside.full, beside.native, beside.batch
    );
    let [ours, bare, agent] = measured else {
        return Err(Failure::new("three contenders were expected"));
    };
    let mut ratios = Vec::new();
    for (at, connections) in CONNECTIONS.into_iter().enumerate() {
        let ours = best(&ours.cpu[at]);
        ratios.push((format!("CPU of the agent's, c={connections}"), ours / best(&agent.cpu[at]), 0.75));
        ratios.push((format!("CPU of a bare server's, c={connections}"), ours / best(&bare.cpu[at]), 1.10));
    }
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
    ratios.push(("RSS of the agent's".to_owned(), ours.resident as f64 / agent.resident as f64, 1.0 / 3.0));
    ratios.push(("CPU of one native read's, a batch of 20".to_owned(), beside.batch / beside.native, 2.0));
    ratios.push(("ms to the first answer over an empty process".to_owned(), median(&ours.start) - empty, 5.0));
    println!();
    let mut missed = 0;
    for (what, value, bar) in ratios {
        let held = value <= bar;
        missed += usize::from(!held);
        println!("{} {value:>6.2} (bar {bar:.2})  {what}", if held { "ok    " } else { "MISSED" });
    }
    if missed == 0 { Ok(()) } else { Err(Failure::new(format!("{missed} bars missed"))) }
}

fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_round_counts() {
        assert!((best(&[3.0, 900.0, 1.0]) - 1.0).abs() < f64::EPSILON);
        assert!(best(&[]).is_nan());
    }

    #[test]
    fn the_median_does_not_follow_one_bad_round() {
        assert!((median(&[3.0, 900.0, 1.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
