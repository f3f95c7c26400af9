//! [`Hops`]: the endpoints that a request has come through, so that none of them asks itself.

use std::sync::Arc;

use crate::{Error, ErrorKind, Result};

/// The header that carries them from one endpoint to the next: ids with blanks between them.
pub const HOPS_HEADER: &str = "lockstep-hops";

/// How many endpoints one request may come through.
const MAX_HOPS: usize = 8;

/// The endpoints that a request has come through, by the id that each made up at its start.
///
/// ```
/// use lockstep_core::Hops;
/// let first = Hops::default().through("a1")?;
/// let second = Hops::parse(first.as_str())?.through("b2")?;
/// assert_eq!(second.as_str(), "a1 b2");
/// assert!(second.through("a1").is_err());
/// # Ok::<(), lockstep_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hops(Option<Arc<str>>);

impl Hops {
    /// Reads the header.
    ///
    /// # Errors
    /// `InvalidReference` when it is not one of ours: at most 8 ids of at most 64 letters and digits.
    pub fn parse(text: &str) -> Result<Self> {
        let is_id = |id: &str| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.split(' ').count() > MAX_HOPS || !text.split(' ').all(is_id) {
            let message =
                format!("`{HOPS_HEADER}` lists up to {MAX_HOPS} endpoints; leave it out, only endpoints send it");
            return Err(Error::new(ErrorKind::InvalidReference, message));
        }
        Ok(Self(Some(text.into())))
    }

    /// The same, and this endpoint.
    ///
    /// # Errors
    /// `Config` when it has come through here already, or through too many.
    pub fn through(&self, id: &str) -> Result<Self> {
        let Some(hops) = &self.0 else { return Ok(Self(Some(id.into()))) };
        if hops.split(' ').any(|hop| hop == id) {
            let message = "the endpoints ask each other in a circle; look at their providers of type `lockstep`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if hops.split(' ').count() >= MAX_HOPS {
            let message =
                format!("the request came through {MAX_HOPS} endpoints; let them ask each other in a shorter chain");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self(Some(format!("{hops} {id}").into())))
    }

    /// The header's value; empty for a request that comes from no endpoint.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: either half of the check in `parse`, or a check in `through`.
    #[test]
    fn a_circle_a_long_chain_and_a_foreign_header_are_refused() {
        let mut hops = Hops::default();
        for id in 0..MAX_HOPS {
            hops = hops.through(&format!("id{id}")).unwrap();
            assert_eq!(Hops::parse(hops.as_str()).unwrap(), hops);
        }
        assert!(hops.through("one more").unwrap_err().message().contains("shorter chain"));
        assert!(hops.through("id3").unwrap_err().message().contains("circle"));
        let many = format!("{hops} x", hops = hops.as_str());
        for bad in ["a  b", " a", "a ", "a,b", "a\nb", "ä", &"x".repeat(65), &many] {
            assert_eq!(Hops::parse(bad).unwrap_err().kind(), ErrorKind::InvalidReference, "{bad:?}");
        }
    }
}
