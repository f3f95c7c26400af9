//! [`Api`]: the hall behind every front door. It takes a request through guard, target, routes and handler, and dresses
//! whatever comes out.
//!
//! The order of refusals is here and nowhere else: cap, forwarded, host, browser, token, method, route, body, parameters.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use lockstep_core::{
    AuditRecord, Call, Clock, Error, ErrorKind, FrontDoor, Hops, Login, Peer, Principal, Random, RequestId, Resolver,
    Result, Spawn,
};

use crate::guard::{Guard, Head, Once};
use crate::health::Readiness;
use crate::native::Tags;
use crate::parts::{ApiLimits, ApiParts, AwsSurface};
use crate::refusal::Refusal;
use crate::request_id::{self, RequestIds, trace};
use crate::routes::{Methods, Row, Spelling, TABLE, Where, find, speaks_text};
use crate::target::Target;
use crate::{PrometheusMetrics, aws, health, native, problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest path kept in the audit record of a refusal, in characters.
const MAX_AUDITED_PATH: usize = 256;

/// The HTTP surface. One per process.
pub struct Api {
    resolver: Arc<Resolver>,
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Spawn>,
    metrics: Option<Arc<PrometheusMetrics>>,
    trace: bool,
    guard: Guard,
    ids: RequestIds,
    tags: Tags,
    /// This endpoint alone: what a request has come through that no other endpoint sent.
    first_hop: Hops,
    limits: ApiLimits,
    aws: Option<AwsSurface>,
    readiness: Readiness,
    /// Who comes with the token of a local listener.
    local: Arc<str>,
}

/// A request that passed every check of its head.
struct Admitted<'a> {
    row: &'static Row,
    target: Target<'a>,
    hops: Hops,
    /// Where in the path the name begins.
    rest: usize,
}

/// One request on its way through a handler.
pub(crate) struct Exchange<'a> {
    row: &'static Row,
    target: Target<'a>,
    rest: usize,
    pub(crate) head: Head<'a>,
    pub(crate) id: RequestId,
    pub(crate) who: Principal,
    /// The endpoints that it has come through, this one included.
    hops: Hops,
    pub(crate) body: Bytes,
}

impl<'a> Exchange<'a> {
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
        let mut call = Call::new(api.clock.clone(), api.spawn.clone(), self.id.clone(), api.limits.request_time);
        call.hops = self.hops.clone();
        if api.trace {
            call.trace = trace(self.head.trace.one());
        }
        call
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

impl Api {
    /// Assembles the surface.
    ///
    /// # Errors
    /// `Config` when the path style's prefix does not begin and end with `/`, or covers another route.
    pub fn new(parts: ApiParts) -> Result<Self> {
        if let Some(surface) = &parts.aws {
            check_prefix(&surface.path_prefix)?;
        }
        Ok(Self {
            ids: RequestIds::new(&*parts.random),
            tags: Tags::new(key(&*parts.random)),
            first_hop: Hops::default().through(&instance(&*parts.random))?,
            resolver: parts.resolver,
            clock: parts.clock,
            spawn: parts.spawn,
            metrics: parts.metrics,
            trace: parts.trace,
            guard: Guard {
                local: parts.local,
                token: parts.token,
                socket_users: parts.socket_users,
                token_headers: parts.token_headers,
                forwarded_headers: parts.forwarded_headers,
                allowed_hosts: parts.allowed_hosts,
            },
            limits: parts.limits,
            aws: parts.aws,
            readiness: Readiness::default(),
            local: Arc::from("local"),
        })
    }

    pub(crate) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn limits(&self) -> &ApiLimits {
        &self.limits
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Answers a request, every check included. [`FrontDoor::call`] is this.
    pub async fn answer(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let head = self.guard.read(&parts);
        let id = self.ids.of(head.request_id.one());
        let admitted = match self.admit(peer, &parts, &head) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refused(&refusal, peer, &parts, &id),
        };
        let exchange = self.exchange(peer, admitted, head, id, body);
        let id = &exchange.id;
        match self.handle(&exchange).await {
            Ok(response) => self.dress(response, &parts, id),
            Err(Stop::Refused(refusal)) => self.refused(&refusal, peer, &parts, id),
            Err(Stop::Failed(error)) => self.dress(problem::error_response(&error, id), &parts, id),
        }
    }

