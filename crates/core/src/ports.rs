//! The ports: traits that the host fills in. None has a default; an assembly that forgets one does not compile.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::{AuditRecord, Error, Result, SecretValue, UnixMillis};

/// One HTTP exchange, whole: redirects are never followed, the body is read to its end or to a limit.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// `Network` (no connection, or it broke; [`Error::is_unsent`](crate::Error::is_unsent) says whether
    /// it is certain that nothing was sent), `Tls`, `Timeout`,
    /// `TooLarge` (more than `limits.response_bytes`, on the wire or unpacked). The caller adds operation and name.
    async fn send(&self, request: http::Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>>;

    /// Sends the request and gives the answer once its head is there; the body comes in pieces, for as long as the other
    /// side goes on. For what never ends by itself, such as a watch.
    ///
    /// # Errors
    /// As [`send`](Self::send) until the head is there; `Unsupported` from a host that reads whole answers alone.
    async fn stream(&self, request: http::Request<Bytes>, limits: StreamLimits) -> Result<http::Response<Pieces>> {
        let _ = (request, limits);
        Err(Error::unsupported("read an answer piece by piece"))
    }
}

/// The body of a streamed answer.
pub type Pieces = Box<dyn ByteStream>;

/// A body that comes in pieces, cut anywhere.
#[async_trait]
pub trait ByteStream: Send {
    /// The next piece, never an empty one; `None` at the end of the body. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Network` when the connection broke, `Timeout` when nothing came within [`StreamLimits::idle`]. Nothing more
    /// comes after an error.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

/// What a streamed answer may take. How long its lines are is for its reader to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// From the first byte sent to the end of the answer's head.
    pub head: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
}

/// What one exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte sent to the last byte read.
    pub time: Duration,
    /// Bytes of the answer's body, after unpacking.
    pub response_bytes: usize,
    /// Keys and items of the answer's JSON. A transport reads none: whoever parses the answer holds it
    /// ([`Structure`](crate::Structure)).
    pub members: usize,
}

/// An extension of a request that makes something, though its method is a safe one: a transport never sends it twice,
/// not even when a connection that it has kept turns out to be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOnce;

/// Opens connections for protocols that are not HTTP.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// A connection, with TLS if it is asked for.
    ///
    /// # Errors
    /// `Network`, `Tls`, `Timeout`; `Config` when a file of the TLS profile can't be used.
    async fn open(&self, target: &SocketTarget) -> Result<Box<dyn Socket>>;
}

/// A host that opens no connections of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSockets;

#[async_trait]
impl Sockets for NoSockets {
    async fn open(&self, _: &SocketTarget) -> Result<Box<dyn Socket>> {
        Err(Error::unsupported("open a connection: this host has none"))
    }
}

/// An open connection; dropped, it is closed.
#[async_trait]
pub trait Socket: Send {
    /// The next bytes, never none; `None` at the end. Whoever stops waiting can't go on: what had come may be lost.
    ///
    /// # Errors
    /// `Network` when the connection broke.
    async fn read(&mut self) -> Result<Option<Bytes>>;

    /// Writes all of these bytes.
    ///
    /// # Errors
    /// `Network` when the connection broke.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Where a [`Socket`] leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketTarget {
    /// A name or an address; that of IPv6 without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
    /// Whom to trust, and what to show; `None` is a connection without TLS.
    pub tls: Option<TlsProfile>,
}

/// Builds one [`Transport`] per provider, with its own TLS profile.
pub trait Transports: Send + Sync {
    /// A transport with this profile.
    fn build(&self, profile: &TlsProfile) -> Result<Arc<dyn Transport>>;
}

/// Whom a provider's transport trusts and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsProfile {
    /// Roots in PEM, instead of the built-in ones.
    pub ca: Option<Pem>,
    /// A client certificate and its key, in PEM.
    pub client: Option<(Pem, Pem)>,
}

/// Where certificates or a key in PEM come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    /// This file.
    File(Box<Path>),
    /// These bytes, which stood inside something else. Nobody sees them: it may be a key.
    Bytes(Arc<SecretValue>),
}

impl Pem {
    /// PEM that was read already.
    pub fn bytes(bytes: impl Into<SecretValue>) -> Self {
        Self::Bytes(Arc::new(bytes.into()))
    }
}

/// The environment variables that this process was given.
pub trait Env: Send + Sync {
    /// The variable's value; `None` when it is unset, empty or not UTF-8.
    fn var(&self, name: &str) -> Option<String>;
}

