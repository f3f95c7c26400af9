//! [`escaped`]: a name that somebody else has given, as a part of a principal's id.
//!
//! Ids stand in policies and audit records, so no character of a name may mean something there. Letters, digits and
//! `-._~:/@=` stay as they are; everything else, `%` included, is percent-encoded as UTF-8. Two names never become one
//! id, and what was foreign to ASCII looks foreign still. What can't be an honest name is refused: an empty one, one of
//! more than [`MAX_SUBJECT_BYTES`], one with control characters, one with `..`.

use std::fmt::Write as _;

/// The longest name in bytes, before it is encoded.
pub(crate) const MAX_SUBJECT_BYTES: usize = 512;

/// The name as a part of an id; `None` when it can't be one.
pub(crate) fn escaped(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_SUBJECT_BYTES || name.chars().any(char::is_control) || name.contains("..") {
        return None;
    }
    let mut id = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/@=".contains(&byte) {
            id.push(char::from(byte));
        } else {
            write!(id, "%{byte:02X}").ok()?;
        }
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// R4. Break: any character of the set in `escaped`, or any of the refusals.
    #[test]
    fn r4_no_character_of_a_name_means_something_in_an_id() {
        for (name, id) in [
            ("repo:acme/shop:ref:refs/heads/main", Some("repo:acme/shop:ref:refs/heads/main")),
            ("system:serviceaccount:prod:api", Some("system:serviceaccount:prod:api")),
            ("alice@acme.com", Some("alice@acme.com")),
            ("*", Some("%2A")),
            ("a+b", Some("a%2Bb")),
            ("a,b", Some("a%2Cb")),
            ("a%2Ab", Some("a%252Ab")),
            ("a b", Some("a%20b")),
            ("a\"b", Some("a%22b")),
            ("ａdmin", Some("%EF%BD%81dmin")),
            ("a/../b", None),
            ("..", None),
            ("", None),
            ("a\nb", None),
            ("a\u{85}b", None),
            ("a\0", None),
        ] {
            assert_eq!(escaped(name).as_deref(), id, "{name:?}");
        }
        assert!(escaped(&"a".repeat(MAX_SUBJECT_BYTES)).is_some());
        assert!(escaped(&"a".repeat(MAX_SUBJECT_BYTES + 1)).is_none());
    }

    proptest! {
        /// Break: leave `%` as it is.
        #[test]
        fn r4_two_names_never_become_one_id(one in ".{1,12}", other in "[a%*,2CA]{1,8}", third in "[a%*,2CA]{1,8}") {
            for (left, right) in [(&one, &other), (&other, &third)] {
                if let (Some(a), Some(b)) = (escaped(left), escaped(right)) {
                    prop_assert_eq!(a == b, left == right);
                    let is_plain = a.bytes().all(|byte| byte.is_ascii_graphic() && !b"*+,?{}[]|\\\"".contains(&byte));
                    prop_assert!(is_plain);
                }
            }
        }
    }
}
