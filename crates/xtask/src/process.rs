//! Running other programs: to their end, with their output, or as a service that can't outlive this one.
//!
//! A service is started through this program itself (`leashed`): the child asks the kernel to kill it when its parent
//! dies, then becomes the service. So nothing stays behind after a Ctrl-C, a kill or a panic either.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::failure::{Doing as _, Failure, Outcome};
use crate::workspace::now;

/// Runs a program to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().doing(|| format!("can't run {}", shown(command)))?;
    succeeded(command, status)
}

/// Runs a program to its end and gives what it wrote on its standard output.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let output = command.stderr(Stdio::inherit()).output().doing(|| format!("can't run {}", shown(command)))?;
    succeeded(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program to its end, shows its standard output as it comes and gives it too, whatever the end.
pub(crate) fn tee(command: &mut Command) -> Outcome<(ExitStatus, String)> {
    let mut child = command.stdout(Stdio::piped()).spawn().doing(|| format!("can't run {}", shown(command)))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.doing(|| format!("can't read the output of {}", shown(command)))?;
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().doing(|| format!("can't wait for {}", shown(command)))?;
    Ok((status, text))
}

/// Runs a program quietly: all it says goes to the end of `log`, whose last lines stand in the failure.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Outcome {
    let open = || File::options().create(true).append(true).open(log).at("write", log);
    let status = command
        .stdin(Stdio::null())
        .stdout(open()?)
        .stderr(open()?)
        .status()
        .doing(|| format!("can't run {}", shown(command)))?;
    succeeded(command, status).map_err(|failure| Failure::new(format!("{failure}\n{}", last_lines(log))))
}

pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{} ended with {status}", shown(command)))) }
}

/// The program and its arguments, as a person would type them.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(20);
    format!("the last lines of {}:\n  {}", log.display(), lines[from..].join("\n  "))
}

/// A program that runs beside us, in a process group of its own; dropped, the whole group ends.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    name: String,
    log: PathBuf,
}

/// What a service is started from.
pub(crate) struct Recipe<'a> {
    /// How messages call it; its log is `NAME.log`.
    pub(crate) name: &'a str,
    /// Where its log goes and where it runs.
    pub(crate) folder: &'a Path,
    /// The path that answers 200 once it is ready.
    pub(crate) ready: &'a str,
    /// How long it may take until then.
    pub(crate) patience: Duration,
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: u32,
    pub(crate) group: u32,
}

impl Service {
    /// Starts a program that listens on the loopback port it is told, and waits for nothing.
    ///
    /// Call it from the main thread: the leash is held by the thread that starts the child.
    pub(crate) fn start(recipe: &Recipe<'_>, command: &Command) -> Outcome<Self> {
        Self::start_as(None, recipe, command)
    }

    /// [`start`](Self::start) as another user, who can look into the recipe's folder.
    pub(crate) fn start_as(user: Option<User>, recipe: &Recipe<'_>, command: &Command) -> Outcome<Self> {
        let log = recipe.folder.join(format!("{}.log", recipe.name));
        let open = || File::options().create(true).append(true).open(&log).at("write", &log);
        let mut leashed = Command::new("/proc/self/exe");
        leashed
            .arg("leashed")
            .arg(std::process::id().to_string())
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(recipe.folder)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .process_group(0);
        if let Some(user) = user {
            leashed.uid(user.id).gid(user.group);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leashed.env(name, value),
                None => leashed.env_remove(name),
            };
        }
        let child = leashed.spawn().doing(|| format!("can't start {}", recipe.name))?;
        Ok(Self { child, name: recipe.name.to_owned(), log })
    }

    /// Waits until `GET ready` on `port` answers 200.
    pub(crate) fn ready(&mut self, recipe: &Recipe<'_>, port: u16) -> Outcome {
        let answers = || get(port, recipe.ready, "").is_some_and(|answer| answer.status == 200);
        self.ready_when(recipe.patience, answers)
    }

    /// Waits until `ready` says so.
    pub(crate) fn ready_when(&mut self, patience: Duration, ready: impl Fn() -> bool) -> Outcome {
        let started = now();
        while started.elapsed() < patience {
            if ready() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let what = format!("{} ended with {status} before it was ready", self.name);
                return Err(Failure::new(format!("{what}\n{}", last_lines(&self.log))));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let what = format!("{} is not ready after {} s", self.name, patience.as_secs());
        Err(Failure::new(format!("{what}\n{}", last_lines(&self.log))))
    }

    /// Whether it has come to its end by itself.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// The process id. The leash becomes the service, so it is the service's own.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Gone already is as good.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        // What the leader left in its group goes too.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The hidden command `leashed PARENT PROGRAM ARGUMENTS…`: becomes PROGRAM, to be killed when PARENT dies.
pub(crate) fn leashed(arguments: &[OsString]) -> Outcome {
    let [parent, program, rest @ ..] = arguments else {
        return Err(Failure::new("leashed needs a parent's process id and a program"));
    };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::new(format!("can't bind {} to its parent: {error}", program.display())))?;
    // The parent may have died before the kernel knew.
    let here = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if here.as_deref().map(OsString::from).as_ref() != Some(parent) {
        return Err(Failure::new("the parent has gone"));
    }
    let error = Command::new(program).args(rest).exec();
    Err(Failure::new(format!("can't run {}: {error}", program.display())))
}

/// A loopback port that was free a moment ago, and the one after it free too.
pub(crate) fn free_port() -> Outcome<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    for _ in 0..50 {
        let first = bind(0).doing(|| "can't find a free port".to_owned())?;
        let port = first.local_addr().doing(|| "can't find a free port".to_owned())?.port();
        // A server that takes two ports (OpenBao's cluster port) takes this one and the next.
        if port < u16::MAX && bind(port + 1).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new("can't find two free loopback ports in a row"))
}

/// An HTTP answer, as much as a task needs of it.
pub(crate) struct Answer {
    pub(crate) status: u16,
}

/// One `GET` to loopback with `headers` (each ends with CRLF); `None` when nobody answers.
pub(crate) fn get(port: u16, path: &str, headers: &str) -> Option<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    let status = std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()?;
    // Drained, so that the server sees a clean end.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    Some(Answer { status })
}
