//! What the kernel says of a process: CPU time and memory, from `/proc`.

use std::fs;
use std::time::Duration;

use crate::failure::{Doing as _, Failure, Outcome};

/// CPU time of all threads of a process since its start. The kernel counts in ticks of 10 ms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// In its own code.
    pub(super) user: Duration,
    /// In the kernel for it.
    pub(super) system: Duration,
}

/// What a process has spent so far.
pub(super) fn cpu(pid: u32) -> Outcome<Cpu> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).doing(|| format!("can't read {path}"))?;
    let (user, system) = ticks(&text).ok_or_else(|| Failure::new(format!("{path} has another form")))?;
    let second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
    let time = |ticks| Duration::from_secs(1) * ticks / second;
    Ok(Cpu { user: time(user), system: time(system) })
}

/// Fields 14 and 15 (utime, stime). The second field is a name in brackets that may hold anything.
fn ticks(stat: &str) -> Option<(u32, u32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Resident memory in kB.
pub(super) fn resident(pid: u32) -> Outcome<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).doing(|| format!("can't read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let value = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|value| value.trim().parse().ok());
    value.ok_or_else(|| Failure::new(format!("{path} has no VmRSS")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b) c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 1000";
        assert_eq!(ticks(stat), Some((7, 5)));
        assert_eq!(ticks("42"), None);
    }

    #[test]
    fn this_very_process_has_memory() {
        assert!(resident(std::process::id()).unwrap() > 100);
        cpu(std::process::id()).unwrap();
    }
}
