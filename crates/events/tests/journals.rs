//! The shared journals against real and independently written servers: the one contract, cut connections, and what
//! somebody else has written into the storage.

#![expect(clippy::unwrap_used, reason = "what a test sets up is there")]

#[path = "journals/dynamodb.rs"]
mod dynamodb;
#[path = "journals/redis.rs"]
mod redis;
#[path = "journals/redis_server.rs"]
mod redis_server;
#[path = "journals/table.rs"]
mod table;

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Call, Clock, TlsProfile, Transport, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, SystemClock, TransportSettings};
use lockstep_testkit::{TestEnv, TokioSpawn};

/// A call of real time: some of these wait for servers.
fn call_of(time: Duration) -> Call {
    Call::new(Arc::new(SystemClock::new()), Arc::new(TokioSpawn), "test", time)
}

/// The way out, as a process has it.
fn transport() -> Arc<dyn Transport> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let env = TestEnv::of(&[]);
    let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &*env, TransportSettings::default());
    transports.build(&TlsProfile::default()).unwrap()
}