    fn exchange<'a>(
        &self,
        peer: &Peer,
        admitted: Admitted<'a>,
        head: Head<'a>,
        id: RequestId,
        body: Bytes,
    ) -> Exchange<'a> {
        let Admitted { row, target, hops, rest } = admitted;
        Exchange { row, target, rest, head, id, who: self.principal(peer), hops, body }
    }

    /// What the cache holds, on the routes that read one secret.
    fn handle_at_once(&self, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
        match (exchange.to(), &self.aws) {
            (Where::SecretsManager | Where::ParameterStore | Where::PathStyle, Some(surface)) => {
                aws::answer_at_once(self, surface, exchange)
            }
            (Where::Secret, _) => native::answer_at_once(self, exchange),
            _ => None,
        }
    }

    async fn handle(&self, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
        match (exchange.to(), &self.aws) {
            (Where::Ping, _) => Ok(aws::ping()),
            (Where::SecretsManager | Where::ParameterStore | Where::PathStyle, Some(surface)) => {
                aws::answer(self, surface, exchange).await
            }
            (Where::Live, _) => Ok(health::live()),
            (Where::Ready, _) => Ok(health::ready(self, exchange).await),
            (Where::Metrics, _) => match &self.metrics {
                Some(metrics) => Ok(health::metrics(metrics, self.resolver.lost_audit())),
                None => Err(Refusal::Route.into()),
            },
            _ => native::answer(self, exchange).await,
        }
    }

    /// The checks of a head, in the order that stands at the top of this file.
    fn admit<'a>(&self, peer: &Peer, parts: &'a Parts, head: &Head<'_>) -> Result<Admitted<'a>, Refusal> {
        let is_ping = self.aws.is_some() && parts.uri.path() == "/ping";
        self.guard.check_origin(peer, head, is_ping)?;
        let target = Target::parse(&parts.uri);
        let prefix = self.aws.as_ref().map(|surface| &*surface.path_prefix);
        let found = target.as_ref().ok().and_then(|target| {
            let (row, rest) = find(&target.path, prefix)?;
            Some((row, target.path.len() - rest.len()))
        });
        // What is no route needs the token too: without it nobody learns which paths exist.
        if found.is_none_or(|(row, _)| row.token) {
            self.guard.check_token(peer, head)?;
        }
        let (target, (row, rest)) = match (target, found) {
            (Ok(target), Some(found)) => (target, found),
            (target, _) => {
                let methods = if self.in_text(parts) { Methods::Get } else { Methods::GetHead };
                return Err(match target {
                    _ if !methods.allow(&parts.method) => Refusal::Method(None),
                    Err(_) => Refusal::Target,
                    Ok(_) => Refusal::Route,
                });
            }
        };
        if !row.methods.allow(&parts.method) {
            return Err(Refusal::Method(Some(row.methods)));
        }
        if head.body && row.methods != Methods::Post {
            return Err(Refusal::Body);
        }
        Ok(Admitted { row, target, hops: self.hops(head)?, rest })
    }

    /// The endpoints that a request has come through, and this one.
    fn hops(&self, head: &Head<'_>) -> Result<Hops, Refusal> {
        let before = match head.hops {
            Once::Missing => return Ok(self.first_hop.clone()),
            Once::One(text) => std::str::from_utf8(text).unwrap_or("\0"),
            Once::Many => "\0",
        };
        Hops::parse(before).map_err(Refusal::Invalid)?.through(self.first_hop.as_str()).map_err(Refusal::Circle)
    }

    fn principal(&self, peer: &Peer) -> Principal {
        let (id, login) = match peer.uid {
            Some(uid) => (Arc::from(format!("uid:{uid}")), Login::Socket),
            None => (self.local.clone(), Login::Local),
        };
        Principal { id, login, claims: None, peer: peer.address.clone() }
    }

    fn in_text(&self, parts: &Parts) -> bool {
        self.aws.is_some() && speaks_text(parts.uri.path())
    }

    /// Records a refusal and answers it.
    fn refused(&self, refusal: &Refusal, peer: &Peer, parts: &Parts, id: &RequestId) -> Response<Bytes> {
        let code = refusal.code();
        if let Some(metrics) = &self.metrics {
            metrics.refused(code);
        }
        let path: String = parts.uri.path().chars().take(MAX_AUDITED_PATH).collect();
        self.resolver.record_refusal(AuditRecord {
            at: self.clock.wall(),
            request_id: id.clone(),
            // Whoever was refused before or at the token has not shown who they are.
            principal: if is_before_login(refusal) { Arc::from("unknown") } else { self.principal(peer).id },
            peer: peer.address.clone(),
            action: if is_before_login(refusal) { "login" } else { "request" },
            provider: None,
            name: path.into(),
            version: None,
            outcome: refusal.outcome(),
            cached: false,
            policy: Some(Arc::from(code)),
            count: 1,
        });
        let response = match refusal {
            Refusal::Invalid(error) if self.in_text(parts) => aws::invalid_response(error),
            _ if self.in_text(parts) => refusal.text_response(),
            _ => refusal.problem_response(id),
        };
        self.dress(response, parts, id)
    }

    /// What every answer has: the request id, where the surface has one, and no body on HEAD.
    fn dress(&self, mut response: Response<Bytes>, parts: &Parts, id: &RequestId) -> Response<Bytes> {
        if (matches!(id, RequestId::Given(_)) || !self.in_text(parts))
            && let Some(value) = request_id::header(id)
        {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        if parts.method == Method::HEAD {
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            *response.body_mut() = Bytes::new();
        }
        response
    }
}

