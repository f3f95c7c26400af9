//! [`Recent`]: a bounded map that forgets what was not asked for lately. It forgets half of itself at a time, so it needs no
//! order and no clock; it is for what costs something to find out again, and nothing else.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// What was put in lately, at most twice `most` of it.
///
/// ```
/// use lockstep_core::Recent;
/// let mut recent = Recent::new(1);
/// recent.put("a", 1);
/// recent.put("b", 2);
/// assert_eq!(recent.get("a"), Some(&1));
/// recent.put("c", 3);
/// assert_eq!(recent.get("a"), None);
/// ```
#[derive(Debug)]
pub struct Recent<K, V> {
    most: usize,
    now: HashMap<K, V>,
    /// What was there before `now` was begun.
    before: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Keeps the last `most` at least; at least one.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), now: HashMap::new(), before: HashMap::new() }
    }

    /// What was put in under this key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.now.get(key).or_else(|| self.before.get(key))
    }

    /// The same, to be changed; `None` also for what is about to be forgotten: put it in again.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.now.get_mut(key)
    }

    /// Puts something in.
    pub fn put(&mut self, key: K, value: V) {
        if self.now.len() >= self.most && !self.now.contains_key(&key) {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, value);
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.now.len() + self.before.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
