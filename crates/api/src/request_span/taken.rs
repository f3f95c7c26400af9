//! The span of a request that is answered, by OpenTelemetry's conventions for HTTP servers as far as they hold no name:
//! `url.path` is left out.

use http::{Method, StatusCode};
use lockstep_core::{Answer, Call, OpenSpan, SpanValue, TraceParent};

use super::Begun;
use crate::api::Api;
use crate::guard::Head;
use crate::request_id::trace;
use crate::routes::{Row, Spelling};

/// What conventions call a method that is none of HTTP's own.
const OTHER_METHOD: &str = "_OTHER";

/// The span of a request, where traces are taken.
pub(crate) struct RequestSpan {
    span: Option<OpenSpan>,
    begun: Begun,
    route: Option<&'static str>,
}

impl Api {
    /// Begins the span of a request. A caller's trace is taken over where that is configured.
    pub(crate) fn request_span(&self, head: &Head<'_>, begun: Begun) -> RequestSpan {
        let caller = || if self.takes_traces_over() { trace(head.trace.one()) } else { TraceParent::default() };
        RequestSpan { span: self.tracer().map(|tracer| tracer.request(&caller())), begun, route: None }
    }
}

impl RequestSpan {
    /// Which row of the table it has come to.
    pub(crate) fn routed(&mut self, row: &Row) {
        self.route = route(row.path);
    }

    /// Makes a call part of it.
    pub(crate) fn put_into(&self, call: &mut Call) {
        if let Some(span) = &self.span {
            span.put_into(call);
        }
    }

    /// Begins the span of a read that has to wait for nothing.
    pub(crate) fn access(&self) -> Self {
        let span = self.span.as_ref().map(|span| span.below("secrets.get"));
        Self { span, begun: Begun::Perhaps, route: None }
    }

    /// Ends that; without an answer it has not begun.
    pub(crate) fn answered(mut self, answer: Option<&Answer>) {
        if let (Some(span), Some(answer)) = (self.span.take_if(|_| answer.is_some()), answer) {
            span.answered(Ok(answer));
        }
    }

    /// Ends the span of a request.
    pub(crate) fn ended(mut self, method: &Method, status: StatusCode) {
        let Some(mut span) = self.span.take() else { return };
        let method = known(method);
        // Conventions: a name has the word `HTTP` where the method is not known.
        let first = if method == OTHER_METHOD { "HTTP" } else { method };
        span.name(SpanValue::Word(first), self.route.unwrap_or_default());
        span.set("http.request.method", SpanValue::Word(method));
        if let Some(route) = self.route {
            span.set("http.route", SpanValue::Word(route));
        }
        span.set("http.response.status_code", SpanValue::Number(status.as_u16().into()));
        // A refusal is the caller's mistake, and none of this server.
        span.end(status.is_server_error().then_some(match status.as_u16() {
            500 => "500",
            501 => "501",
            502 => "502",
            503 => "503",
            504 => "504",
            508 => "508",
            _ => "_OTHER",
        }));
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        let Some(mut span) = self.span.take() else { return };
        match self.begun {
            Begun::Perhaps => span.forget(),
            // Who has sent the request went away.
            Begun::Certainly => {
                span.name(SpanValue::Word("HTTP"), self.route.unwrap_or_default());
                if let Some(route) = self.route {
                    span.set("http.route", SpanValue::Word(route));
                }
            }
        }
    }
}

fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER_METHOD)
}

/// A row's path with a place for the name.
fn route(path: Spelling) -> Option<&'static str> {
    Some(match path {
        Spelling::Exact(path) => path,
        Spelling::Prefix => "{prefix}{name}",
        Spelling::Rest("/api/v1/secrets/") => "/api/v1/secrets/{name}",
        Spelling::Rest("/api/v1/metadata/") => "/api/v1/metadata/{name}",
        Spelling::Rest("/api/v1/versions/") => "/api/v1/versions/{name}",
        Spelling::Rest("/api/v1/rotate/") => "/api/v1/rotate/{name}",
        Spelling::Rest("/api/v1/report-stale/") => "/api/v1/report-stale/{name}",
        Spelling::Rest("/api/v1/events/") => "/api/v1/events/{source}",
        Spelling::Rest("/v1/sys/internal/ui/mounts/") => "/v1/sys/internal/ui/mounts/{path}",
        Spelling::Rest("/v1/") => "/v1/{path}",
        Spelling::Rest(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TABLE;

    /// Break: leave a prefix out of `route`.
    #[test]
    fn every_row_has_a_route_that_begins_as_its_path_does() {
        #[cfg(feature = "vault-surface")]
        let rows = TABLE.iter().chain(crate::VAULT_TABLE);
        #[cfg(not(feature = "vault-surface"))]
        let rows = TABLE.iter();
        for row in rows {
            let route = route(row.path).unwrap_or_else(|| panic!("{row:?} has no route"));
            match row.path {
                Spelling::Exact(path) => assert_eq!(route, path),
                Spelling::Rest(start) => assert!(route.starts_with(start) && route.ends_with('}'), "{route}"),
                Spelling::Prefix => assert_eq!(route, "{prefix}{name}"),
            }
        }
    }

    #[test]
    fn a_method_that_somebody_made_up_is_not_repeated() {
        assert_eq!(known(&Method::from_bytes(b"HUNTER2").unwrap()), OTHER_METHOD);
        assert_eq!(known(&Method::PATCH), "PATCH");
    }
}
