//! The versioned cache folder: `$XDG_CACHE_HOME/lockstep/tools-v1/<tool>`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Doing as _, Failure, Outcome};
use crate::workspace::{now, variable};

/// Raise it when the layout of a tool's folder changes; old folders can then be deleted.
const LAYOUT: &str = "tools-v1";

/// Stands in a folder that is whole.
const MARKER: &str = ".complete";

/// Where the tools are kept.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the folder, making it when it isn't there.
    pub(crate) fn open() -> Outcome<Self> {
        // The XDG rules: a relative path is to be ignored.
        let base = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let base = base.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
        let Some(base) = base else {
            return Err(Failure::new("there is no cache folder: set XDG_CACHE_HOME (an absolute path) or HOME"));
        };
        Self::at(&base)
    }

    /// Opens the folder below `base`.
    pub(crate) fn at(base: &Path) -> Outcome<Self> {
        let root = base.join("lockstep").join(LAYOUT);
        fs::create_dir_all(&root).at("create", &root)?;
        Ok(Self { root })
    }

    /// The folder of `name`, made by `make` when it isn't there: `make` gets an empty folder and a log file.
    ///
    /// Two runs at once wait for each other; a run that is cut short leaves only a partial folder, which the next one
    /// throws away.
    pub(crate) fn install(&self, name: &str, make: impl FnOnce(&Path, &Path) -> Outcome) -> Outcome<PathBuf> {
        let home = self.root.join(name);
        if home.join(MARKER).is_file() {
            return Ok(home);
        }
        let lock = self.root.join(format!("{name}.lock"));
        let lock = File::create(&lock).at("create", &lock)?;
        lock.lock().doing(|| format!("can't wait for the other run that fetches {name}"))?;
        if home.join(MARKER).is_file() {
            return Ok(home);
        }
        println!("fetching {name} (once, into {})", self.root.display());
        let started = now();
        let partial = self.root.join(format!("{name}.partial"));
        let log = self.root.join(format!("{name}.log"));
        for left in [&partial, &home] {
            if left.exists() {
                fs::remove_dir_all(left).at("remove", left)?;
            }
        }
        File::create(&log).at("create", &log)?;
        fs::create_dir_all(&partial).at("create", &partial)?;
        make(&partial, &log).map_err(|failure| Failure::new(format!("can't fetch {name}: {failure}")))?;
        let marker = partial.join(MARKER);
        fs::write(&marker, b"").at("write", &marker)?;
        fs::rename(&partial, &home).at("rename", &partial)?;
        println!("fetched {name} in {} s", started.elapsed().as_secs());
        Ok(home)
    }
}

/// A short name for a text of pins (FNV-1a): other pins, another folder.
pub(crate) fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:08x}", hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lockstep-xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_tool_is_made_once_and_a_failed_one_is_made_again() {
        let base = temporary("cache");
        let cache = Cache::at(&base).unwrap();
        let failed = cache.install("tool-1", |folder, _| {
            fs::write(folder.join("half"), b"").unwrap();
            Err(Failure::new("cut short"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "can't fetch tool-1: cut short");
        assert!(!base.join("lockstep/tools-v1/tool-1").exists());
        let home = cache
            .install("tool-1", |folder, _| {
                assert!(!folder.join("half").exists(), "a partial folder is thrown away");
                fs::write(folder.join("whole"), b"").at("write", folder)
            })
            .unwrap();
        assert!(home.join("whole").is_file());
        cache.install("tool-1", |_, _| Err(Failure::new("made twice"))).unwrap();
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn other_pins_give_another_folder() {
        assert_ne!(fingerprint("moto==5.2.5"), fingerprint("moto==5.2.6"));
        assert_eq!(fingerprint("moto==5.2.5"), fingerprint("moto==5.2.5"));
    }
}
