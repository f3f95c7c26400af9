//! [`ProcessEnv`]: the environment of this process, read and never written.

use std::ffi::OsString;

use lockstep_core::Env;

/// The environment that this process was started with.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnv;

impl ProcessEnv {
    /// The names of all variables, without those that are no text.
    pub fn names() -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl Env for ProcessEnv {
    #[expect(clippy::disallowed_methods, reason = "this is the Env port")]
    fn var(&self, name: &str) -> Option<String> {
        // The standard library panics on names that no variable can have.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var_os(name).map(text).filter(|value| !value.is_empty())
    }
}

/// What is no UTF-8 keeps its place with a character that no token, path or number has: a variable that is set and wrong
/// is refused by who reads it, and never looks unset.
fn text(value: OsString) -> String {
    value.into_string().unwrap_or_else(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: take what is no UTF-8 for unset.
    #[test]
    fn a_variable_that_is_no_utf_8_is_set_and_readable_by_nobody() {
        use std::os::unix::ffi::OsStringExt as _;
        assert_eq!(text(OsString::from_vec(b"t\xffken".to_vec())), "t\u{fffd}ken");
        assert_eq!(text("token".into()), "token");
    }

    #[test]
    fn a_set_variable_is_read_and_an_unset_or_impossible_one_is_none() {
        assert!(ProcessEnv.var("PATH").is_some());
        for name in ["LOCKSTEP_NATIVE_UNSET", "", "a=b", "a\0b"] {
            assert_eq!(ProcessEnv.var(name), None, "{name:?}");
        }
    }
}
