//! [`VaultSurface`]: which mounts exist, which provider stands behind each, and which name a path below one is.

use lockstep_core::{Alias, Error, ErrorKind, Result, SecretName};

use crate::refusal::Refusal;

/// First segments that are Vault's own.
const RESERVED: [&str; 5] = ["sys", "auth", "identity", "cubbyhole", "audit"];
/// The longest path of a mount, in bytes.
const MAX_PATH: usize = 128;

/// Which version of Vault's key/value store a mount looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvVersion {
    /// Values alone: `/v1/{mount}/{path}`.
    One,
    /// Values with versions: `/v1/{mount}/data/{path}`.
    Two,
}

/// A mount: a path of ours for the names of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultMount {
    /// Where it is mounted, without slashes around it.
    pub(super) path: Box<str>,
    /// Who is asked.
    pub(super) provider: Alias,
    /// What it looks like.
    pub(super) kv: KvVersion,
    /// What stands before a path in the provider's names: nothing, or whole segments with a slash at the end.
    pub(super) prefix: Box<str>,
}

impl VaultMount {
    /// A mount at this path.
    ///
    /// # Errors
    /// `Config` when the path or the prefix is none.
    pub fn new(path: &str, provider: Alias, kv: KvVersion, prefix: &str) -> Result<Self> {
        let is_word = |segment: &str| {
            segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
                && segment.bytes().any(|b| b != b'.')
        };
        if path.len() > MAX_PATH || !path.split('/').all(is_word) {
            return Err(wrong(
                "a mount has letters, digits, `-`, `_` and `.`, and `/` only between them; write for example `secret`",
            ));
        }
        if path.split('/').next().is_some_and(|first| RESERVED.contains(&first)) {
            return Err(wrong("Vault keeps this path for itself; write for example `secret`"));
        }
        let is_folder = prefix.is_empty() || prefix == "/" || {
            let inner = prefix.strip_suffix('/');
            inner.is_some_and(|inner| SecretName::parse(inner).is_ok())
        };
        if !is_folder {
            // Without the slash, `app` would also be the beginning of `application/…`.
            return Err(wrong("a prefix is a folder of the provider; write for example `app/`"));
        }
        Ok(Self { path: path.into(), provider, kv, prefix: prefix.into() })
    }

    /// The name of what is at a path below.
    pub(super) fn name(&self, path: &str) -> Result<SecretName, Refusal> {
        SecretName::parse(&format!("{}{path}", self.prefix)).map_err(|error| Refusal::Invalid(error.into()))
    }
}

/// What stands behind the listener for Vault's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSurface {
    mounts: Vec<VaultMount>,
}

impl VaultSurface {
    /// A surface of these mounts.
    ///
    /// # Errors
    /// `Config` when one mount stands in another: what is below both would be two things.
    pub fn new(mounts: Vec<VaultMount>) -> Result<Self> {
        for (index, mount) in mounts.iter().enumerate() {
            let inside = |other: &VaultMount| below(&mount.path, &other.path).is_some();
            if let Some((_, other)) = mounts.iter().enumerate().find(|(at, other)| *at != index && inside(other)) {
                let message =
                    format!("the mount `{}` stands in the mount `{}`; rename one of them", mount.path, other.path);
                return Err(wrong(message));
            }
        }
        Ok(Self { mounts })
    }

    pub(super) fn mounts(&self) -> &[VaultMount] {
        &self.mounts
    }

    /// The mount that a path is in, and what stands below it.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<(&VaultMount, &'p str)> {
        self.mounts.iter().find_map(|mount| Some((mount, below(path, &mount.path)?)))
    }
}

/// What stands below a mount, if the path is in it.
fn below<'p>(path: &'p str, mount: &str) -> Option<&'p str> {
    match path.strip_prefix(mount)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

fn wrong(message: impl Into<Box<str>>) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mount(path: &str, prefix: &str) -> Result<VaultMount> {
        VaultMount::new(path, Alias::parse("p").unwrap(), KvVersion::Two, prefix)
    }

    #[test]
    fn a_mount_is_plain_segments_and_none_of_vaults_own() {
        for good in ["secret", "kv-v2", "team/kv", "a.b_c", "system"] {
            assert!(mount(good, "").is_ok(), "{good}");
        }
        for bad in
            ["", "/", "/secret", "secret/", "a//b", "..", "a/./b", "a b", "a%2fb", "sys", "sys/x", "auth/token", "ä"]
        {
            assert!(mount(bad, "").is_err(), "{bad}");
        }
        assert!(mount(&"a".repeat(129), "").is_err());
    }

    /// Break: let a prefix end without its slash.
    #[test]
    fn r5_a_prefix_is_whole_segments_so_that_no_path_leads_beside_it() {
        for good in ["", "/", "app/", "/app/prod/", "secret/app/"] {
            assert!(mount("m", good).is_ok(), "{good}");
        }
        for bad in ["app", "/app", "a//", "../", "a/../", "//", "a%2f/", "a\\/"] {
            assert!(mount("m", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_mount_stands_in_another() {
        let surface = |paths: &[&str]| VaultSurface::new(paths.iter().map(|path| mount(path, "").unwrap()).collect());
        assert!(surface(&["secret", "secret2", "team/a", "team/b"]).is_ok());
        for paths in [["a", "a"], ["a", "a/b"], ["a/b", "a"]] {
            let error = surface(&paths).unwrap_err();
            assert!(error.message().contains("stands in the mount"), "{paths:?}");
        }
    }

    #[test]
    fn a_path_is_in_one_mount_or_in_none() {
        let surface = VaultSurface::new(vec![mount("secret", "").unwrap(), mount("team/kv", "").unwrap()]).unwrap();
        let found = |path| surface.find(path).map(|(mount, below)| (&*mount.path, below));
        assert_eq!(found("secret/data/a/b"), Some(("secret", "data/a/b")));
        assert_eq!(found("secret"), Some(("secret", "")));
        assert_eq!(found("secret/"), Some(("secret", "")));
        assert_eq!(found("team/kv/metadata/"), Some(("team/kv", "metadata/")));
        for nowhere in ["secrets/data/a", "team", "team/k", "/secret/data/a", ""] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    proptest! {
        /// Break: join prefix and path without parsing the whole.
        #[test]
        fn r5_whatever_the_path_the_name_stays_below_the_prefix(path in "[a-z./%\\\\ é-]{0,12}") {
            if let Ok(name) = mount("m", "team/a/").unwrap().name(&path) {
                prop_assert!(name.as_str().starts_with("team/a/"));
                prop_assert!(name.segments().all(|segment| !segment.is_empty() && segment != "." && segment != ".."));
                prop_assert_eq!(name.as_str(), format!("team/a/{path}"));
            }
        }
    }
}
