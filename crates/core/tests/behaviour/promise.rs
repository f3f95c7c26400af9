//! The promise itself, against chance: whatever comes in whatever order, no read answers a value for longer after its
//! Change than the bound allows, unless it says so.

use std::sync::Arc;

use lockstep_core::{CacheStatus, ChangeKind, OnOutage};

use crate::world::{BOUND, Build, SECOND, Versions, change, failing, value, wall};

const SEEDS: u64 = 150;
const STEPS: usize = 120;
const NAMES: [&str; 3] = ["a", "b", "c/d"];

/// The numbers of one run (xorshift): the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What the provider held, and since when the journal says that it is no longer current.
struct History {
    current: u64,
    /// For each version before the current one, when its successor's Change was appended.
    superseded_at: Vec<std::time::Duration>,
}

/// Break: `is_due` in `Resolver::held`, `fence.raise` in `Freshness::apply`, `max_staleness / 2` in `is_recent`,
/// or the place of the spread in `Entry::is_due`.
#[tokio::test]
async fn whatever_happens_no_unmarked_answer_is_older_than_the_bound() {
    for seed in 1..=SEEDS {
        for on_outage in [OnOutage::Serve, OnOutage::Fail] {
            one_run(seed, on_outage).await;
        }
    }
}

async fn one_run(seed: u64, on_outage: OnOutage) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let versions = Versions::of(&NAMES.map(|name| (name, 1)));
    let backend = versions.backend();
    let mut build = Build::over(&backend).journaled();
    build.on_outage = on_outage;
    build.upstream.rate_per_second = 0;
    build.upstream.breaker_failures = 0;
    let world = Arc::new(build.build());
    let mut histories = NAMES.map(|_| History { current: 1, superseded_at: Vec::new() });
    for step in 0..STEPS {
        let at = usize::try_from(chance.below(NAMES.len() as u64)).unwrap();
        let now = lockstep_core::Clock::monotonic(&*world.clock);
        match chance.below(16) {
            0..=2 => {
                let history = &mut histories[at];
                history.current += 1;
                history.superseded_at.push(now);
                versions.set(NAMES[at], history.current);
                let version = (chance.below(2) == 0).then_some(history.current);
                let mut changed = change(NAMES[at], version, &format!("{step}"), wall(&world));
                changed.kind = if chance.below(2) == 0 { ChangeKind::Rotated } else { ChangeKind::Updated };
                world.append(&[changed.clone(), changed]).await;
            }
            3 => world.journal.set_down(chance.below(2) == 0),
            4 if chance.below(4) == 0 => world.journal.restart(),
            5 if chance.below(2) == 0 => backend.answers(|_, _, _| failing(lockstep_core::ErrorKind::Network)),
            5 => {
                let versions = versions.clone();
                backend.answers(move |name, selector, _| versions.answer(name, selector));
            }
            6..=9 => world.clock.advance(SECOND / 4 * u32::try_from(chance.below(30)).unwrap()),
            10 if chance.below(8) == 0 => world.clock.advance(60 * 60 * SECOND),
            // Over a freeze only the wall clock goes on.
            11 => world.clock.advance_wall(SECOND * u32::try_from(chance.below(20)).unwrap()),
            _ => {
                let Ok(answer) = world.get(NAMES[at]).await else { continue };
                let version: usize = value(&answer).trim_start_matches("value-").parse().unwrap();
                let Some(superseded) = histories[at].superseded_at.get(version - 1) else { continue };
                let since = now.saturating_sub(*superseded);
                let marked = matches!(answer.status, CacheStatus::Stale(_));
                assert!(
                    since < BOUND || (marked && on_outage == OnOutage::Serve),
                    "seed {seed}, step {step}: version {version} {since:?} after its Change, {:?}",
                    answer.status
                );
            }
        }
    }
}
