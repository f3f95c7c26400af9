//! Lists of names, whole trees of them, from an API that lists one folder at a time.
//!
//! Names come in the order of their bytes, so a page token is just a position in that order: everything up to it has
//! been answered. A page asks for at most [`FOLDERS`] folders, so it may be short, or empty, and still have a next one.

use lockstep_core::{Result, SecretName};

/// Folders that one page reads at most.
pub(super) const FOLDERS: usize = 64;
/// Deeper folders are not listed: a page could not get there and come forward.
const DEPTH: usize = 32;
/// Sorts after every name that begins with what stands before it.
const END: char = '\u{10FFFF}';

/// What one folder holds: keys, folders among them ending in `/`.
#[async_trait::async_trait]
pub(super) trait Folders: Sync {
    /// The keys of a folder, in any order. `folder` is a full name that ends in `/`, the mount at its beginning.
    async fn keys(&self, folder: &str) -> Result<Vec<String>>;
}

/// A walk through the folders for one page.
pub(super) struct Walk<'a> {
    pub(super) folders: &'a dyn Folders,
    /// Names begin with this.
    pub(super) prefix: &'a str,
    /// Names up to here were answered.
    pub(super) after: String,
    pub(super) limit: usize,
    pub(super) found: Vec<SecretName>,
    pub(super) read: usize,
}

impl Walk<'_> {
    /// Walks the roots, each a mount or folder that ends in `/`, and says where to go on, `None` at the end.
    pub(super) async fn run(&mut self, mut roots: Vec<String>) -> Result<Option<String>> {
        roots.sort_unstable();
        // A stack instead of recursion; what stands on it is in order, first on top.
        let mut open: Vec<String> = roots.into_iter().rev().collect();
        while let Some(next) = open.pop() {
            if !self.is_wanted(&next) {
                continue;
            }
            if !next.ends_with('/') {
                if self.found.len() == self.limit {
                    return Ok(Some(self.after.clone()));
                }
                self.after.clone_from(&next);
                if let Ok(name) = SecretName::parse(&next) {
                    self.found.push(name);
                }
                continue;
            }
            if self.read == FOLDERS {
                return Ok(Some(self.after.clone()));
            }
            if next.matches('/').count() > DEPTH {
                self.after = format!("{next}{END}");
                continue;
            }
            self.read += 1;
            let mut keys = self.folders.keys(&next).await?;
            keys.sort_unstable();
            if keys.is_empty() {
                self.after = format!("{next}{END}");
            }
            open.extend(keys.into_iter().rev().map(|key| format!("{next}{key}")));
        }
        Ok(None)
    }

    /// Whether something at or below the entry has still to be answered.
    fn is_wanted(&self, entry: &str) -> bool {
        let (prefix, after) = (self.prefix, self.after.as_str());
        if entry.ends_with('/') {
            let may_hold = entry.starts_with(prefix) || prefix.starts_with(entry);
            may_hold && (entry > after || after.starts_with(entry) && !after[entry.len()..].starts_with(END))
        } else {
            entry.starts_with(prefix) && entry > after
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    struct Tree(BTreeMap<String, BTreeSet<String>>);

    impl Tree {
        fn of(names: &BTreeSet<String>) -> Self {
            let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for name in names {
                let mut start = 0;
                for (at, _) in name.match_indices('/') {
                    if start > 0 {
                        folders.entry(name[..start].into()).or_default().insert(name[start..=at].into());
                    }
                    start = at + 1;
                }
                folders.entry(name[..start].into()).or_default().insert(name[start..].into());
            }
            Self(folders)
        }
    }

    #[async_trait::async_trait]
    impl Folders for Tree {
        async fn keys(&self, folder: &str) -> Result<Vec<String>> {
            Ok(self.0.get(folder).into_iter().flatten().cloned().collect())
        }
    }

    fn all(tree: &Tree, prefix: &str, limit: usize) -> Vec<String> {
        let (mut names, mut after) = (Vec::new(), String::new());
        for _ in 0..1000 {
            let mut walk = Walk { folders: tree, prefix, after, limit, found: Vec::new(), read: 0 };
            let next = futures_util::FutureExt::now_or_never(walk.run(vec!["m/".into()])).unwrap().unwrap();
            names.extend(walk.found.iter().map(|name| name.as_str().to_owned()));
            match next {
                Some(next) => after = next,
                None => return names,
            }
        }
        panic!("the list does not end: {names:?}");
    }

    proptest! {
        #[test]
        fn the_pages_hold_every_name_once_and_in_order(
            names in prop::collection::btree_set("m(/[a-c-]{1,2}){1,4}", 0..150),
            limit in 1usize..20,
            prefix in "m(/[a-c]){0,2}/?",
        ) {
            let tree = Tree::of(&names);
            let expected: Vec<String> = names.into_iter().filter(|name| name.starts_with(&prefix)).collect();
            prop_assert_eq!(all(&tree, &prefix, limit), expected);
        }
    }

    #[test]
    fn empty_folders_do_not_stop_the_walk() {
        let mut tree = Tree::of(&BTreeSet::from(["m/zz/last".to_owned()]));
        let root = tree.0.get_mut("m/").unwrap();
        root.extend((0..FOLDERS * 3).map(|number| format!("empty-{number:04}/")));
        assert_eq!(all(&tree, "m/", 10), ["m/zz/last"]);
    }
}
