//! The span of a request: its route and its status, and never a path, which may hold a name.
//!
//! A program without the feature `spans` has [`absent`] instead: of no size, doing nothing.

#[cfg(not(feature = "spans"))]
mod absent;
#[cfg(feature = "spans")]
mod taken;

#[cfg(not(feature = "spans"))]
pub(crate) use self::absent::RequestSpan;
#[cfg(feature = "spans")]
pub(crate) use self::taken::RequestSpan;

/// Whether a request that is looked at will be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Perhaps: else it begins anew, and nothing has happened.
    Perhaps,
    /// It will, unless who sent it goes away.
    Certainly,
}
