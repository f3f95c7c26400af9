//! [`Left`]: what tests leave behind. A process whose parent has ended becomes a child of ours, where it is seen: a server
//! that outlives its test takes memory and ports from whoever comes after it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::failure::{Doing as _, Failure, Outcome};
use crate::workspace::now;

/// How long what was killed may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Our children before any test.
pub(super) struct Left {
    before: BTreeSet<i32>,
}

/// A process, as the kernel tells of it.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: String,
    is_zombie: bool,
    group: i32,
}

impl Left {
    /// From now on, orphans are ours.
    pub(super) fn watch() -> Outcome<Self> {
        let taken = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        taken.map_err(io::Error::from).doing(|| "can't take in orphans".to_owned())?;
        Ok(Self { before: children() })
    }

    /// Fails with the names of what is left, and ends it.
    pub(super) fn none(&self) -> Outcome {
        let end = now() + PATIENCE;
        let left = loop {
            let left = self.left();
            if left.is_empty() || now() >= end {
                break left;
            }
            thread::sleep(PAUSE);
        };
        for (pid, _) in &left {
            if let Some(pid) = Pid::from_raw(*pid) {
                // It may have ended meanwhile.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        let names: Vec<&str> = left.iter().map(|(_, process)| process.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("tests have left processes behind: {}", names.join(", "))))
    }

    /// Each test has a group of its own; what we start ourselves meanwhile, such as a download, is in ours.
    fn left(&self) -> Vec<(i32, Process)> {
        let ours = rustix::process::getpgrp().as_raw_nonzero().get();
        let new = children().into_iter().filter(|pid| !self.before.contains(pid));
        let new = new.filter_map(|pid| Some((pid, process(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)));
        new.filter(|(_, process)| !process.is_zombie && process.group != ours).collect()
    }
}

/// Our children, whichever thread has started them.
fn children() -> BTreeSet<i32> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Of a line of `/proc/PID/stat`. The name may hold anything, brackets too.
fn process(stat: &str) -> Option<Process> {
    let (begin, rest) = stat.rsplit_once(')')?;
    let (_, name) = begin.split_once('(')?;
    let mut rest = rest.split_whitespace();
    let is_zombie = rest.next()? == "Z";
    let group = rest.nth(1)?.parse().ok()?;
    Some(Process { name: name.to_owned(), is_zombie, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let expected = |is_zombie| Some(Process { name: "a (b) c".to_owned(), is_zombie, group: 42 });
        assert_eq!(process("7 (a (b) c) S 1 42 42 0 -1"), expected(false));
        assert_eq!(process("7 (a (b) c) Z 1 42 42 0 -1"), expected(true));
        assert_eq!(process("7 (a"), None);
    }
}
