//! A [`Change`] as the backends keep it: JSON of a bounded length, under a key that its id gives.

use std::collections::HashSet;

use lockstep_core::{Change, Error, ErrorKind, Random, Result, hex};
use sha2::{Digest as _, Sha256};

/// The longest Change, as JSON, that is appended or read: names and ids have bounds of their own far below it.
pub const MAX_CHANGE_BYTES: usize = 16 << 10;

/// Bits of an epoch and of a number: JSON's keep that many in every language.
pub(super) const EPOCH_BITS: u32 = 53;

/// A Change, ready to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The SHA-256 of its id, in hexadecimal: ids come from elsewhere and may be long.
    pub(super) key: String,
    pub(super) json: String,
}

impl Stored {
    fn of(change: &Change) -> Result<Self> {
        let json = serde_json::to_string(change)
            .map_err(|_| Error::new(ErrorKind::Internal, "a change can't be written as JSON"))?;
        if json.len() > MAX_CHANGE_BYTES {
            let message = format!("a change is longer than {MAX_CHANGE_BYTES} bytes; look at what sends it");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(Self { key: hex::text(&Sha256::digest(change.id.as_bytes())), json })
    }

    /// These Changes, each id once, in their order.
    ///
    /// # Errors
    /// `TooLarge` when one is longer than [`MAX_CHANGE_BYTES`]; then none is appended.
    pub(super) fn distinct(changes: &[Change]) -> Result<Vec<Self>> {
        let mut seen = HashSet::new();
        changes.iter().filter(|change| seen.insert(&*change.id)).map(Self::of).collect()
    }
}

/// Reads what was kept.
///
/// # Errors
/// `Malformed` for what is no Change or too long for one. Nothing of it stands in the error.
pub(super) fn read(json: &str) -> Result<Change> {
    if json.len() > MAX_CHANGE_BYTES {
        return Err(malformed("an entry that is too long for a change"));
    }
    serde_json::from_str(json).map_err(|_| malformed("an entry that is no change"))
}

/// The journal holds something else than it should.
pub(super) fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the journal holds {what}; look at who else writes to it"))
}

/// An epoch that no other life of a journal has had: at random, and never 0, which is a journal that has none yet.
pub(super) fn new_epoch(random: &dyn Random) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    epoch_of(bytes)
}

/// The epoch that these bytes make, never 0.
pub(super) fn epoch_of(bytes: [u8; 8]) -> u64 {
    (u64::from_be_bytes(bytes) >> (u64::BITS - EPOCH_BITS)).max(1)
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::TestRandom;
    use lockstep_testkit::journal::{change, named};

    use super::*;

    /// Break: either of the two bounds.
    #[test]
    fn a_change_too_long_to_keep_is_refused_both_ways_and_quoted_in_neither() {
        let long = named("c4n4ry", &"n".repeat(MAX_CHANGE_BYTES));
        let error = Stored::distinct(&[change(1), long.clone()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(!format!("{error:?}").contains("c4n4ry"));
        let error = read(&serde_json::to_string(&long).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        for text in ["", "{}", "17", "\"c4n4ry\"", "{\"id\":\"c4n4ry\"}", "null"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    #[test]
    fn what_is_kept_is_what_is_read_and_an_id_is_kept_once() {
        let stored = Stored::distinct(&[change(1), change(2), change(1)]).unwrap();
        assert_eq!(stored.len(), 2);
        assert_eq!(read(&stored[1].json).unwrap(), change(2));
        assert_eq!(stored[0].key.len(), 64);
    }

    #[test]
    fn an_epoch_is_never_zero_and_fits_a_json_number() {
        let random = TestRandom::seeded(3);
        let epochs: HashSet<u64> = (0..1000).map(|_| new_epoch(&*random)).collect();
        assert_eq!(epochs.len(), 1000);
        assert!(epochs.iter().all(|epoch| (1..1 << EPOCH_BITS).contains(epoch)));
    }
}
