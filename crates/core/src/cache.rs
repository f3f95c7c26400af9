//! The cache: what was fetched, under which spellings it is known, what was missed, and what is being fetched now.
//!
//! It holds no policy about time but each entry's own (`entry`), asks no provider and knows no principal. The resolver
//! decides what may be served; freshness says what a Change has superseded.

mod entry;
mod fence;
mod flight;
#[cfg(all(test, shuttle))]
mod model;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, UnitWeighter};

pub(crate) use self::entry::{EXPIRY_FLOOR, Entry, LeaseState, Superseded};
pub(crate) use self::fence::{Fence, Started};
pub(crate) use self::flight::{Flights, Leader, Role};
use crate::target::Target;
use crate::{Alias, CacheSettings, CanonicalId, Error, Moment, Result, Scope, SecretName, Selector};

/// Spellings remembered for each entry that the cache may hold: name, partial ARN, ARN, and one to spare.
const SPELLINGS_PER_ENTRY: usize = 4;
/// What an entry costs besides its bytes: keys, index and bookkeeping, generously.
const ENTRY_OVERHEAD: usize = 512;

/// A spelling that was asked for: the key of the index, of misses and of flights.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Spelling {
    pub alias: Alias,
    pub name: SecretName,
    pub selector: Selector,
}

/// A [`Spelling`] to look up, without one being made. It has the same fields in the same order, so it hashes alike.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Spelled<'a> {
    pub alias: &'a Alias,
    pub name: &'a SecretName,
    pub selector: &'a Selector,
}

impl<'a> From<&'a Spelling> for Spelled<'a> {
    fn from(Spelling { alias, name, selector }: &'a Spelling) -> Self {
        Self { alias, name, selector }
    }
}

impl From<Spelled<'_>> for Spelling {
    fn from(Spelled { alias, name, selector }: Spelled<'_>) -> Self {
        Self { alias: alias.clone(), name: name.clone(), selector: selector.clone() }
    }
}

impl Equivalent<Spelling> for Spelled<'_> {
    fn equivalent(&self, held: &Spelling) -> bool {
        *self.alias == held.alias && *self.name == held.name && *self.selector == held.selector
    }
}

/// What a fetch led to: everyone who waited for it gets the same.
pub(crate) type Outcome = Result<Arc<Entry>>;

/// What an entry is stored under: every field that makes two answers different. The scope carries provider, endpoint,
/// account, region, identity, namespace, mount, environment and transform; `Hash` and `Eq` look at each field on its
/// own, so no two keys can run into each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub alias: Alias,
    pub id: CanonicalId,
    pub selector: Selector,
    /// Of all that stands above, taken once: a hit would spend more on it than on anything else.
    hash: u64,
}

