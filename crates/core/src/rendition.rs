//! [`Rendition`]: what a surface writes of a secret, kept with the secret so that a hit writes nothing.
//!
//! It goes when the secret goes, and the cache counts it beforehand. Nothing here knows what is written.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderValue;

/// Bytes that a rendition may have on top of twice the payload.
pub(crate) const RENDITION_MARGIN: usize = 1024;

/// An answer's body, ready to be sent. Whoever makes it sees to it that the bytes are wiped on drop.
pub struct Rendition {
    /// Whose form it has.
    pub surface: &'static str,
    /// The body.
    pub body: Bytes,
    /// Its entity tag, where the surface has one.
    pub tag: Option<HeaderValue>,
}

/// The place for one [`Rendition`]: that of the first surface which is asked for the secret twice. Most secrets never
/// have one, so it takes a word.
#[derive(Default)]
pub struct Kept(OnceLock<Box<Rendition>>);

impl Kept {
    /// What this surface has written.
    pub fn by(&self, surface: &str) -> Option<&Rendition> {
        self.0.get().map(|rendition| &**rendition).filter(|rendition| rendition.surface == surface)
    }

    /// Keeps it, unless another surface was first or it is larger than `payload_bytes` allows for.
    pub fn keep(&self, payload_bytes: usize, rendition: Rendition) {
        if rendition.body.len() <= 2 * payload_bytes + RENDITION_MARGIN {
            // Who comes second has written the same, or for another surface.
            let _ = self.0.set(Box::new(rendition));
        }
    }
}

/// Two secrets are the same whether or not somebody has written them down.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.0.get().map(|rendition| rendition.surface)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendition(surface: &'static str, bytes: usize) -> Rendition {
        Rendition { surface, body: Bytes::from(vec![b'x'; bytes]), tag: None }
    }

    #[test]
    fn the_first_surface_has_the_place_and_no_other_reads_it() {
        let kept = Kept::default();
        assert!(kept.by("a").is_none());
        kept.keep(0, rendition("a", 1));
        kept.keep(0, rendition("b", 1));
        assert!(kept.by("a").is_some() && kept.by("b").is_none());
    }

    /// C9. Break: keep it whatever its length.
    #[test]
    fn c9_what_is_larger_than_was_counted_is_not_kept() {
        let kept = Kept::default();
        kept.keep(10, rendition("a", RENDITION_MARGIN + 21));
        assert!(kept.by("a").is_none());
        kept.keep(10, rendition("a", RENDITION_MARGIN + 20));
        assert!(kept.by("a").is_some());
    }

    /// M1. Break: derive `Debug`.
    #[test]
    fn m1_its_debug_says_whose_it_is_and_nothing_of_it() {
        let kept = Kept::default();
        kept.keep(0, Rendition { surface: "aws", body: Bytes::from_static(b"hunter2"), tag: None });
        assert_eq!(format!("{kept:?}"), r#"Kept(Some("aws"))"#);
    }
}
