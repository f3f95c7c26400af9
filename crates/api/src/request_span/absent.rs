//! What stands in the place of a request's span in a program that has none.

use http::{Method, StatusCode};
use lockstep_core::{Answer, Call};

use super::Begun;
use crate::api::Api;
use crate::guard::Head;
use crate::routes::Row;

/// No span.
pub(crate) struct RequestSpan;

impl Api {
    #[expect(clippy::unused_self, reason = "it is used like the span that it stands for")]
    pub(crate) fn request_span(&self, _: &Head<'_>, _: Begun) -> RequestSpan {
        RequestSpan
    }
}

#[expect(clippy::unused_self, reason = "it is used like the span that it stands for")]
impl RequestSpan {
    pub(crate) fn routed(&mut self, _: &Row) {}

    pub(crate) fn put_into(&self, _: &mut Call) {}

    pub(crate) fn access(&self) -> Self {
        Self
    }

    pub(crate) fn answered(self, _: Option<&Answer>) {}

    pub(crate) fn ended(self, _: &Method, _: StatusCode) {}
}
