//! [`StopSignals`]: SIGTERM and SIGINT as a future.

use lockstep_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to stop.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Takes the two signals over: from now on they don't end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// `Internal` when the handlers can't be installed.
    pub fn install() -> Result<Self> {
        let take = |kind| {
            signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "can't listen for signals").because(error))
        };
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    /// Waits for the next one, and says its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn both_signals_are_seen_and_the_process_lives_on() {
        let mut signals = StopSignals::install().unwrap();
        kill_process(getpid(), Signal::TERM).unwrap();
        assert_eq!(signals.next().await, "SIGTERM");
        kill_process(getpid(), Signal::INT).unwrap();
        assert_eq!(signals.next().await, "SIGINT");
    }
}
