//! What a connection is doing, told to a sweeper that closes those which take too long.
//!
//! A timer per request would cost more than the request. So a connection only notes its phase, in one word of memory;
//! once per tick the sweeper compares the word with what it saw before. Ticks are counted, not time: a freeze of the
//! whole process is one tick, and nobody's idle connection is closed in the instant of waking up.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use lockstep_core::network;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ListenerSettings;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Open, and no byte of a first request has come.
    Open = 0,
    /// The headers of a request are coming.
    Head = 1,
    /// Silent between requests.
    Idle = 2,
    /// The body is coming.
    Body = 3,
    /// The front door is working.
    Answer = 4,
    /// The client is reading its answer, or what it still sends is thrown away.
    Write = 5,
}

const PHASES: u64 = 8;

/// How much of what a refused client still sends is read and thrown away. Closing with bytes unread would reset the
/// connection, and the client would never see the refusal.
const LINGER_BYTES: usize = 4 << 20;

/// What the sweeper wants of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Wish {
    GoOn = 0,
    /// Answer what is under way, then close.
    Finish = 1,
    /// Close at once.
    End = 2,
}

/// No state of a connection.
const NO_STATE: u64 = u64::MAX;

/// Shared by a connection and the sweeper. Only the connection writes `state`; of many requests at once, one at a time.
#[derive(Debug)]
pub(super) struct Watch {
    /// Number of the request, times [`PHASES`], plus the phase.
    state: AtomicU64,
    wish: AtomicU8,
    /// The state in which it is to make room; a connection that has got on meanwhile is left alone.
    room: AtomicU64,
    /// The connection's task. It never changes, so it is kept once.
    waker: OnceLock<Waker>,
    /// A body was announced, and was not read to its end.
    unread: AtomicBool,
    ended: AtomicBool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU64::new(Phase::Open as u64),
            wish: AtomicU8::new(Wish::GoOn as u8),
            room: AtomicU64::new(NO_STATE),
            waker: OnceLock::new(),
            unread: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Relaxed);
    }

    /// The next phase of the same request.
    pub(super) fn enter(&self, phase: Phase) {
        let request = self.state.load(Ordering::Relaxed) / PHASES;
        self.state.store(request * PHASES + phase as u64, Ordering::Relaxed);
    }

    /// The next request's turn.
    fn rest(&self) {
        self.turn(Phase::Idle);
    }

    /// Another request's turn, in this phase.
    pub(super) fn turn(&self, phase: Phase) {
        let request = self.state.load(Ordering::Relaxed) / PHASES;
        self.state.store((request + 1) * PHASES + phase as u64, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        is_in(self.state.load(Ordering::Relaxed), phase)
    }

    /// Whether it is there, and nobody has asked it to end.
    fn stays(&self) -> bool {
        self.wish() != Wish::End && !self.ended.load(Ordering::Acquire)
    }

    pub(super) fn wish(&self) -> Wish {
        match self.wish.load(Ordering::Acquire) {
            _ if self.room.load(Ordering::Acquire) == self.state.load(Ordering::Relaxed) => Wish::End,
            0 => Wish::GoOn,
            1 => Wish::Finish,
            _ => Wish::End,
        }
    }

    /// Remembers whom to wake. Called with every poll, and cheap from the second on.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.get_or_init(|| cx.waker().clone());
    }

    pub(super) fn ask(&self, wish: Wish) {
        self.wish.fetch_max(wish as u8, Ordering::AcqRel);
        self.wake();
    }

    /// Asks it to end if it is still in this state when it comes to it.
    fn ask_for_room(&self, state: u64) {
        self.room.store(state, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

fn is_in(state: u64, phase: Phase) -> bool {
    state % PHASES == phase as u64
}

/// All open connections, as the sweeper knows them.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    seen: Vec<Seen>,
    /// How often something was noticed.
    noticed: u64,
}

#[derive(Debug)]
struct Seen {
    watch: Arc<Watch>,
    /// Where its client is.
    network: Box<str>,
    /// At the last sweep, and for how many it has not changed.
    state: u64,
    ticks: u32,
    /// When somebody last looked, and its turn among all changes that were noticed.
    last: u64,
    noticed: u64,
}

impl Seen {
    /// Whether its client keeps us waiting: `last` was just looked at.
    fn keeps_waiting(&self) -> bool {
        let state = self.last;
        // An answer is written at once, if its client reads it: this one has not been seen twice yet.
        let is_fresh = state != self.state || self.ticks == 0;
        let waits_for_us = is_in(state, Phase::Answer) || is_in(state, Phase::Write) && is_fresh;
        self.watch.stays() && !waits_for_us
    }
}

impl Crowd {
    /// A connection from this address; a Unix socket has none.
    pub(super) fn add(&mut self, watch: Arc<Watch>, address: Option<&str>) {
        // Connections that came and went since the last tick must not pile up.
        if self.seen.len() == self.seen.capacity() {
            self.forget_ended();
        }
        self.noticed += 1;
        let last = watch.state.load(Ordering::Relaxed);
        let network = address.map(network).unwrap_or_default();
        self.seen.push(Seen { watch, network, state: NO_STATE, ticks: 0, last, noticed: self.noticed });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn forget_ended(&mut self) {
        self.seen.retain(|seen| !seen.watch.ended.load(Ordering::Acquire));
    }

    /// One tick: closes what has been in one phase for too long.
    pub(super) fn sweep(&mut self, patience: &Patience, crowded: bool) {
        self.forget_ended();
        for seen in &mut self.seen {
            let state = seen.watch.state.load(Ordering::Relaxed);
            if state == seen.state {
                seen.ticks += 1;
            } else {
                (seen.state, seen.ticks) = (state, 0);
            }
            if seen.ticks >= patience.ticks(state, crowded) {
                seen.watch.ask(Wish::End);
            }
        }
    }

    /// How many stay.
    pub(super) fn staying(&self) -> usize {
        self.seen.iter().filter(|seen| seen.watch.stays()).count()
    }

    /// Ends a connection whose client keeps us waiting, and says whether there is one: of the network that has the most
    /// connections, the one that has done so the longest. Whoever waits for us is left alone, and so is who has got on
    /// before it came to it; then there is one connection more until the next one is let in.
    pub(super) fn make_room(&mut self) -> bool {
        for seen in &mut self.seen {
            let state = seen.watch.state.load(Ordering::Relaxed);
            if state != seen.last {
                self.noticed += 1;
                (seen.last, seen.noticed) = (state, self.noticed);
            }
        }
        let mut staying: HashMap<Box<str>, usize> = HashMap::new();
        for seen in self.seen.iter().filter(|seen| seen.watch.stays()) {
            *staying.entry(seen.network.clone()).or_default() += 1;
        }
        let share = |seen: &Seen| staying.get(&*seen.network).copied().unwrap_or(0);
        let waiting = self.seen.iter().filter(|seen| seen.keeps_waiting());
        let first = waiting.min_by_key(|seen| (Reverse(share(seen)), seen.noticed));
        if let Some(seen) = first {
            seen.watch.ask_for_room(seen.last);
        }
        first.is_some()
    }

    pub(super) fn ask(&self, wish: Wish) {
        for seen in &self.seen {
            seen.watch.ask(wish);
        }
    }

    /// Ends those on which nothing was asked yet.
    pub(super) fn end_silent(&self) {
        for seen in self.seen.iter().filter(|seen| seen.watch.is_in(Phase::Open)) {
            seen.watch.ask(Wish::End);
        }
    }
}

/// The limits of [`ListenerSettings`], in ticks.
#[derive(Debug)]
pub(super) struct Patience {
    pub(super) tick: Duration,
    limits: [u32; 6],
}

impl Patience {
    pub(super) fn new(settings: &ListenerSettings) -> Self {
        let limits = [
            settings.header_timeout,
            settings.header_timeout,
            settings.idle_timeout,
            settings.body_timeout,
            settings.answer_timeout,
            settings.write_timeout,
        ];
        let shortest = limits.iter().min().copied().unwrap_or_default();
        let tick = (shortest / 4).clamp(Duration::from_millis(1), Duration::from_secs(1));
        let ticks =
            |limit: Duration| u32::try_from(limit.as_millis().div_ceil(tick.as_millis())).unwrap_or(u32::MAX).max(1);
        Self { tick, limits: limits.map(ticks) }
    }

    fn ticks(&self, state: u64, crowded: bool) -> u32 {
        let phase = usize::try_from(state % PHASES).unwrap_or(0);
        let limit = self.limits.get(phase).copied().unwrap_or(u32::MAX);
        if crowded && phase == Phase::Idle as usize { limit.min(self.limits[Phase::Head as usize]) } else { limit }
    }
}

/// A stream that notes when a request begins and when an answer is written.
pub(super) struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
    /// Our side is closed, and this much more is read and thrown away.
    lingering: Option<usize>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && (self.watch.is_in(Phase::Idle) || self.watch.is_in(Phase::Open)) {
            self.watch.enter(Phase::Head);
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// hyper flushes the stream when it has written all it holds.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.watch.is_in(Phase::Write) {
            self.watch.rest();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        let left = if let Some(left) = &mut this.lingering {
            left
        } else {
            // A request that was refused half-way: its client is still sending.
            let half_way = this.watch.is_unread() || this.watch.is_in(Phase::Head);
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.watch.enter(Phase::Write);
            this.lingering.insert(if half_way { LINGER_BYTES } else { 0 })
        };
        let mut bytes = [0; 4096];
        while *left > 0 {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                read => *left = left.saturating_sub(read),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ListenerSettings {
        ListenerSettings {
            header_timeout: Duration::from_millis(400),
            body_timeout: Duration::from_millis(800),
            answer_timeout: Duration::from_millis(1200),
            write_timeout: Duration::from_millis(1600),
            idle_timeout: Duration::from_secs(2),
            ..ListenerSettings::default()
        }
    }

    /// How many sweeps a connection lives that stays in this phase.
    fn sweeps(phase: Phase, crowded: bool) -> usize {
        let (watch, patience, mut crowd) = (Arc::new(Watch::new()), Patience::new(&settings()), Crowd::default());
        watch.enter(phase);
        crowd.add(Arc::clone(&watch), None);
        (1..1000)
            .find(|_| {
                crowd.sweep(&patience, crowded);
                watch.wish() == Wish::End
            })
            .unwrap()
    }

    /// A tick is 100 ms here, and the first sweep only looks. Break: the order of the limits in `Patience::new`.
    #[test]
    fn l8_each_phase_has_its_own_limit_and_a_crowd_makes_idling_short() {
        let cases = [
            (Phase::Open, 5, 5),
            (Phase::Head, 5, 5),
            (Phase::Body, 9, 9),
            (Phase::Answer, 13, 13),
            (Phase::Write, 17, 17),
            (Phase::Idle, 21, 5),
        ];
        for (phase, alone, crowded) in cases {
            assert_eq!((sweeps(phase, false), sweeps(phase, true)), (alone, crowded), "{phase:?}");
        }
    }

    /// Break: `waits_for_us` or `is_fresh` in `keeps_waiting`, `stays`, or the look at `last` in `make_room`.
    #[test]
    fn l8_room_is_made_by_who_has_kept_us_waiting_the_longest() {
        let (patience, mut crowd) = (Patience::new(&settings()), Crowd::default());
        let phases = [Phase::Answer, Phase::Write, Phase::Idle, Phase::Head, Phase::Open, Phase::Body];
        let watches = phases.map(|phase| {
            let watch = Arc::new(Watch::new());
            watch.enter(phase);
            crowd.add(Arc::clone(&watch), None);
            watch
        });
        let ended = |at: usize| watches[at].wish() == Wish::End;
        // The one that was silent has asked meanwhile.
        watches[2].turn(Phase::Head);
        for at in [3, 4, 5, 2] {
            assert!(crowd.make_room() && ended(at), "{at}");
        }
        // An answer that nobody reads is waited for too, however long its connection was silent before.
        assert!(crowd.staying() == 2 && !crowd.make_room());
        watches[1].turn(Phase::Idle);
        for _ in 0..3 {
            crowd.sweep(&patience, false);
        }
        watches[1].turn(Phase::Write);
        assert!(!crowd.make_room());
        for _ in 0..2 {
            crowd.sweep(&patience, false);
        }
        assert!(crowd.make_room() && ended(1) && !ended(0));
        assert!(crowd.staying() == 1 && !crowd.make_room());
    }

    /// Break: `share` in `make_room`.
    #[test]
    fn l8_room_is_made_by_the_network_that_has_the_most_connections() {
        let mut crowd = Crowd::default();
        let addresses = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.2:2", "192.0.2.2:3"];
        let watches = addresses.map(|address| {
            let watch = Arc::new(Watch::new());
            watch.enter(Phase::Idle);
            crowd.add(Arc::clone(&watch), Some(address));
            watch
        });
        // The first one has kept us waiting the longest, and is alone.
        for at in [1, 2, 0, 3] {
            assert!(crowd.make_room());
            assert_eq!(watches[at].wish(), Wish::End, "{at}");
        }
        assert!(!crowd.make_room());
    }

    /// Break: the comparison with `room` in `wish`.
    #[test]
    fn l8_a_request_that_came_before_its_connection_made_room_is_answered() {
        let (watch, mut crowd) = (Arc::new(Watch::new()), Crowd::default());
        watch.enter(Phase::Idle);
        crowd.add(Arc::clone(&watch), None);
        assert!(crowd.make_room() && crowd.staying() == 0);
        watch.turn(Phase::Head);
        assert_eq!((watch.wish(), crowd.staying()), (Wish::GoOn, 1));
    }

    /// Break: compare phases without the number of the request.
    #[test]
    fn a_connection_that_gets_on_is_never_closed_and_an_ended_one_is_forgotten() {
        let (watch, patience, mut crowd) = (Arc::new(Watch::new()), Patience::new(&settings()), Crowd::default());
        crowd.add(Arc::clone(&watch), None);
        for _ in 0..100 {
            crowd.sweep(&patience, true);
            watch.enter(Phase::Answer);
            watch.rest();
        }
        assert_eq!(watch.wish(), Wish::GoOn);
        watch.end();
        crowd.sweep(&patience, true);
        assert!(crowd.is_empty());
    }
}
