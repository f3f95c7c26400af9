//! [`Bodies`]: what the bodies that have not ended yet hold, of all connections together and of one network's. Before its
//! body has ended nobody counts a request: without this, callers who never end theirs would hold as much as they can send,
//! and one of them alone could leave no room for others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockstep_core::network;

/// The bytes that are held, and how many may be.
#[derive(Debug)]
pub(super) struct Bodies {
    most: usize,
    most_of_one: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    of: HashMap<Box<str>, usize>,
}

impl Bodies {
    /// So many bytes in all, and so many of one network.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, held: Mutex::default() }
    }

    /// A body that begins, of a caller at this address; a Unix socket has none.
    pub(super) fn begin(&self, address: Option<&str>) -> Begun<'_> {
        Begun { all: self, of: address.map(network).unwrap_or_default(), held: 0 }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body holds until it has ended, however it ends.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    all: &'a Bodies,
    of: Box<str>,
    held: usize,
}

impl Begun<'_> {
    /// Whether there is room for so many bytes more.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let mut held = self.all.held();
        self.held += bytes;
        held.all += bytes;
        let all = held.all;
        let of_one = held.of.entry(self.of.clone()).or_default();
        *of_one += bytes;
        all <= self.all.most && *of_one <= self.all.most_of_one
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut held = self.all.held();
        held.all -= self.held;
        if let Some(of_one) = held.of.get_mut(&self.of) {
            *of_one -= self.held;
            if *of_one == 0 {
                held.of.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: `drop`, or one of the comparisons in `grow`.
    #[test]
    fn l8_what_unended_bodies_hold_is_bounded_and_comes_back() {
        let bodies = Bodies::new(10, 6);
        let (mut one, mut other) = (bodies.begin(Some("192.0.2.1:1")), bodies.begin(Some("192.0.2.2:1")));
        assert!(one.grow(6) && other.grow(4) && !other.grow(1), "ten in all");
        drop(other);
        assert!(!one.grow(1) && !bodies.begin(Some("192.0.2.1:2")).grow(1), "six of one");
        assert!(bodies.begin(Some("192.0.2.3:1")).grow(3));
        drop(one);
        assert!(bodies.begin(Some("192.0.2.1:3")).grow(6));
        assert!(bodies.begin(None).grow(6));
        assert!(bodies.held().of.is_empty());
    }
}
