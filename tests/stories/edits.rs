//! The file provider: who may read the file, and what an edit does.

use std::os::unix::fs::PermissionsExt as _;

use lockstep_stories::{Lockstep, until};

const CONFIG: &str = "[freshness]\njournal = \"memory://\"\nmax_staleness = \"200ms\"\n[cache]\nttl_with_journal = \"24h\"\n\
                      [providers.file]\ntype = \"file\"\npath = \"secrets.yaml\"\npoll = \"20ms\"\n";

fn chmod(lockstep: &Lockstep, mode: u32) {
    let path = lockstep.folder().join("secrets.yaml");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

// Break: the check of `mode & 0o077` in the file provider.
#[test]
fn a_file_that_others_may_read_is_refused_with_the_command_that_helps() {
    for mode in [0o640, 0o604, 0o644, 0o660, 0o666] {
        let lockstep = Lockstep::new(CONFIG, &[]);
        lockstep.file("secrets.yaml", "db/creds: canary-0a1b\n");
        chmod(&lockstep, mode);
        let output = lockstep.try_start().expect_err("it must not start");
        assert_eq!(output.code, Some(2), "{mode:o}: {output:?}");
        assert!(output.stderr.contains("chmod 600") && !output.stderr.contains("canary-0a1b"), "{output:?}");
    }
}

// Break: the same check, for `insecure_permissions = true`.
#[test]
fn a_file_that_others_may_read_is_taken_when_the_configuration_says_so_and_the_log_warns() {
    let lockstep = Lockstep::new(format!("{CONFIG}insecure_permissions = true\n").as_str(), &[]);
    lockstep.file("secrets.yaml", "db/creds: value\n");
    chmod(&lockstep, 0o644);
    let running = lockstep.start();
    assert_eq!(running.value("db/creds"), "value");
    assert!(running.stop().stderr.contains("insecure"));
}

// Break: leave the file's watch out of `Watch::tasks`: the TTL is a day.
#[test]
fn an_edit_changes_the_answer_without_a_restart() {
    let lockstep = Lockstep::new(CONFIG, &[]);
    lockstep.file("secrets.yaml", "db/creds: first value\nother: untouched\n");
    let running = lockstep.start();
    assert_eq!(running.value("db/creds"), "first value");
    assert_eq!(running.get("/api/v1/secrets/db/creds").header("cache-status"), "lockstep; hit");
    assert_eq!(running.value("other"), "untouched");

    running.home().file("secrets.yaml", "db/creds: second value\nother: untouched\n");
    until("the second value", || (running.value("db/creds") == "second value").then_some(()));
    assert_eq!(running.value("other"), "untouched");
    // What is gone from the file is gone.
    running.home().file("secrets.yaml", "other: untouched\n");
    until("the end of the secret", || (running.get("/api/v1/secrets/db/creds").status == 404).then_some(()));
    // A broken edit is told, and the last good content is served on.
    running.home().file("secrets.yaml", "other: [canary-0a1b\n");
    running.until_said("the last good one is served on");
    assert_eq!(running.value("other"), "untouched");
    let output = running.stop();
    assert!(!output.stderr.contains("canary-0a1b"), "{}", output.stderr);
}
