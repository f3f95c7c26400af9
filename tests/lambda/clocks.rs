//! Clocks that lie, under libfaketime: the wall clock moves while the monotonic one goes on as if nothing had been.

use std::path::PathBuf;
use std::time::Duration;

use lockstep_stories::{Lockstep, Running, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::{require, servers};

use crate::sandbox::{Sandbox, Told};
use crate::secrets_manager;

/// A wall clock that is where its file says.
struct WallClock {
    library: PathBuf,
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl WallClock {
    fn new(library: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shift");
        std::fs::write(&file, "+0").unwrap();
        Self { library, folder, file }
    }

    /// What a dynamically linked program needs in order to see it.
    fn env(&self) -> [(&str, &str); 4] {
        [
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }

    /// Moves it to this far from the true time.
    fn shift(&self, offset: &str) {
        // Replaced, not rewritten: a half-written file is another time.
        let new = self.folder.path().join("new");
        std::fs::write(&new, offset).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

/// `lockstep serve` with such a clock.
struct Shifted {
    aws: Upstream,
    lockstep: Running,
    clock: WallClock,
}

impl Shifted {
    fn start(library: PathBuf, answers: Vec<Action>) -> Self {
        let clock = WallClock::new(library);
        let aws = Upstream::start();
        aws.on("POST /", answers);
        let url = aws.url();
        let mut env = vec![
            ("AWS_ENDPOINT_URL", &*url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "story"),
        ];
        env.extend(clock.env());
        let lockstep = Lockstep::serve(None, &env);
        Self { aws, lockstep, clock }
    }

    fn shift(&self, offset: &str) {
        self.clock.shift(offset);
    }

    /// Status and value, and how many calls the provider has seen by now.
    fn read(&self) -> (u16, String, usize) {
        let answer = self.lockstep.get("/secretsmanager/get?secretId=app");
        let value = if answer.status == 200 { answer.member("/SecretString") } else { String::new() };
        (answer.status, value, self.aws.count("POST /"))
    }
}

fn seen(status: u16, value: &str, calls: usize) -> (u16, String, usize) {
    (status, value.to_owned(), calls)
}

/// Break: take an age from the monotonic clock alone.
#[test]
fn c6_a_wall_clock_one_hour_ahead_expires_values_while_the_monotonic_clock_stands() {
    let library = require!(servers::faketime());
    let shifted = Shifted::start(library, vec![secrets_manager("one"), secrets_manager("two")]);
    assert_eq!(shifted.read(), seen(200, "one", 1));
    assert_eq!(shifted.read(), seen(200, "one", 1));
    // Two minutes are within the TTL of five, and before a refresh ahead of its end.
    shifted.shift("+2m");
    assert_eq!(shifted.read(), seen(200, "one", 1));
    shifted.shift("+1h");
    assert_eq!(shifted.read(), seen(200, "two", 2));
    assert_eq!(shifted.read(), seen(200, "two", 2));
}

/// Break: count an age across a setback as zero.
#[test]
fn c6_a_wall_clock_that_is_set_back_expires_what_was_read_before() {
    let library = require!(servers::faketime());
    let shifted = Shifted::start(library, vec![secrets_manager("one"), secrets_manager("two")]);
    assert_eq!(shifted.read(), seen(200, "one", 1));
    shifted.shift("-1h");
    assert_eq!(shifted.read(), seen(200, "two", 2));
    assert_eq!(shifted.read(), seen(200, "two", 2));
}

/// A remembered miss ends by both clocks too. Break: leave the wall clock out of `Moment::since`.
#[test]
fn c6_a_remembered_miss_ends_when_the_wall_clock_moves_either_way() {
    let library = require!(servers::faketime());
    let missing = Action::with_headers(
        400,
        &[("content-type", "application/x-amz-json-1.1")],
        r#"{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}"#,
    );
    let shifted = Shifted::start(library, vec![missing.clone(), missing, secrets_manager("made")]);
    assert_eq!(shifted.read(), seen(400, "", 1));
    assert_eq!(shifted.read(), seen(400, "", 1));
    shifted.shift("+1h");
    assert_eq!(shifted.read(), seen(400, "", 2));
    shifted.shift("-1h");
    assert_eq!(shifted.read(), seen(200, "made", 3));
}

/// A read is on its way when the sandbox is frozen, and its answer never comes. Whoever asks after the thaw does not wait
/// for it: its time limits count by a clock that may stand still. Break: leave `cancel` out of INVOKE.
#[test]
fn lambda_c6_what_a_freeze_cut_off_is_given_up_at_the_next_invoke() {
    let clock = WallClock::new(require!(servers::faketime()));
    let aws = Upstream::start();
    aws.on("POST /", [Action::stall(), secrets_manager("new")]);
    let url = aws.url();
    let mut env =
        vec![("AWS_ENDPOINT_URL", &*url), ("LOCKSTEP_PREFETCH", "app"), ("SECRETS_MANAGER_TIMEOUT_MILLIS", "600000")];
    env.extend(clock.env());
    let mut sandbox = Sandbox::start_dynamic(&env, &[Told::Invoke(Duration::from_secs(3)), Told::Shutdown]);
    sandbox.asks_for_next();
    until("a prefetch", || (aws.count("POST /") > 0).then_some(()));
    clock.shift("+1h");
    sandbox.tell();
    assert_eq!(sandbox.app(), "new");
    assert_eq!(aws.count("POST /"), 2);
    assert_eq!(sandbox.shut_down().code(), Some(0), "{}", sandbox.log());
}
