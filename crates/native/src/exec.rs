//! [`LocalExec`]: programs of this machine, for credentials that another tool makes.
//!
//! There is no shell. A program has a process group of its own, and the group ends when its time is over, whatever it
//! has started. What it writes on its standard error goes nowhere: a tool may print what it was given.

use std::io;
use std::process::Stdio;

use async_trait::async_trait;
use lockstep_core::{Error, ErrorKind, Exec, Program, Result, SecretValue};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};
use zeroize::{Zeroize as _, Zeroizing};

/// Runs programs of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalExec;

#[async_trait]
impl Exec for LocalExec {
    #[expect(clippy::disallowed_methods, reason = "a program is outside, where no Clock reaches")]
    async fn run(&self, program: &Program) -> Result<SecretValue> {
        let mut command = Command::new(&*program.path);
        command
            .args(&program.arguments)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
        let group = Group(child.id());
        let ended = tokio::time::timeout(program.time, ended(&mut child, program)).await;
        // On every way out: what the program has left behind holds our pipe, at least.
        drop(group);
        ended.unwrap_or_else(|_| {
            let message = format!(
                "{} did not end within {} ms and was ended; run it by hand and look what it waits for",
                program.path.display(),
                program.time.as_millis()
            );
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }
}

/// Waits for the end of the output and of the program.
async fn ended(child: &mut Child, program: &Program) -> Result<SecretValue> {
    let output = match child.stdout.take() {
        Some(stdout) => output(stdout, program).await?,
        None => Zeroizing::default(),
    };
    let status = child.wait().await.map_err(|error| unread(program, &error))?;
    if !status.success() {
        let message = format!("{} failed ({status}); run it by hand to see what it says", program.path.display());
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    Ok(SecretValue::from(output.as_slice()))
}

/// All that it writes. The buffer never grows: one that does leaves its old block behind.
async fn output(mut stdout: ChildStdout, program: &Program) -> Result<Zeroizing<Vec<u8>>> {
    let mut output = Zeroizing::new(Vec::with_capacity(program.output_bytes));
    let mut piece = Zeroizing::new([0; 4096]);
    loop {
        let read = stdout.read(piece.as_mut_slice()).await.map_err(|error| unread(program, &error))?;
        if read == 0 {
            return Ok(output);
        }
        if read > program.output_bytes - output.len() {
            let message = format!("{} wrote more than {} bytes", program.path.display(), program.output_bytes);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        output.extend_from_slice(&piece[..read]);
        piece.zeroize();
    }
}

/// A process group that ends with this.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It is mostly gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn not_started(program: &Program, error: &io::Error) -> Error {
    let path = program.path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Error::new(ErrorKind::Config, format!("there is no program {path}; install it, or write its whole path"))
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Config, format!("the program {path} may not be run; look at its permissions"))
        }
        kind => Error::new(ErrorKind::Unavailable, format!("the program {path} can't be started ({kind})")),
    }
}

fn unread(program: &Program, error: &io::Error) -> Error {
    let message = format!("{} can't be read from ({})", program.path.display(), error.kind());
    Error::new(ErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn program(path: &Path) -> Program {
        Program {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            time: Duration::from_mins(1),
            output_bytes: 64,
        }
    }

    /// A script of this text; it stays as long as the folder does.
    fn script(folder: &tempfile::TempDir, text: &str) -> Program {
        let path = folder.path().join("plugin");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        program(&path)
    }

    #[tokio::test]
    async fn a_program_gets_its_arguments_and_variables_as_they_are_and_no_input() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = script(&folder, "read line; printf '%s|%s|%s' \"$1\" \"$EXTRA\" \"$line\"");
        program.arguments = vec!["a b; $(echo c)".into()];
        program.environment = vec![("EXTRA".into(), "x y".into())];
        let said = LocalExec.run(&program).await.unwrap();
        assert_eq!(said.expose_text(), Some("a b; $(echo c)|x y|"));
    }

    /// Break: the limit in `output`, the status in `ended`, or the mapping in `not_started`.
    #[tokio::test]
    async fn each_way_to_fail_says_its_kind_and_nothing_of_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_owned();
        for (text, kind) in [
            ("echo c4n4ry; echo c4n4ry >&2; exit 3", ErrorKind::Unavailable),
            ("while :; do echo c4n4ry; done", ErrorKind::TooLarge),
        ] {
            let error = LocalExec.run(&script(&folder, text)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
        for path in [dir.join("absent"), dir.clone()] {
            let error = LocalExec.run(&program(&path)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        }
        let mut shown = script(&folder, "");
        shown.arguments = vec!["c4n4ry".into()];
        shown.environment = vec![("A".into(), "c4n4ry".into())];
        assert!(!format!("{shown:?}").contains("c4n4ry"));
    }

    /// Break: `drop(group)`, or the timeout in `run`.
    #[tokio::test]
    async fn at_its_limit_a_program_ends_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        let mut program = script(&folder, &format!("sleep 600 & echo $! > {}; wait", mark.display()));
        program.time = Duration::from_millis(500);
        let error = LocalExec.run(&program).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let pid = std::fs::read_to_string(mark).unwrap();
        let state = format!("/proc/{}/stat", pid.trim());
        // A killed process may stand there as a zombie until somebody reaps it.
        for _ in 0..500 {
            let alive = std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z "));
            if !alive {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the child of the program still runs");
    }
}