fn is_before_login(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Crowded | Refusal::Forwarded | Refusal::Host | Refusal::Browser | Refusal::Token)
}

impl FrontDoor for Api {
    /// A body is let in only when its head passes every check. [`FrontDoor::call`] makes the same checks: whoever
    /// forgets this function loses no check.
    fn at_once(&self, peer: &Peer, parts: &Parts) -> Option<Response<Bytes>> {
        let head = self.guard.read(parts);
        let id = self.ids.of(head.request_id.one());
        let admitted = match self.admit(peer, parts, &head) {
            Ok(admitted) => admitted,
            Err(refusal) => return Some(self.refused(&refusal, peer, parts, &id)),
        };
        if head.body {
            return None;
        }
        let exchange = self.exchange(peer, admitted, head, id, Bytes::new());
        let response = self.handle_at_once(&exchange)?;
        Some(self.dress(response, parts, &exchange.id))
    }

    async fn call(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        self.answer(peer, request).await
    }
}

fn key(random: &dyn Random) -> [u8; 64] {
    let mut key = [0; 64];
    random.fill(&mut key);
    key
}

/// What tells this endpoint from every other one, to other endpoints alone.
fn instance(random: &dyn Random) -> String {
    let mut id = [0; 8];
    random.fill(&mut id);
    format!("{:016x}", u64::from_le_bytes(id))
}

fn check_prefix(prefix: &str) -> Result<()> {
    let covers = |row: &Row| match row.path {
        Spelling::Exact(path) | Spelling::Rest(path) => path.starts_with(prefix) || prefix.starts_with("/api/"),
        Spelling::Prefix => false,
    };
    if prefix.len() > 2 && prefix.starts_with('/') && prefix.ends_with('/') && !TABLE.iter().any(covers) {
        return Ok(());
    }
    let message = "path_prefix must begin and end with `/` and cover no other route; write `/v1/`";
    Err(Error::new(ErrorKind::Config, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_no_other_route() {
        for good in ["/v1/", "/secrets/", "/a/b/"] {
            assert!(check_prefix(good).is_ok(), "{good}");
        }
        for bad in
            ["", "/", "//", "v1/", "/v1", "/api/", "/api/v1/", "/api/v1/secrets/x/", "/secretsmanager/", "/health/"]
        {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
    }
}
