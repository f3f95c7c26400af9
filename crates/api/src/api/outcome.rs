//! What comes out of the hall: refusals with their records, what a caller is told of a failure, and what every answer wears.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use lockstep_core::{AuditRecord, Error, ErrorKind, Peer, RequestId};

use super::{Api, Turned};
use crate::aws;
use crate::refusal::Refusal;
use crate::request_id;
use crate::request_span::RequestSpan;
use crate::routes::Door;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest path kept in the audit record of a refusal, in characters.
const MAX_AUDITED_PATH: usize = 256;

impl Api {
    /// Records a refusal and answers it.
    pub(super) fn refused(
        &self,
        door: Door,
        (refusal, who): &Turned,
        peer: &Peer,
        parts: &Parts,
        id: &RequestId,
        span: RequestSpan,
    ) -> Response<Bytes> {
        if let Some(metrics) = &self.metrics {
            metrics.refused(refusal.code());
        }
        let before_login = refusal.is_before_login();
        let path: String = parts.uri.path().chars().take(MAX_AUDITED_PATH).collect();
        self.resolver.record_at_door(AuditRecord {
            at: self.clock.wall(),
            request_id: id.clone(),
            // Whoever was refused before or at the login has not shown who they are.
            principal: who.as_ref().map_or_else(|| self.nobody.clone(), |who| who.id.clone()),
            peer: peer.address.clone(),
            action: if before_login { "login" } else { "request" },
            provider: None,
            name: path.into(),
            version: None,
            outcome: refusal.outcome(),
            cached: false,
            policy: Some(Arc::from(refusal.reason())),
            count: 1,
        });
        let response = match refusal {
            #[cfg(feature = "vault-surface")]
            _ if door == Door::Vault => crate::vault::refused(refusal),
            Refusal::Invalid(error) if self.in_text(parts) => aws::invalid_response(error),
            _ if self.in_text(parts) => refusal.text_response(),
            _ => refusal.problem_response(id),
        };
        self.dress(door, response, parts, id, span)
    }

    /// What a caller is told of a failure. Where what is denied is hidden, that and what is not there are one answer, whatever
    /// the provider has said.
    pub(crate) fn told(&self, error: Error) -> Error {
        let is_hidden = match error.kind() {
            ErrorKind::Denied => error.provider().is_none(),
            // A provider that there is not, or whose secrets are for others, is not told apart either.
            kind => matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidReference),
        };
        if self.hide_denied && is_hidden {
            return Error::new(ErrorKind::NotFound, "there is no such secret, or it is not for this caller");
        }
        error
    }

    /// Whether callers are not told what is there for others.
    pub(crate) fn hides_denied(&self) -> bool {
        self.hide_denied
    }

    /// Whether this is what a caller may not know is there.
    pub(crate) fn hides(&self, error: &Error) -> bool {
        self.hide_denied && error.kind() == ErrorKind::Denied && error.provider().is_none()
    }

    /// What every answer has: the request id, where the surface has one, and no body on HEAD. Its span ends here.
    pub(super) fn dress(
        &self,
        door: Door,
        mut response: Response<Bytes>,
        parts: &Parts,
        id: &RequestId,
        span: RequestSpan,
    ) -> Response<Bytes> {
        let in_text = door == Door::Main && self.in_text(parts);
        if (matches!(id, RequestId::Given(_)) || !in_text)
            && let Some(value) = request_id::header(id)
        {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if parts.method == Method::HEAD {
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            *response.body_mut() = Bytes::new();
        }
        span.ended(&parts.method, response.status());
        response
    }
}
