//! The orders in which threads may meet at the fence and at a flight, tried out by the model checker:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p lockstep-core --lib cache::model`.

use std::time::Duration;

use async_trait::async_trait;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::*;
use crate::sync::Arc as Shared;
use crate::{Clock, Invalidation, Payload, Secret, Timeline, Ttl, UnixMillis, Version};

/// How many schedules each model tries.
const SCHEDULES: usize = 20_000;

struct Standing;

#[async_trait]
impl Clock for Standing {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn wall(&self) -> UnixMillis {
        UnixMillis(1)
    }
    async fn sleep(&self, _duration: Duration) {}
}

fn spelling() -> Spelling {
    Spelling {
        alias: Alias::parse("vault").unwrap(),
        name: SecretName::parse("db").unwrap(),
        selector: Selector::Current,
    }
}

fn entry(version: u64) -> Arc<Entry> {
    let name = spelling().name;
    let mut secret = Secret::new(CanonicalId { scope: Scope::default(), name: name.clone() }, name, Payload::text("v"));
    secret.version = Some(Version::number(version));
    Arc::new(Entry {
        size: entry_size(&secret),
        tally: std::sync::OnceLock::new(),
        secret: Arc::new(secret),
        fetched: Timeline::new(Arc::new(Standing)).now(),
        ttl: Ttl::MAX,
        ttl_with_journal: Ttl::MAX,
        max_stale: Duration::ZERO,
        refresh_ahead: Duration::ZERO,
        unconfirmed: None,
        superseded: std::sync::OnceLock::new(),
        reported: std::sync::atomic::AtomicBool::new(false),
        last_report: Mutex::default(),
        refreshed: Mutex::default(),
        lease: None,
    })
}

/// C10. Break: give the lock back before `work()` in `Fence::unless_raised`.
#[test]
fn c10_no_order_of_fetch_and_invalidation_leaves_the_older_value() {
    shuttle::check_random(
        || {
            let cache = Shared::new(Cache::new(&CacheSettings::default()));
            let provider = Shared::new(AtomicU64::new(1));
            let name = Invalidation::Name(spelling().name);
            let fetches: Vec<_> = (0..2)
                .map(|_| {
                    let (cache, provider) = (cache.clone(), provider.clone());
                    shuttle::thread::spawn(move || {
                        let began = cache.fence.start();
                        let fetched = entry(provider.load(Ordering::SeqCst));
                        let fits = |target: &Target| target.matches(&spelling().alias, &fetched.secret, None);
                        cache.fence.unless_raised(began, fits, || {
                            shuttle::thread::yield_now();
                            cache.insert(spelling(), fetched.clone());
                        });
                    })
                })
                .collect();
            provider.store(2, Ordering::SeqCst);
            let target = Target::invalidation(None, &name);
            cache.fence.raise(target.clone());
            cache.remove_matching(&target, |_| true);
            for fetch in fetches {
                fetch.join().unwrap();
            }
            let held =
                cache.get((&spelling()).into()).and_then(|entry| entry.secret.version.as_ref().and_then(|v| v.order));
            assert_ne!(held, Some(1));
        },
        SCHEDULES,
    );
}

/// C7. Break: `Drop for Leader`, or listen after the map's lock is given back in `Flights::join`.
#[test]
fn c7_in_no_order_does_a_follower_wait_for_ever_or_a_second_leader_run_beside_the_first() {
    shuttle::check_random(
        || {
            let flights = Shared::new(Flights::<u8, usize>::default());
            let (under_way, fetched) = (Shared::new(AtomicUsize::new(0)), Shared::new(AtomicUsize::new(0)));
            let askers: Vec<_> = (0..3)
                .map(|asker| {
                    let (flights, under_way, fetched) = (flights.clone(), under_way.clone(), fetched.clone());
                    shuttle::thread::spawn(move || {
                        loop {
                            match flights.join(&1) {
                                Role::Leader(leader) => {
                                    assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                                    fetched.fetch_add(1, Ordering::SeqCst);
                                    under_way.fetch_sub(1, Ordering::SeqCst);
                                    // The first asker goes away when it leads, or has no time left: the same to a flight.
                                    if asker > 0 {
                                        leader.land(7);
                                    }
                                    return;
                                }
                                Role::Follower(follower) => match shuttle::future::block_on(follower.wait()) {
                                    Some(outcome) => return assert_eq!(outcome, 7),
                                    None => {}
                                },
                            }
                        }
                    })
                })
                .collect();
            for asker in askers {
                asker.join().unwrap();
            }
            assert!(fetched.load(Ordering::SeqCst) <= 3);
        },
        SCHEDULES,
    );
}
