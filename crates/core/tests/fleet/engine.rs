//! Virtual time: the queue of events, the tasks, and the clocks of the instances.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Clock, Random, Spawn, Task, UnixMillis};

/// Microseconds since the run began.
pub(crate) type Micros = u64;
pub(crate) const SECOND: Micros = 1_000_000;
/// The wall clock when a run begins: 2026-01-01.
const START: u64 = 1_767_225_600_000;

/// Numbers of one run: the same for the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % limit.max(1)
    }
}

#[derive(Default)]
struct State {
    now: Micros,
    timers: BTreeMap<(Micros, u64), Waker>,
    timed: u64,
    tasks: Vec<Option<Task>>,
    owners: Vec<usize>,
    clocks: Vec<Offsets>,
}

/// How the clocks of an instance differ from the truth, in microseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Offsets {
    pub(crate) skew: u64,
    /// Parts per million.
    pub(crate) drift: u64,
    pub(crate) monotonic_lost: u64,
    pub(crate) wall_lost: u64,
    pub(crate) frozen_until: Micros,
}

pub(crate) struct Engine {
    state: Mutex<State>,
    ready: Arc<Mutex<VecDeque<usize>>>,
    pub(crate) chance: Mutex<Chance>,
}

struct Ready(usize, Arc<Mutex<VecDeque<usize>>>);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push_back(self.0);
    }
}

/// Owner of the world's own tasks: it never freezes.
pub(crate) const WORLD: usize = 0;

impl Engine {
    pub(crate) fn new(seed: u64, clocks: Vec<Offsets>) -> Arc<Self> {
        let state = State { clocks, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), ready: Arc::default(), chance: Mutex::new(Chance::new(seed)) })
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
    pub(crate) fn now(&self) -> Micros {
        self.state().now
    }
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.chance.lock().unwrap().below(limit)
    }
    pub(crate) fn spawn(&self, owner: usize, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        state.tasks.push(Some(Box::pin(task)));
        state.owners.push(owner);
        self.ready.lock().unwrap().push_back(state.tasks.len() - 1);
    }
    fn at(&self, when: Micros, waker: Waker) {
        let mut state = self.state();
        state.timed += 1;
        let key = (when, state.timed);
        state.timers.insert(key, waker);
    }
    /// Waits by the true time.
    pub(crate) async fn pause(&self, time: Micros) {
        let end = self.now() + time;
        let mut set = false;
        poll_fn(|context| {
            if self.now() >= end {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut set, true) {
                self.at(end, context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
    /// Nothing of this instance runs for so long, and the clocks named stand still meanwhile.
    pub(crate) fn freeze(&self, owner: usize, time: Micros, monotonic: bool, wall: bool) {
        let mut state = self.state();
        let now = state.now;
        let clock = &mut state.clocks[owner];
        if clock.frozen_until > now {
            return;
        }
        clock.frozen_until = now + time;
        clock.monotonic_lost += if monotonic { time } else { 0 };
        clock.wall_lost += if wall { time } else { 0 };
    }
    /// Sets the wall clock back.
    pub(crate) fn step_back(&self, owner: usize, time: Micros) {
        self.state().clocks[owner].wall_lost += time;
    }
    /// Runs until the end, in the order of time and of being woken.
    pub(crate) fn run(&self, end: Micros) {
        loop {
            let next = self.ready.lock().unwrap().pop_front();
            if let Some(id) = next {
                self.poll(id);
                continue;
            }
            let due = self.state().timers.pop_first();
            let Some(((when, _), waker)) = due.filter(|((when, _), _)| *when <= end) else { break };
            self.state().now = when;
            waker.wake();
        }
        // Tasks hold the engine: let them go.
        let tasks = std::mem::take(&mut self.state().tasks);
        drop(tasks);
        let timers = std::mem::take(&mut self.state().timers);
        drop(timers);
    }
    fn poll(&self, id: usize) {
        let waker = Waker::from(Arc::new(Ready(id, self.ready.clone())));
        let (task, thaw) = {
            let mut state = self.state();
            let until = state.clocks[state.owners[id]].frozen_until;
            if until > state.now { (None, Some(until)) } else { (state.tasks[id].take(), None) }
        };
        if let Some(until) = thaw {
            self.at(until, waker);
        } else if let Some(mut task) = task
            && task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        {
            self.state().tasks[id] = Some(task);
        }
    }
    pub(crate) fn wall(&self, owner: usize) -> u64 {
        let state = self.state();
        let clock = state.clocks[owner];
        START + (state.now + clock.skew + state.now * clock.drift / 1_000_000).saturating_sub(clock.wall_lost) / 1000
    }
    fn monotonic(&self, owner: usize) -> Duration {
        let state = self.state();
        let clock = state.clocks[owner];
        let gone = state.now + state.now * clock.drift / 1_000_000 - clock.monotonic_lost;
        Duration::from_hours(1) + Duration::from_micros(gone)
    }
}

/// Which clocks an instance believes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Both,
    Monotonic,
}

/// What an instance sees of the world beside provider and journal.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) engine: Arc<Engine>,
    pub(crate) owner: usize,
    pub(crate) shown: Shown,
}

#[async_trait]
impl Clock for Host {
    fn monotonic(&self) -> Duration {
        self.engine.monotonic(self.owner)
    }
    fn wall(&self) -> UnixMillis {
        match self.shown {
            Shown::Both => UnixMillis(self.engine.wall(self.owner)),
            Shown::Monotonic => UnixMillis(START + u64::try_from(self.monotonic().as_millis()).unwrap() - 3_600_000),
        }
    }
    async fn sleep(&self, duration: Duration) {
        let end = self.monotonic().saturating_add(duration);
        while self.monotonic() < end {
            let left = u64::try_from(end.saturating_sub(self.monotonic()).as_micros()).unwrap_or(SECOND);
            self.engine.pause(left.clamp(1, 3600 * SECOND)).await;
        }
    }
}

impl Spawn for Host {
    fn spawn(&self, task: Task) {
        self.engine.spawn(self.owner, task);
    }
}

impl Random for Host {
    /// By the instance and the time alone: the order in which a cache goes through its entries is not the seed's.
    fn fill(&self, bytes: &mut [u8]) {
        let mut chance = Chance::new(self.engine.now().wrapping_mul(31).wrapping_add(self.owner as u64));
        bytes.fill_with(|| u8::try_from(chance.below(256)).unwrap());
    }
}
