//! What the stories begin with: the built `lockstep` as a real process, plain HTTP to it, and hostile upstreams beside it.
//!
//! Nothing here knows a story, or more of a provider than its configuration. Everything listens on free loopback ports
//! and ends with the value that started it, in a panic too.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it should be")]

mod clouds;
mod collector;
mod counting;
mod http;
mod lockstep;
mod upstream;
mod world;

use std::time::Duration;

pub use self::clouds::{KEY_FILE, azure, gcp};
pub use self::collector::Collector;
pub use self::counting::CountingProxy;
pub use self::http::{Connection, Response};
pub use self::lockstep::{Lockstep, Output, Running, TOKEN, binary};
pub use self::upstream::{Faked, Upstream};
pub use self::world::{World, api_key};

/// How long a test looks for an outcome before it says that there is none.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks every 20 ms until `found` gives something.
///
/// # Panics
/// When there is nothing after [`PATIENCE`].
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let pause = Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(pause);
    }
    panic!("never happened: {what}");
}
