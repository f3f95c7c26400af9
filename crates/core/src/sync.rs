//! The locks of what is model-checked. With `--cfg shuttle` they are the model checker's, which tries out orders in
//! which threads may run; else they are the standard library's.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
#[cfg(shuttle)]
pub(crate) use std::sync::PoisonError;
