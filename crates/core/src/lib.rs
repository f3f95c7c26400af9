//! The domain of Lockstep: secrets, references, the provider contract, the cache, freshness and the layers around a
//! provider.
//!
//! No I/O and no clock live here: what the host has to give comes in through the [ports](crate::Clock). Everything
//! compiles for wasm.
//!
//! The way of a request: [`Resolver::get`] plans it, authorizes each candidate, checks freshness, looks into the cache,
//! and asks the provider through [`Upstream`] when it must.

#![forbid(unsafe_code)]

mod access;
mod alias;
mod audit;
mod cache;
mod call;
mod error;
mod freshness;
mod front_door;
pub mod hex;
mod hops;
mod journal;
mod key;
mod ledger;
mod loopback;
mod metrics;
mod name;
mod network;
mod pace;
mod pattern;
mod plan;
mod ports;
mod provider;
mod reach;
mod recent;
mod reference;
mod rendition;
mod request_id;
mod resolver;
mod scope;
mod secret;
mod selector;
mod settings;
mod span;
mod structure;
mod sync;
mod target;
mod template;
mod time;
mod upstream;
mod value;

pub use self::access::{Action, Authorizer, Claims, Decision, Login, Principal, Resource};
pub use self::alias::{Alias, AliasError};
pub use self::audit::{
    AuditRecord, Chain, ChainBreak, ChainEnd, ChainFault, ChainHash, ChainKey, ChainLine, ChainPlace, ChainReport,
    ChainTail, ChainVerifier, ChainWriter, Outcome, lost_line,
};
pub use self::call::{Call, Spawn, Task, TraceParent};
pub use self::error::{Error, ErrorKind, Operation, Result, Retry};
pub use self::front_door::{AwsCaller, FrontDoor, Peer};
pub use self::hops::{HOPS_HEADER, Hops};
pub use self::journal::{Change, ChangeKind, ChangedName, Cursor, Feed, Journal, MemoryJournal, Source};
pub use self::key::{KeyPath, KeyPathError, MAX_KEY_BYTES, MAX_KEY_DEPTH};
pub use self::loopback::is_loopback;
pub use self::metrics::{CacheFound, Meter, MetricsSink};
pub use self::name::{MAX_NAME_BYTES, NameError, SecretName};
pub use self::network::network;
pub use self::pace::Pace;
pub use self::pattern::{Pattern, PatternError};
pub use self::ports::{
    AuditSink, Bindings, ByteStream, Env, Exec, FileContent, FileStamp, Files, Limits, NoExec, NoSockets, Pem, Pieces,
    Program, Random, SendOnce, SignatureAlgorithm, Signer, Socket, SocketTarget, Sockets, StreamLimits, TlsProfile,
    Transport, Transports, fraction,
};
pub use self::provider::{Capabilities, ChangeSource, GET_MANY_CONCURRENCY, Provider};
pub use self::reach::Reach;
pub use self::recent::Recent;
pub use self::reference::{MAX_REFERENCE_BYTES, ReferenceError, ReferenceFault, SecretRef};
pub use self::rendition::{Kept, Rendition};
pub use self::request_id::RequestId;
pub use self::resolver::{
    Answer, Ask, CacheStatus, Described, Invalidation, Mount, Reported, Resolver, ResolverParts, Told,
};
pub use self::scope::{CanonicalId, Scope, ScopeParts};
pub use self::secret::{
    Filter, Lease, Metadata, Page, Paged, Relay, Rotation, Secret, Version, VersionInfo, VersionState,
};
pub use self::selector::{MAX_SELECTOR_BYTES, Selector};
pub use self::settings::{
    AuditHits, CacheSettings, Fallback, FreshnessSettings, OnOutage, Route, Ttl, UpstreamSettings, WhenFull,
};
#[cfg(feature = "spans")]
pub use self::span::{OpenSpan, Sampling, Span, SpanCounts, SpanKind, SpanSink, SpanValue, Tracer, TracerParts};
pub use self::structure::{Bound, Excess, MAX_DEPTH, MAX_MEMBERS, Structure};
pub use self::template::{Context, Segment, Template};
pub use self::time::{Clock, Moment, Timeline, UnixMillis};
pub use self::upstream::Upstream;
pub use self::value::{Encoding, Field, Payload, SecretValue};
