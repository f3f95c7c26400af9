//! Record, replay and dry run, as a person uses them: today with the provider, tomorrow without it.

use lockstep_stories::Lockstep;

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const CANARY: &str = "canary-0a1b-of-the-recording";
const FILE: &str = "[providers.file]\ntype = \"file\"\npath = \"secrets.yaml\"\n";
const RECORD: &str = "[providers.taped]\ntype = \"record\"\nof = \"file\"\nfile = \"trace.lockstep\"\n\
                      key = { env = \"RECORDING_KEY\" }\n";
const REPLAY: &str =
    "[providers.tape]\ntype = \"replay\"\nfile = \"trace.lockstep\"\nkey = { env = \"RECORDING_KEY\" }\n";

fn home(config: &str, key: &str) -> Lockstep {
    Lockstep::new(config, &[("RECORDING_KEY", key)])
}

// Break: leave the write out of `Record::keep`, or the value out of `SecretForm`.
#[test]
fn m1_what_a_server_has_recorded_a_command_replays_when_its_file_is_gone() {
    let lockstep = home(&format!("{FILE}{RECORD}[[routes]]\nmatch = \"**\"\nproviders = [\"taped\"]\n"), KEY);
    lockstep.file("secrets.yaml", &format!("db/creds:\n  password: {CANARY}\nother: second\n"));
    let running = lockstep.start();
    assert!(running.get("/api/v1/secrets/db/creds").text().contains(CANARY));
    assert_eq!(running.value("other"), "second");
    assert_eq!(running.get("/api/v1/secrets/none").status, 404);
    let recording = std::fs::read_to_string(running.home().folder().join("trace.lockstep")).unwrap();
    let output = running.stop();
    assert!(output.stderr.contains("`taped` is recorded"), "{}", output.stderr);
    assert!(!recording.contains("canary") && !output.stderr.contains(CANARY));

    // Elsewhere, with the recording alone.
    let elsewhere = home(REPLAY, KEY);
    elsewhere.file("trace.lockstep", &recording);
    for (reference, value) in [("db/creds#password", CANARY), ("other", "second")] {
        let output = elsewhere.run(&["get", reference, "--raw"]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), value), "{output:?}");
    }
    for (reference, said) in [("none", "no such secret"), ("never-asked", "the recording has no answer to this")] {
        let output = elsewhere.run(&["get", reference]);
        assert!(output.code == Some(1) && output.stderr.contains(said), "{output:?}");
    }

    let other_key = home(REPLAY, "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
    other_key.file("trace.lockstep", &recording);
    let output = other_key.run(&["get", "other"]);
    assert!(output.code == Some(1) && output.stderr.contains("sealed with another key"), "{output:?}");
    elsewhere.file("trace.lockstep", &recording[..recording.len() - 9]);
    let output = elsewhere.run(&["get", "other"]);
    assert!(output.code == Some(1) && output.stderr.contains("is cut off"), "{output:?}");
}

// Break: take any mode in `LocalFiles::append`.
#[test]
fn a_recording_that_others_may_open_is_not_written_and_no_read_fails_of_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let lockstep = home(&format!("{FILE}{RECORD}[[routes]]\nmatch = \"**\"\nproviders = [\"taped\"]\n"), KEY);
    lockstep.file("secrets.yaml", "a: first\n");
    lockstep.file("trace.lockstep", "");
    let trace = lockstep.folder().join("trace.lockstep");
    std::fs::set_permissions(&trace, std::fs::Permissions::from_mode(0o644)).unwrap();
    let running = lockstep.start();
    assert_eq!(running.value("a"), "first");
    running.until_said("chmod 600");
    assert_eq!(std::fs::read(&trace).unwrap(), b"");
    running.stop();
}

// Break: ask the inner provider in `DryRun::get`.
#[test]
fn m1_a_dry_run_answers_placeholders_and_logs_what_would_be_asked() {
    let dry = "[providers.dry]\ntype = \"dry-run\"\nof = \"file\"\n\
               [[providers.dry.placeholders]]\nmatch = \"db/*\"\ntext = '{\"password\": \"stand-in\"}'\n";
    let lockstep = home(&format!("{FILE}{dry}[[routes]]\nmatch = \"**\"\nproviders = [\"dry\"]\n"), KEY);
    lockstep.file("secrets.yaml", &format!("db/creds: {CANARY}\n"));
    let output = lockstep.run(&["-v", "get", "db/creds#password", "--raw"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "stand-in"), "{output:?}");
    assert!(output.stderr.contains("dry run: this would be asked") && output.stderr.contains("db/creds"), "{output:?}");
    assert!(!output.stderr.contains("stand-in") && !output.stderr.contains(CANARY), "{output:?}");
    let output = lockstep.run(&["get", "anything", "--raw"]);
    assert_eq!(output.stdout, "(dry run)");
}
