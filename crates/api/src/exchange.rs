//! [`Exchange`]: one request between the hall and a handler, and [`Stop`], which ends it without an answer of the handler's
//! own.
//!
//! What stands here has passed every check of its head; nothing here makes one.

use bytes::Bytes;
use lockstep_core::{Answer, Ask, Call, Error, Hops, Principal, RequestId};

use crate::api::Api;
use crate::guard::Head;
use crate::refusal::Refusal;
use crate::request_id::trace;
use crate::request_span::RequestSpan;
use crate::routes::{Row, Where};
use crate::target::Target;

/// A request that passed every check of its head.
pub(crate) struct Admitted<'a> {
    pub(crate) row: &'static Row,
    pub(crate) target: Target<'a>,
    pub(crate) hops: Hops,
    pub(crate) rest: usize,
    pub(crate) who: Principal,
}

/// One request on its way through a handler.
pub(crate) struct Exchange<'a> {
    pub(crate) row: &'static Row,
    target: Target<'a>,
    rest: usize,
    pub(crate) head: Head<'a>,
    pub(crate) id: RequestId,
    pub(crate) who: Principal,
    /// The endpoints that it has come through, this one included.
    pub(crate) hops: Hops,
    pub(crate) body: Bytes,
    pub(crate) span: RequestSpan,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        admitted: Admitted<'a>,
        head: Head<'a>,
        id: RequestId,
        body: Bytes,
        mut span: RequestSpan,
    ) -> Self {
        let Admitted { row, target, hops, rest, who } = admitted;
        span.routed(row);
        Self { row, target, rest, head, id, who, hops, body, span }
    }

    pub(crate) fn to(&self) -> Where {
        self.row.to
    }

    pub(crate) fn target(&self) -> &Target<'a> {
        &self.target
    }

    /// What stands after the route's prefix.
    pub(crate) fn rest(&self) -> &str {
        self.target.path.get(self.rest..).unwrap_or_default()
    }

    /// The call that goes on to the resolver.
    pub(crate) fn call(&self, api: &Api) -> Call {
        let time = api.limits().request_time;
        let mut call = Call::new(api.clock().clone(), api.spawn().clone(), self.id.clone(), time);
        call.hops = self.hops.clone();
        if api.takes_traces_over() {
            call.trace = trace(self.head.trace.one());
        }
        self.span.put_into(&mut call);
        call
    }

    /// Reads one secret if nothing has to be waited for.
    pub(crate) fn get_at_once(&self, api: &Api, ask: &Ask) -> Option<Answer> {
        let span = self.span.access();
        let answer = api.resolver().get_at_once(&self.id, &self.who, ask, || self.call(api));
        span.answered(answer.as_ref());
        answer
    }
}

/// Why a handler has no answer of its own.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody was asked. It is still to be audited.
    Refused(Refusal),
    /// The resolver failed, and has audited it.
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
