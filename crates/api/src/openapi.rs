//! `/openapi.json`: the description of the native API, the same bytes for everybody.
//!
//! It is checked in as `crates/api/openapi.json`. A test makes it anew, from the route table, the tables of problems and
//! the limits, and fails when the file is another (`cargo xtask schema` writes it).

use bytes::Bytes;
use http::Response;

use crate::native::respond;

const DESCRIPTION: &str = include_str!("../openapi.json");

/// The description.
pub(crate) fn describe() -> Response<Bytes> {
    respond(Bytes::from_static(DESCRIPTION.as_bytes()))
}

#[cfg(test)]
mod description;
#[cfg(test)]
mod schemas;
