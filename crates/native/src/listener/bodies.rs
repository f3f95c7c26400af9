//! [`Bodies`]: what the bodies that have not ended yet hold, of all connections together. Before its body has ended nobody
//! counts a request: without this, callers who never end theirs would hold as much as they can send.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that are held, and how many may be.
#[derive(Debug)]
pub(super) struct Bodies {
    most: usize,
    held: AtomicUsize,
}

impl Bodies {
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: AtomicUsize::new(0) }
    }

    /// A body that begins.
    pub(super) fn begin(&self) -> Begun<'_> {
        Begun { all: self, held: 0 }
    }
}

/// What one body holds until it has ended, however it ends.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    all: &'a Bodies,
    held: usize,
}

impl Begun<'_> {
    /// Whether there is room for so many bytes more.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.all.held.fetch_add(bytes, Ordering::Relaxed);
        self.held += bytes;
        before.saturating_add(bytes) <= self.all.most
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: `drop`, or the comparison in `grow`.
    #[test]
    fn l8_what_unended_bodies_hold_is_bounded_and_comes_back() {
        let bodies = Bodies::new(10);
        let (mut one, mut other) = (bodies.begin(), bodies.begin());
        assert!(one.grow(6) && other.grow(4) && !other.grow(1));
        drop(other);
        assert!(one.grow(4) && !bodies.begin().grow(1));
        drop(one);
        assert!(bodies.begin().grow(10));
    }
}
