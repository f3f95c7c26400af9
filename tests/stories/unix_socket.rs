//! The endpoint on a Unix socket: who may open it, who needs a token, and what is left of it (L5).

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use lockstep_stories::{Lockstep, TOKEN, binary, until};
use lockstep_testkit::servers::Running;

fn config(users: &str) -> String {
    format!(
        "[listen]\nunix_socket = \"lockstep.sock\"\nsocket_users = {users}\n[providers.m]\ntype = \"mock\"\n\
         [providers.m.secrets.plain]\nversions = [\"text\"]\n"
    )
}

/// Serves on a socket and asks once without and once with the token.
fn ask(users: &str) -> [u16; 2] {
    let home = Lockstep::new(config(users).as_str(), &[]);
    let path = home.folder().join("lockstep.sock");
    let mut command = Command::new(binary());
    command.arg("serve").current_dir(home.folder()).env_clear().env("AWS_TOKEN", TOKEN);
    let mut server = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())).unwrap();
    until("the socket", || path.exists().then_some(()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let statuses = ["", TOKEN].map(|token| {
        let mut stream = until("a connection", || UnixStream::connect(&path).ok());
        let header = if token.is_empty() { String::new() } else { format!("x-vault-token: {token}\r\n") };
        let head = "GET /api/v1/secrets/plain HTTP/1.1\r\nhost: localhost\r\nconnection: close";
        stream.write_all(format!("{head}\r\n{header}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    });
    let id = i32::try_from(server.child().id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(server.ended(Duration::from_secs(30)).unwrap().unwrap().success());
    assert!(!path.exists(), "the socket is left behind");
    statuses
}

// Break: the mode in `Socket::unix`, or `socket_users` in the guard.
#[test]
fn l5_a_unix_socket_is_for_its_owner_and_only_listed_users_need_no_token() {
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(ask("[]"), [403, 200]);
    assert_eq!(ask(&format!("[{own}]")), [200, 200]);
    assert_eq!(ask(&format!("[{}]", own + 1)), [403, 200]);
}
