//! [`harden`]: what keeps the memory of this process out of files and other processes' hands.

use lockstep_core::{Error, ErrorKind, Result};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// No core dumps (`RLIMIT_CORE` is 0), and no reading of this process by others of the same user (`PR_SET_DUMPABLE` is
/// 0). Call it first in `main`, before a secret is read.
///
/// # Errors
/// `Internal` when the kernel refuses; the caller decides whether that ends the process.
pub fn harden() -> Result<()> {
    let refused = |what: &str, errno: rustix::io::Errno| {
        Error::new(ErrorKind::Internal, format!("the kernel does not allow to {what} ({errno})"))
    };
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).map_err(|errno| refused("switch core dumps off", errno))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| refused("hide this process's memory", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M2. Break: leave one of the two calls out.
    #[test]
    fn m2_no_core_dump_and_no_tracing_by_others() {
        harden().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Core).maximum, Some(0));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
