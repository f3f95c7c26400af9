//! [`Refusal`]: why a delivery is not taken for genuine. Nothing of the delivery stands in it.

use std::fmt;

/// Why a delivery is not taken for genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not signed.
    Missing,
    /// It has a part of a signature twice.
    Doubled,
    /// A part of its signature can't be one.
    Malformed,
    /// It was signed too long ago.
    TooOld,
    /// It was signed in a time to come.
    NotYet,
    /// The signature is of something else, or by somebody else.
    Mismatch,
    /// It is signed in a way that is not accepted.
    Version,
    /// It comes from a topic that nobody expects.
    Topic,
    /// Its certificate is somewhere else than Amazon keeps them.
    Address,
    /// Its certificate is none that Amazon signs with, or is not valid now.
    Certificate,
    /// Its certificate can't be fetched now. A repetition may be genuine.
    Unavailable,
}

impl Refusal {
    /// Every refusal, for tables of counts.
    pub const ALL: [Self; 11] = [
        Self::Missing,
        Self::Doubled,
        Self::Malformed,
        Self::TooOld,
        Self::NotYet,
        Self::Mismatch,
        Self::Version,
        Self::Topic,
        Self::Address,
        Self::Certificate,
        Self::Unavailable,
    ];

    /// The word for it in audit and metrics.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// Whether trying again may help: then the sender should be answered so that it does.
    pub fn is_transient(self) -> bool {
        self == Self::Unavailable
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("signature_missing", "it is not signed; sign it, and send the signature in its header"),
            Self::Doubled => ("signature_doubled", "a part of its signature stands there twice"),
            Self::Malformed => ("signature_malformed", "a part of its signature can't be one"),
            Self::TooOld => ("signature_old", "it was signed too long ago; look at the clocks of both sides"),
            Self::NotYet => ("signature_early", "it was signed in a time to come; look at the clocks of both sides"),
            Self::Mismatch => ("signature_wrong", "its signature is of something else, or made with another key"),
            Self::Version => {
                ("signature_version", "it is signed in a way that is not accepted; use SignatureVersion 2")
            }
            Self::Topic => ("topic_unexpected", "it comes from a topic that nobody expects"),
            Self::Address => ("certificate_elsewhere", "its certificate is not where Amazon keeps them"),
            Self::Certificate => {
                ("certificate_wrong", "its certificate is none that Amazon signs with, or not valid now")
            }
            Self::Unavailable => {
                ("certificate_unavailable", "its certificate can't be fetched now; it may be sent again")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Break: give two of them one word.
    #[test]
    fn each_refusal_has_its_word_and_says_what_is_wrong() {
        let words: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.as_str()).collect();
        let sentences: BTreeSet<_> = Refusal::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((words.len(), sentences.len()), (Refusal::ALL.len(), Refusal::ALL.len()));
        assert!(
            words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')),
            "{words:?}"
        );
        assert!(sentences.iter().all(|sentence| sentence.contains(' ')), "{sentences:?}");
        assert_eq!(Refusal::TooOld.as_str(), "signature_old");
    }
}
