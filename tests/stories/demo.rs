//! The README's first command, as a newcomer runs it: a clean copy of the checkout, and Rust alone to build it with.
//!
//! The copy always has the same path, and what is compiled stays in this checkout's own target folder: the third-party
//! crates are compiled once, and ours when they were edited. What the copy's commands are linked to stays beside it, so
//! that the binaries that other tests start are not replaced under them.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lockstep_stories::until;
use lockstep_testkit::servers::skip_here;
use rustix::process::{Pid, Signal};

/// What Rust is, and what it links with: a C compiler, its assembler, linker and archiver.
const RUST: [&str; 6] = ["cargo", "rustc", "cc", "as", "ld", "ar"];

/// A clean machine: a copy of the checkout, and empty folders where programs leave things behind.
struct Machine {
    root: PathBuf,
}

impl Machine {
    fn new() -> Self {
        // The same path in every run: cargo compiles a crate anew for each path that it sees it at.
        let mut hasher = DefaultHasher::new();
        checkout().hash(&mut hasher);
        let machine = Self { root: std::env::temp_dir().join(format!("lockstep-demo-{:016x}", hasher.finish())) };
        let _ = fs::remove_dir_all(&machine.root);
        DirBuilder::new().mode(0o700).create(&machine.root).unwrap();
        for folder in ["bin", "home", "tmp"] {
            fs::create_dir(machine.root.join(folder)).unwrap();
        }
        for program in RUST {
            let found = on_path(program).unwrap_or_else(|| panic!("{program} is not on PATH"));
            symlink(found, machine.root.join("bin").join(program)).unwrap();
        }
        for file in checked_in() {
            let (from, to) = (checkout().join(&file), machine.root.join("clone").join(&file));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&from, &to).unwrap();
            // Cargo looks at the times of files: what was not edited here is not compiled again there.
            let edited = fs::metadata(&from).unwrap().modified().unwrap();
            fs::File::options().write(true).open(&to).unwrap().set_modified(edited).unwrap();
        }
        machine
    }

    /// `cargo xtask demo` in the copy, with what is here and nothing else.
    fn demo(&self) -> Command {
        let mut command = Command::new(self.root.join("bin/cargo"));
        command.args(["xtask", "demo"]).current_dir(self.root.join("clone")).env_clear().process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, folder) in [("PATH", "bin"), ("HOME", "home"), ("TMPDIR", "tmp"), ("CARGO_TARGET_DIR", "target")] {
            command.env(name, self.root.join(folder));
        }
        command.env("CARGO_BUILD_BUILD_DIR", target()).env("CARGO_NET_OFFLINE", "true");
        // Where Rust itself is: it was not installed for this home.
        for (name, below) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            command.env(name, std::env::home_dir().unwrap().join(below));
        }
        command.envs(
            std::env::vars_os().filter(|(name, _)| {
                ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_AUTO_INSTALL"].iter().any(|kept| name == *kept)
            }),
        );
        command
    }

    /// Everything in a folder of it, folders included.
    fn everything(&self, folder: &str) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut left = vec![self.root.join(folder)];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    left.push(entry.path());
                }
                found.insert(entry.path());
            }
        }
        found
    }

    /// The processes that were started with this machine's folder for temporary files.
    fn processes(&self) -> Vec<String> {
        let mark = format!("TMPDIR={}\0", self.root.join("tmp").display());
        let started_here = |folder: &Path| {
            let environment = fs::read(folder.join("environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|part| part == mark.as_bytes())
        };
        let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        all.filter(|folder| started_here(folder))
            .map(|folder| fs::read_to_string(folder.join("cmdline")).unwrap_or_default().replace('\0', " "))
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The demo and all that it started. The whole group ends with its test, in a panic too.
struct Group(Child);

impl Group {
    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process_group(id, signal)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The checkout that this test was built from.
fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder that this test was built into: it stands in `target/<profile>/deps`.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// What a clone of this checkout would hold if everything in it were committed now.
fn checked_in() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(checkout());
    let listed = git.output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.split_terminator('\0').map(PathBuf::from).filter(|file| checkout().join(file).is_file()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test is a host: it starts the machine's own programs")]
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// What the printed line answers, in a shell as it is.
fn pasted(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line} ended with {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

// Break: leave out `remove_dir_all` in the demo's `Folder` (cli, commands/dev.rs); `poll` in the demo's configuration
// there; in `demo` (xtask, demo.rs) run python3, or spawn a `sleep` in a process group of its own.
#[test]
fn cargo_xtask_demo_needs_rust_alone_follows_edits_and_leaves_nothing_behind() {
    if on_path("curl").is_none() {
        return skip_here("the printed line is a curl command, and there is no curl here");
    }
    let machine = Machine::new();
    let before = machine.everything("clone");

    let mut demo = Group(machine.demo().spawn().unwrap());
    let mut stderr = BufReader::new(demo.0.stderr.take().unwrap());
    let (mut said, mut file) = (String::new(), None);
    // It builds for a while. One that says nothing more is cut by the runner's own limit.
    while file.is_none() && stderr.read_line(&mut said).unwrap() > 0 {
        file = said.lines().last().and_then(|line| line.strip_prefix("edit:  ")).map(PathBuf::from);
    }
    let file = file.unwrap_or_else(|| panic!("the demo did not start:\n{said}"));
    let mut line = String::new();
    let mut stdout = BufReader::new(demo.0.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("curl ") && line.ends_with('\n'), "{line}");
    assert!(file.starts_with(machine.root.join("tmp")), "{}", file.display());

    assert!(pasted(&line).contains("correct horse battery staple"), "{}", pasted(&line));
    let secrets = fs::read_to_string(&file).unwrap();
    fs::write(&file, secrets.replace("correct horse", "another horse")).unwrap();
    until("the edited answer", || pasted(&line).contains("another horse battery staple").then_some(()));

    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    // As a terminal does: Ctrl-C is for everybody in front of it.
    demo.signal(Signal::INT).unwrap();
    let status = until("the end of the demo", || demo.0.try_wait().unwrap());
    until("the end of all that it started", || machine.processes().is_empty().then_some(()));
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(TcpStream::connect(address).is_err(), "something still listens on {address}");
    for folder in ["tmp", "home"] {
        assert_eq!(machine.everything(folder), BTreeSet::new(), "left behind");
    }
    assert_eq!(machine.everything("clone"), before);
}
