//! A token of somebody else: an agent, a pipeline, or whoever has wrapped it.

use lockstep_core::{Error, ErrorKind, Result, SecretValue};

use super::handed::Taken;

/// The token in what was unwrapped: that of a login or of `auth/token/create`, or a member of this name.
pub(super) fn token(mut taken: Taken) -> Result<SecretValue> {
    taken.token.take().or_else(|| taken.field("token")).ok_or_else(|| {
        let message = "what was wrapped holds no token; wrap the answer of `auth/token/create` or of a login";
        Error::new(ErrorKind::Unauthenticated, message)
    })
}
