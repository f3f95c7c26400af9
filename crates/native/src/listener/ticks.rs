//! [`Ticks`]: the sweeper's beat, kept by a timer of the kernel's own (`timerfd`).
//!
//! A timer of the runtime would be set and cancelled by the kernel each time the process waits for a request. This one is
//! set when the first connection comes.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A beat that can be stopped and started.
pub(super) struct Ticks {
    timer: AsyncFd<OwnedFd>,
    period: Timespec,
    beating: bool,
}

impl Ticks {
    /// A beat of this period, which has not begun. Needs a tokio runtime with I/O.
    #[expect(deprecated, reason = "it is sound for a descriptor that is owned; what replaces it is `unsafe`")]
    pub(super) fn new(period: Duration) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let period = Timespec::try_from(period).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(Self { timer: AsyncFd::new(timer)?, period, beating: false })
    }

    /// Begins or stops. One that has begun goes on as it is.
    pub(super) fn beat(&mut self, on: bool) {
        if on == self.beating {
            return;
        }
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let every = if on { self.period } else { none };
        match timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: every, it_value: every },
        ) {
            Ok(_) => self.beating = on,
            Err(errno) => tracing::error!(reason = %errno, "can't set the timer that ends slow connections"),
        }
    }

    /// Waits for the next beat. After a freeze there is one, not one for each that was missed.
    pub(super) async fn next(&self) {
        loop {
            // A runtime that is shutting down has nothing to sweep.
            let Ok(mut ready) = self.timer.readable().await else { return std::future::pending().await };
            let mut beats = [0; 8];
            if let Ok(Ok(_)) = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut beats)?)) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: leave `it_interval` at zero.
    #[tokio::test(flavor = "current_thread")]
    #[expect(clippy::disallowed_methods, reason = "what does not come can only be waited for")]
    async fn it_beats_again_and_again_until_it_is_stopped() {
        let mut ticks = Ticks::new(Duration::from_millis(1)).unwrap();
        ticks.beat(true);
        for _ in 0..3 {
            ticks.next().await;
        }
        ticks.beat(false);
        // A beat from before may still lie there; after it, none comes.
        let next = async {
            ticks.next().await;
            ticks.next().await;
        };
        assert!(tokio::time::timeout(Duration::from_millis(50), next).await.is_err());
    }
}