/// Files of the host.
pub trait Files: Send + Sync {
    /// Reads a whole file of at most `limit` bytes.
    fn read(&self, path: &Path, limit: usize) -> Result<FileContent>;

    /// What changes when a file changes, without reading it.
    fn stamp(&self, path: &Path) -> Result<FileStamp>;

    /// Writes these bytes to the end of a file, all of them or none; makes the file, for its owner alone (mode 0600),
    /// when it is not there. Several processes may append to one file: none writes into another's bytes.
    ///
    /// # Errors
    /// `Config` when the path is a symbolic link or no regular file, when others may open the file, or when it belongs
    /// to another user.
    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()>;
}

/// A file that was read. The bytes are wiped on drop.
#[derive(Debug)]
pub struct FileContent {
    /// What it holds.
    pub bytes: Zeroizing<Vec<u8>>,
    /// As it was when it was opened.
    pub stamp: FileStamp,
}

/// What changes when a file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// When its content changed last.
    pub modified: UnixMillis,
    /// Its length in bytes.
    pub len: u64,
    /// Device and inode: another file put in its place.
    pub identity: (u64, u64),
    /// Permission bits; 0 where the host has none.
    pub mode: u32,
    /// Whether it belongs to the user that this process runs as, or to root.
    pub own: bool,
}

/// A source of random bytes fit for tokens and keys.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// How a [`Signer`] signs (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256; the signature is `r` and `s`, 32 bytes each.
    Es256,
}

impl SignatureAlgorithm {
    /// The name in the header of a JWT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }
}

/// Signs with a private key of ours, for logins by assertion. It may wait: WebCrypto does.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The signature of this message.
    ///
    /// # Errors
    /// `Unauthenticated` when the key is none: a PKCS #8 key in PEM (`BEGIN PRIVATE KEY`), or for RSA also
    /// `BEGIN RSA PRIVATE KEY`, that fits the algorithm. The message holds nothing of the key.
    async fn sign(&self, key: &SecretValue, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>>;
}

/// What a host has bound to this process by name, and nothing else can read (Cloudflare's bindings).
#[async_trait]
pub trait Bindings: Send + Sync {
    /// Whether this host has bindings at all.
    ///
    /// # Errors
    /// `Unsupported` when it has none.
    fn available(&self) -> Result<()>;

    /// The secret behind a binding.
    ///
    /// # Errors
    /// `Unsupported` from a host without bindings, `Config` when nothing is bound to the name, `Unavailable` when what
    /// is bound can't be read now: a host does not tell a missing secret from one that it fails to read.
    async fn secret(&self, binding: &str) -> Result<SecretValue>;
}

/// Runs programs that the operator has named, such as a cloud's own tool that prints a credential.
#[async_trait]
pub trait Exec: Send + Sync {
    /// Runs the program to its end, without a shell, its standard input closed, and gives what it wrote on its standard
    /// output.
    ///
    /// # Errors
    /// `Config` when there is no such program or it may not be run, `Unavailable` when it ended badly, `Timeout` when it
    /// was ended at its limit, `TooLarge` when it wrote too much, `Unsupported` on a host without programs. Nothing that
    /// it wrote stands in an error.
    async fn run(&self, program: &Program) -> Result<SecretValue>;
}

/// A program to run.
#[derive(Clone)]
pub struct Program {
    /// The program; looked for on `PATH` when it has no `/`.
    pub path: Box<Path>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that it gets beside those of this process.
    pub environment: Vec<(String, String)>,
    /// How long it may take.
    pub time: Duration,
    /// How many bytes it may write.
    pub output_bytes: usize,
}

impl fmt::Debug for Program {
    /// Arguments and variables are left out: a password may stand in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A host that runs no programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExec;

#[async_trait]
impl Exec for NoExec {
    async fn run(&self, _: &Program) -> Result<SecretValue> {
        Err(Error::unsupported("run a program: this host has none"))
    }
}

/// A number in `0.0..1.0` from a source of random bytes.
pub fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// Where audit records go.
pub trait AuditSink: Send + Sync {
    /// Takes one record. It does not wait for what is slow.
    ///
    /// # Errors
    /// `Unavailable` when the record is not taken, and what it tells of must not be released. A sink that is told to
    /// drop what it can't take says that it has taken it, and counts it.
    fn write(&self, record: &AuditRecord) -> Result<()>;

    /// Whether the next record is likely to be taken. While it is not, nothing is counted to be written later.
    fn is_ready(&self) -> bool;

    /// How many records could not be written since the start.
    fn lost(&self) -> u64;
}
