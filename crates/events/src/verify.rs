//! Verifying: whether a delivery was sent by whom it says, and lately.
//!
//! | file | job |
//! |---|---|
//! | `github`, `standard_webhooks` | HMAC under a shared secret |
//! | `sns` (a feature) | Amazon's signatures, and the certificates that they are made with |
//! | `keys`, `refusal` | shared secrets, and why a delivery is refused |
//!
//! What was verified and is sent again means the same [`Change`](lockstep_core::Change) with the same id, and a journal
//! appends an id once. So nothing here remembers deliveries.

mod github;
mod keys;
mod refusal;
#[cfg(feature = "sns")]
mod sns;
mod standard_webhooks;

use std::time::Duration;

pub use self::github::GitHubVerifier;
pub use self::keys::{MAX_KEYS, MIN_KEY_BYTES};
pub use self::refusal::Refusal;
#[cfg(feature = "sns")]
pub use self::sns::{SnsSettings, SnsVerifier};
pub use self::standard_webhooks::StandardWebhooksVerifier;
use lockstep_core::UnixMillis;

/// How far the clocks of a sender and of this machine may be apart, and how long a webhook may be on its way.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Whether what was signed at this time may still be taken.
fn fresh(signed: UnixMillis, now: UnixMillis, oldest: Duration) -> Result<(), Refusal> {
    if now.saturating_since(signed) > oldest {
        return Err(Refusal::TooOld);
    }
    if signed.saturating_since(now) > TOLERANCE {
        return Err(Refusal::NotYet);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
