//! [`OsRandom`]: random bytes from the kernel (`getrandom(2)`, as ring reads it).

use std::fmt;

use lockstep_core::Random;
use rustls::crypto::SecureRandom;

/// The kernel's random bytes.
#[derive(Clone, Copy)]
pub struct OsRandom(&'static dyn SecureRandom);

impl OsRandom {
    /// The kernel's random bytes.
    pub fn new() -> Self {
        Self(rustls::crypto::ring::default_provider().secure_random)
    }
}

impl Default for OsRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OsRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsRandom")
    }
}

impl Random for OsRandom {
    /// # Panics
    /// When the kernel gives no random bytes. A token made of zeros would be worse than no process at all.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(self.0.fill(bytes).is_ok(), "the kernel gives no random bytes (getrandom failed)");
    }
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
