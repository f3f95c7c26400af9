//! The fleet simulator: many resolvers, each with clocks of its own, over one provider and one journal, in virtual
//! time. One thread and one queue of events: the same seed gives the same run.
//!
//! One seed alone, with a trace of names and versions: `FLEET_SEED=7 cargo nextest run -p lockstep-core --test fleet
//! --no-capture -E 'test(every_seed)'`. More seeds: `FLEET_SEEDS=20000`.

#![expect(clippy::disallowed_methods, reason = "the variables are this test's own")]
#![expect(clippy::print_stdout, reason = "the report of a run is printed")]
#![expect(clippy::unwrap_used, reason = "what a test sets up is there")]

mod engine;
mod journal;
mod oracle;
mod provider;
mod run;

use run::{Report, Switch, run};

/// Seeds of the gate.
const SEEDS: u64 = 1_000;
/// Rules that can be switched off from outside, and a seed that falls then.
const FALLS: &[(Switch, u64)] = &[
    (Switch::Gap, 220),
    (Switch::Epoch, 3),
    (Switch::FirstContact, 2),
    (Switch::Expectations, 1),
    (Switch::CheckInterval, 1),
    (Switch::EitherClock, 1),
    (Switch::CursorAfterApply, 1),
];
/// Seeds of the gate that break the promise with every rule on: the claim is open as long as one stands here. On 953 the
/// notifications of a deletion and of the first version after it are both lost, so the second one's number is the number
/// that is held; 779 is not explained (`tests/claims.toml`). Whoever mends one takes it out; another one that breaks fails the gate.
const OPEN: &[u64] = &[779, 953];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Break: `ago < settle * 2` in `Freshness::meet`, the age of an expectation in `Expectations::live`, `is_anew` in
/// `freshness::effect`, `began` in `Freshness::judge`, or `unread` in `Resolver::settle`.
#[test]
fn every_seed_but_those_that_are_open_keeps_the_promise() {
    if let Some(seed) = number("FLEET_SEED") {
        println!("{:?}", run(seed, None, true).unwrap());
        return;
    }
    let mut total = Report::default();
    for seed in 1..=number("FLEET_SEEDS").unwrap_or(SEEDS) {
        match run(seed, None, false) {
            Ok(report) => total.add(report),
            Err(broken) if OPEN.contains(&seed) => println!("OPEN: seed {seed}: {broken}"),
            Err(broken) => panic!("seed {seed}: {broken}; run it alone with FLEET_SEED={seed}"),
        }
    }
    total.print();
    assert!(total.superseded > 0 && total.rotations > 0, "nothing superseded was ever served: the runs show nothing");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(3, None, false).unwrap(), run(3, None, false).unwrap());
}

#[test]
fn what_is_open_is_still_broken() {
    for seed in OPEN {
        assert!(run(*seed, None, false).is_err(), "seed {seed} keeps the promise now: take it out of OPEN");
    }
}

/// Break: any switch, so that it changes nothing.
#[test]
fn each_rule_switched_off_breaks_the_promise() {
    for (switch, seed) in FALLS {
        assert!(run(*seed, None, false).is_ok(), "seed {seed} falls with every rule on");
        assert!(run(*seed, Some(*switch), false).is_err(), "seed {seed} does not need {switch:?}");
    }
}

/// Prints the first seed that falls for each switch: how the table was made.
#[test]
#[ignore = "a search, not a proof"]
fn find_falls() {
    for switch in Switch::ALL {
        let fallen = (1..=SEEDS).find_map(|seed| {
            let broken = run(seed, Some(switch), false).err()?;
            run(seed, None, false).is_ok().then_some((seed, broken))
        });
        println!("{switch:?}: {fallen:?}");
    }
}

/// Counts what falls among the seeds.
#[test]
#[ignore = "a search, not a proof"]
fn find_broken() {
    let fallen: Vec<_> =
        (1..=SEEDS).filter_map(|seed| run(seed, None, false).err().map(|broken| (seed, broken))).collect();
    for (seed, broken) in &fallen {
        println!("{seed}: {broken}");
    }
}
