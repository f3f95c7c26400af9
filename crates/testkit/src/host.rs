//! Small ports for tests: environment, files, randomness, bindings, programs.
//!
//! Everything is in memory and does what it is told. What needs a runtime is in `runtime`, the HTTP port in `transport`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{
    Bindings, Env, Error, ErrorKind, Exec, FileContent, FileStamp, Files, Program, Random, Result, SecretValue,
    SignatureAlgorithm, Signer, UnixMillis,
};
use zeroize::Zeroizing;

/// An environment that holds what the test put in.
#[derive(Debug, Default)]
pub struct TestEnv(Mutex<BTreeMap<String, String>>);

impl TestEnv {
    /// An environment of these variables.
    pub fn of(variables: &[(&str, &str)]) -> Arc<Self> {
        let map = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Arc::new(Self(Mutex::new(map)))
    }

    /// Sets a variable.
    pub fn set(&self, name: &str, value: &str) {
        locked(&self.0).insert(name.to_owned(), value.to_owned());
    }

    /// Removes a variable.
    pub fn unset(&self, name: &str) {
        locked(&self.0).remove(name);
    }
}

impl Env for TestEnv {
    fn var(&self, name: &str) -> Option<String> {
        locked(&self.0).get(name).filter(|value| !value.is_empty()).cloned()
    }
}

/// Files in memory. A new file is ours and has mode 0600.
#[derive(Debug, Default)]
pub struct TestFiles {
    files: Mutex<BTreeMap<PathBuf, TestFile>>,
    writes: AtomicU64,
    full: Mutex<Option<ErrorKind>>,
}

#[derive(Debug, Clone)]
struct TestFile {
    bytes: Vec<u8>,
    stamp: FileStamp,
    /// Reads since the test began.
    reads: usize,
}

impl TestFiles {
    /// No file at all.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Writes a file. Its stamp changes with every write, however fast they follow each other, and whatever was there
    /// before.
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        self.put(path.as_ref(), bytes.as_ref(), false);
    }

    /// Every [`Files::append`] fails like this from now on; with `None`, none does.
    pub fn fail_appends(&self, kind: Option<ErrorKind>) {
        *locked(&self.full) = kind;
    }

    fn put(&self, path: &Path, bytes: &[u8], append: bool) {
        let nth = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let modified = crate::clock::START.plus(Duration::from_millis(nth));
        let mut files = locked(&self.files);
        let file = files.entry(path.to_owned()).or_insert_with(|| TestFile {
            bytes: Vec::new(),
            stamp: FileStamp { modified, len: 0, identity: (1, nth), mode: 0o600, own: true },
            reads: 0,
        });
        if !append {
            file.bytes.clear();
        }
        file.bytes.extend_from_slice(bytes);
        file.stamp.len = file.bytes.len() as u64;
        file.stamp.modified = modified;
    }

    /// Removes a file.
    pub fn remove(&self, path: impl AsRef<Path>) {
        locked(&self.files).remove(path.as_ref());
    }

    /// Changes what [`Files::stamp`] says of a file: its mode, its owner, its time.
    pub fn restamp(&self, path: impl AsRef<Path>, change: impl FnOnce(&mut FileStamp)) {
        if let Some(file) = locked(&self.files).get_mut(path.as_ref()) {
            change(&mut file.stamp);
        }
    }

    /// How often the file was read whole.
    pub fn reads(&self, path: impl AsRef<Path>) -> usize {
        locked(&self.files).get(path.as_ref()).map_or(0, |file| file.reads)
    }
}

impl Files for TestFiles {
    fn read(&self, path: &Path, limit: usize) -> Result<FileContent> {
        let mut files = locked(&self.files);
        let file = files.get_mut(path).ok_or_else(|| missing(path))?;
        if file.bytes.len() > limit {
            return Err(Error::new(ErrorKind::TooLarge, format!("{} is larger than {limit} bytes", path.display())));
        }
        file.reads += 1;
        Ok(FileContent { bytes: Zeroizing::new(file.bytes.clone()), stamp: file.stamp })
    }

    fn stamp(&self, path: &Path) -> Result<FileStamp> {
        locked(&self.files).get(path).map(|file| file.stamp).ok_or_else(|| missing(path))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if let Some(kind) = *locked(&self.full) {
            return Err(Error::new(kind, format!("can't write to {}: the test said so", path.display())));
        }
        if locked(&self.files).get(path).is_some_and(|file| file.stamp.mode & 0o077 != 0 || !file.stamp.own) {
            return Err(Error::new(ErrorKind::Config, format!("{} may be opened by others", path.display())));
        }
        self.put(path, bytes, true);
        Ok(())
    }
}

fn missing(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no file {}", path.display()))
}

/// Random bytes that are the same in every run (SplitMix64). Fit for tests alone.
#[derive(Debug)]
pub struct TestRandom(AtomicU64);

impl TestRandom {
    /// A sequence of its own per seed.
    pub fn seeded(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks_mut(8) {
            let mut word = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Signs nothing: its signature is the name of the algorithm. Who looks at signatures needs ring's.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestSigner;

#[async_trait::async_trait]
impl Signer for TestSigner {
    async fn sign(&self, _: &SecretValue, algorithm: SignatureAlgorithm, _: &[u8]) -> Result<Vec<u8>> {
        Ok(algorithm.name().into())
    }
}

/// Bindings in memory. What is not set can't be read now.
#[derive(Debug, Default)]
pub struct TestBindings(Mutex<BTreeMap<String, String>>);

impl TestBindings {
    /// These bindings.
    pub fn of(bindings: &[(&str, &str)]) -> Arc<Self> {
        let map = bindings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Arc::new(Self(Mutex::new(map)))
    }

    /// Binds a value.
    pub fn set(&self, binding: &str, value: &str) {
        locked(&self.0).insert(binding.to_owned(), value.to_owned());
    }

    /// Takes a value away.
    pub fn unset(&self, binding: &str) {
        locked(&self.0).remove(binding);
    }
}

#[async_trait::async_trait]
impl Bindings for TestBindings {
    fn available(&self) -> Result<()> {
        Ok(())
    }

    async fn secret(&self, binding: &str) -> Result<SecretValue> {
        let value = locked(&self.0).get(binding).map(|value| SecretValue::from(value.as_str()));
        value.ok_or_else(|| Error::new(ErrorKind::Unavailable, "what is bound can't be read now"))
    }
}

/// Programs that a function stands in for. It remembers what was run.
pub struct TestExec {
    script: Mutex<ProgramScript>,
    ran: Mutex<Vec<Program>>,
}

type ProgramScript = Box<dyn FnMut(&Program) -> Result<SecretValue> + Send>;

impl TestExec {
    /// Whatever is run is this function.
    pub fn by(script: impl FnMut(&Program) -> Result<SecretValue> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(Box::new(script)), ran: Mutex::default() })
    }

    /// Every program that was run, in order.
    pub fn ran(&self) -> Vec<Program> {
        locked(&self.ran).clone()
    }
}

#[async_trait::async_trait]
impl Exec for TestExec {
    async fn run(&self, program: &Program) -> Result<SecretValue> {
        locked(&self.ran).push(program.clone());
        (locked(&self.script))(program)
    }
}

/// A time in 2026, so many seconds after [`START`](crate::clock::START).
pub fn later(seconds: u64) -> UnixMillis {
    crate::clock::START.plus(Duration::from_secs(seconds))
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
