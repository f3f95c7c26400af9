//! [`OsRandom`]: random bytes from the kernel.

use lockstep_core::Random;
use rustix::io::{Errno, Result};
use rustix::rand::{GetRandomFlags, getrandom};

/// The kernel's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl OsRandom {
    /// The kernel's random bytes.
    pub fn new() -> Self {
        Self
    }
}

impl Random for OsRandom {
    /// # Panics
    /// When the kernel gives no random bytes. A token made of zeros would be worse than no process at all.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(fill(bytes).is_ok(), "the kernel gives no random bytes (getrandom failed)");
    }
}

/// Fills all of it. The kernel may be interrupted, and gives at most 256 bytes at once that are sure to be whole.
pub(crate) fn fill(mut bytes: &mut [u8]) -> Result<()> {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: return from `fill` without filling.
    #[test]
    fn two_fills_differ_and_no_byte_stays_zero_forever() {
        let (mut first, mut second) = ([0_u8; 32], [0_u8; 32]);
        OsRandom::new().fill(&mut first);
        OsRandom::new().fill(&mut second);
        assert_ne!(first, second);
        assert_ne!(first, [0; 32]);
    }
}
