//! Whether a text is its own Unicode NFC and NFKC, without the tables of compatibility decompositions: those are larger
//! than everything else here, and no text that has one of their characters is its own NFKC.

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};
use unicode_normalization::{IsNormalized, is_nfkc_quick};

/// What normalizing a text does to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Normal {
    /// NFC and NFKC leave it as it is.
    Same,
    /// NFC makes it this one.
    Composed(Vec<char>),
    /// NFC leaves it as it is, NFKC does not.
    Replaced,
}

/// Looks at the characters first, which nearly always is enough.
pub(super) fn normal(text: &str) -> Normal {
    let quick = is_nfkc_quick(text.chars());
    if quick == IsNormalized::Yes {
        return Normal::Same;
    }
    let composed = composed(text);
    if !text.chars().eq(composed.iter().copied()) {
        Normal::Composed(composed)
    } else if quick == IsNormalized::No {
        Normal::Replaced
    } else {
        // `Maybe` says that no character has a compatibility decomposition: NFKC is NFC then.
        Normal::Same
    }
}

/// The text in NFC (UAX #15): taken apart, its marks in order, and put together again.
fn composed(text: &str) -> Vec<char> {
    let mut apart: Vec<(u8, char)> = Vec::with_capacity(text.len());
    // Behind the last character that is no mark.
    let mut marks = 0;
    for c in text.chars() {
        decompose_canonical(c, |c| {
            let class = canonical_combining_class(c);
            if class == 0 {
                apart.push((class, c));
                marks = apart.len();
            } else {
                let place = marks + apart[marks..].partition_point(|(other, _)| *other <= class);
                apart.insert(place, (class, c));
            }
        });
    }
    let mut together: Vec<char> = Vec::with_capacity(apart.len());
    // Where the last character is that takes marks, and the class of what came behind it and stayed, if anything did.
    let mut base = None;
    let mut before: Option<u8> = None;
    for (class, c) in apart {
        if let Some(base) = base
            && before.is_none_or(|before| before < class)
            && let Some(one) = compose(together[base], c)
        {
            together[base] = one;
            continue;
        }
        if class == 0 {
            base = Some(together.len());
            before = None;
        } else {
            before = Some(class);
        }
        together.push(c);
    }
    together
}

#[cfg(test)]
#[path = "normal/tests.rs"]
mod tests;
