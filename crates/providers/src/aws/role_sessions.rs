//! [`RoleSessions`]: the sessions of roles that are named while the process runs, at most so many at a time.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::Result;

use super::role::Role;
use super::session::Session;

/// Sessions of roles, each assumed with the same base. One more than there is room for takes the place of the one that
/// was not asked for the longest: a role can always be used, and memory and logins stay bounded.
pub struct RoleSessions {
    base: Arc<Session>,
    room: usize,
    /// The one that was asked for last stands last.
    known: Mutex<Vec<(Role, Arc<Session>)>>,
}

impl RoleSessions {
    /// How many roles AWS's agent keeps.
    pub const ROOM: usize = 20;

    /// No session yet; room for so many, for one at least.
    pub fn new(base: Arc<Session>, room: usize) -> Self {
        Self { base, room: room.max(1), known: Mutex::default() }
    }

    /// The session of this role. Nothing is sent.
    ///
    /// # Errors
    /// Those of [`Session::assume`].
    pub fn session(&self, role: &Role) -> Result<Arc<Session>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match known.iter().position(|(of, _)| of == role) {
            Some(at) => known.remove(at),
            None => (role.clone(), self.base.assume(role)?),
        };
        if known.len() >= self.room {
            known.remove(0);
        }
        let session = Arc::clone(&entry.1);
        known.push(entry);
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