impl Key {
    fn new(state: &RandomState, alias: Alias, id: CanonicalId, selector: Selector) -> Self {
        let hash = state.hash_one((&alias, &id, &selector));
        Self { alias, id, selector, hash }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A remembered NotFound, or a replica that lags.
#[derive(Debug, Clone)]
pub(crate) struct Miss {
    pub error: Error,
    pub at: Moment,
    /// How long it is remembered.
    pub lasts: Duration,
    /// Whose secret was missed, so that a Change of it ends the miss.
    pub scope: Scope,
}

/// A map bounded by its number of items. Names come from callers, so the hash is keyed and strong.
type Counted<K, V> = Store<K, V, UnitWeighter, RandomState, DefaultLifecycle<K, V>>;

/// The bounded maps. Both bounds, entries and bytes, hold before an insert.
pub(crate) struct Cache {
    spellings: Counted<Spelling, Arc<Key>>,
    entries: Store<Arc<Key>, Arc<Entry>, Weigher, RandomState, Evicted>,
    misses: Counted<Spelling, Arc<Miss>>,
    /// For the hash that a [`Key`] keeps.
    keyed: RandomState,
    max_bytes: usize,
    bytes: Arc<AtomicUsize>,
    evicted: Evicted,
    pub(crate) fence: Fence,
    pub(crate) flights: Flights<Spelling, Outcome>,
}

/// Each entry weighs its bytes, and at least its share of the whole: so one bound keeps both.
#[derive(Clone)]
struct Weigher {
    share: u64,
}

impl quick_cache::Weighter<Arc<Key>, Arc<Entry>> for Weigher {
    fn weight(&self, _key: &Arc<Key>, entry: &Arc<Entry>) -> u64 {
        (entry.size as u64).max(self.share)
    }
}

/// An entry whose lease is to be revoked, and whose provider does it.
pub(crate) type Leased = (Alias, Arc<Entry>);

/// Keeps leased entries that fell out, so that their leases are revoked, and counts bytes down.
#[derive(Clone)]
struct Evicted {
    leased: Arc<Mutex<Vec<Leased>>>,
    bytes: Arc<AtomicUsize>,
}

impl Evicted {
    fn take_out(&self, key: &Key, entry: Arc<Entry>) {
        self.bytes.fetch_sub(entry.size, Ordering::Relaxed);
        if entry.secret.lease.is_some() {
            self.leased.lock().unwrap_or_else(PoisonError::into_inner).push((key.alias.clone(), entry));
        }
    }
}

impl Lifecycle<Arc<Key>, Arc<Entry>> for Evicted {
    type RequestState = ();

    fn on_evict(&self, _state: &mut Self::RequestState, key: Arc<Key>, entry: Arc<Entry>) {
        self.take_out(&key, entry);
    }
}

impl Cache {
    pub(crate) fn new(settings: &CacheSettings) -> Self {
        let max_entries = settings.max_entries.max(1);
        let share = (settings.max_bytes / max_entries).max(1) as u64;
        let bytes = Arc::new(AtomicUsize::new(0));
        let evicted = Evicted { leased: Arc::default(), bytes: bytes.clone() };
        Self {
            spellings: counted(max_entries.saturating_mul(SPELLINGS_PER_ENTRY)),
            entries: Store::with_options(
                one_shard(max_entries, share * max_entries as u64),
                Weigher { share },
                RandomState::new(),
                evicted.clone(),
            ),
            misses: counted(max_entries),
            keyed: RandomState::new(),
            max_bytes: usize::try_from(share).unwrap_or(usize::MAX).saturating_mul(max_entries),
            bytes,
            evicted,
            fence: Fence::default(),
            flights: Flights::default(),
        }
    }

    /// What is held under this spelling.
    pub(crate) fn get(&self, spelled: Spelled<'_>) -> Option<Arc<Entry>> {
        let key = self.spellings.get(&spelled)?;
        self.entries.get(&key)
    }

    /// Keeps an entry and learns its spelling, unless one is held, under this spelling or another, whose fetch began
    /// later. One that is larger than the whole cache is not kept: it would empty it.
    pub(crate) fn insert(&self, spelling: Spelling, entry: Arc<Entry>) {
        self.misses.remove(&spelling);
        if self.get((&spelling).into()).is_some_and(|held| held.began_after(&entry)) {
            return;
        }
        let (alias, id, selector) = (spelling.alias.clone(), entry.secret.id.clone(), spelling.selector.clone());
        let key = Arc::new(Key::new(&self.keyed, alias, id, selector));
        if self.entries.get(&key).is_some_and(|held| held.began_after(&entry)) {
            self.spellings.insert(spelling, key);
            return;
        }
        if entry.size > self.max_bytes {
            tracing::warn!(name = %spelling.name, bytes = entry.size, "larger than the whole cache; raise cache.max_bytes to keep it");
            self.remove(&spelling);
            return;
        }
        self.bytes.fetch_add(entry.size, Ordering::Relaxed);
        self.remove_entry(&key);
        self.entries.insert(key.clone(), entry);
        self.spellings.insert(spelling, key);
    }

    /// Drops what is held under this spelling.
    pub(crate) fn remove(&self, spelling: &Spelling) {
        if let Some((_, key)) = self.spellings.remove(spelling) {
            self.remove_entry(&key);
        }
    }

    /// Drops one entry under all its spellings.
    pub(crate) fn remove_entry(&self, key: &Arc<Key>) {
        if let Some((key, entry)) = self.entries.remove(key) {
            self.evicted.take_out(&key, entry);
        }
    }

    /// Drops every entry that fits, and the misses of the same names. Says how many entries went. A lease is in
    /// somebody's hands: only what names it ends it.
    pub(crate) fn remove_matching(&self, target: &Target, may: impl Fn(&SecretName) -> bool) -> usize {
        let fits = |key: &Key, entry: &Entry| {
            (entry.lease.is_none() || target.names_one())
                && target.matches(&key.alias, &entry.secret, None)
                && may(&entry.secret.name)
        };
        let matching: Vec<_> = self.entries.iter().filter(|(key, entry)| fits(key, entry)).collect();
        for (key, _) in &matching {
            self.remove_entry(key);
        }
        self.forget_misses(target);
        matching.len()
    }

    /// Ends the misses that a Change or an invalidation is about.
    pub(crate) fn forget_misses(&self, target: &Target) {
        let gone: Vec<_> = self
            .misses
            .iter()
            .filter(|(spelling, miss)| target.matches_name(&spelling.alias, &miss.scope, &[spelling.name.as_str()]))
            .map(|(spelling, _)| spelling)
            .collect();
        for spelling in gone {
            self.misses.remove(&spelling);
        }
    }

    /// Every entry, for a Change to look at.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Arc<Key>, Arc<Entry>)> + '_ {
        self.entries.iter()
    }

    pub(crate) fn miss(&self, spelled: Spelled<'_>) -> Option<Arc<Miss>> {
        if self.misses.is_empty() { None } else { self.misses.get(&spelled) }
    }

    pub(crate) fn remember_miss(&self, spelling: Spelling, miss: Miss) {
        self.misses.insert(spelling, Arc::new(miss));
    }

    /// Whether a leased entry fell out.
    pub(crate) fn has_evicted_leases(&self) -> bool {
        !self.evicted.leased.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Leased entries that fell out since the last time.
    pub(crate) fn take_evicted_leases(&self) -> Vec<Leased> {
        std::mem::take(&mut *self.evicted.leased.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops everything. Leases end up among the evicted.
    pub(crate) fn clear(&self) {
        for (key, _) in self.entries.iter() {
            self.remove_entry(&key);
        }
        self.misses.clear();
        self.spellings.clear();
    }

    /// Entries and bytes held.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes.load(Ordering::Relaxed))
    }
}

fn counted<K: Eq + Hash + Clone, V: Clone>(items: usize) -> Counted<K, V> {
    Store::with_options(one_shard(items, items as u64), UnitWeighter, RandomState::new(), DefaultLifecycle::default())
}

/// One shard: with several, one would be full while the whole is not.
fn one_shard(items: usize, weight: u64) -> quick_cache::Options {
    OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(items)
        .weight_capacity(weight)
        .build()
        .unwrap_or_else(|_| unreachable!("both capacities are set"))
}

/// Bytes that an entry stands for in the cache's bound, what a surface will write of it included.
pub(crate) fn entry_size(secret: &crate::Secret) -> usize {
    let attributes: usize = secret.attributes.values().map(|value| value.len() + 32).sum();
    let rendition = 2 * secret.payload.size() + crate::rendition::RENDITION_MARGIN;
    ENTRY_OVERHEAD
        + rendition
        + secret.payload.size()
        + secret.name.as_str().len()
        + 2 * secret.id.name.as_str().len()
        + attributes
}
