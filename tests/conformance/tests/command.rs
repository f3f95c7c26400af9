//! The command: what it needs, and that it can fail.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

fn run(arguments: &[&str], credential: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep-conformance"));
    command.env_clear().env("LOCKSTEP_CONFORMANCE_CREDENTIAL", credential).args(arguments).output().unwrap()
}

#[test]
fn it_says_what_is_missing() {
    let whole = ["http://127.0.0.1:1", "--prefix", "p", "--provider", "aws"];
    for (arguments, credential, missing) in [
        (&whole[..0], "c", "BASE_URL"),
        (&whole[..1], "c", "--prefix"),
        (&whole[..3], "c", "--provider"),
        (&whole[..], "", "LOCKSTEP_CONFORMANCE_CREDENTIAL"),
        (&["--what"][..], "c", "--what is not known"),
    ] {
        let output = run(arguments, credential);
        assert_eq!(output.status.code(), Some(2), "{missing}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(missing), "{output:?}");
    }
}

/// What answers 200 to everything is no endpoint. Break: a case that looks at nothing is listed as ok.
#[test]
fn what_agrees_with_everything_does_not_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 8192];
            let _ = stream.read(&mut head);
            let body = r#"{"value":"canary","secrets":[]}"#;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
                        x-content-type-options: nosniff\r\nx-request-id: x\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    let output = run(&[&url, "--prefix", "p", "--provider", "aws"], "c");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let held: Vec<_> = said.lines().filter(|line| line.starts_with("ok ")).collect();
    assert!(held.is_empty(), "{held:?}");
}

/// Break: give `Stop::Unanswered` to the list of differences, or leave `unknown` out of `run`.
#[test]
fn no_list_excuses_an_endpoint_that_does_not_answer_or_names_what_is_no_case() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Nobody listens there any more.
    drop(listener);
    let list = std::env::temp_dir().join(format!("lockstep-differences-{}", std::process::id()));
    std::fs::write(&list, "# why\nit lives, and says so to anybody = it sleeps\nno such case = none\n").unwrap();
    let path = list.to_str().unwrap();
    let output = run(&[&url, "--prefix", "p", "--provider", "aws", "--differs", path], "c");
    std::fs::remove_file(&list).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("FAILED   it lives, and says so to anybody"), "{said}");
    assert!(said.contains("there is none called \"no such case\""), "{said}");
    assert!(said.contains("0 ok, ") && said.contains(" 0 differ"), "{said}");
}
