//! [`Api`]: the hall behind every front door. It takes a request through guard, target, routes and handler, and dresses
//! whatever comes out.
//!
//! The order of refusals is here and nowhere else: cap, forwarded, host, browser, address's rate, login, caller's rate,
//! method, route, body, load, parameters.

mod outcome;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use lockstep_auth::{Callers, Refused};
use lockstep_core::{
    Call, Clock, FrontDoor, Hops, Login, Peer, Principal, Random, RequestId, Resolver, Result, Spawn, UnixMillis,
};

use crate::crowd::{Count, Crowd};
use crate::exchange::Admitted;
pub(crate) use crate::exchange::{Exchange, Stop};
use crate::guard::{Guard, Head, Once};
use crate::health::Readiness;
use crate::native::Tags;
use crate::parts::{ApiLimits, ApiParts, AwsSurface};
use crate::refusal::Refusal;
use crate::request_id::RequestIds;
use crate::request_span::Begun;
use crate::routes::{Door, Methods, Row, Where, check_prefix, find, speaks_text};
use crate::target::{BadTarget, Target};
use crate::{PrometheusMetrics, aws, health, native, problem};

/// The HTTP surface. One per process, whatever listeners there are.
pub struct Api {
    resolver: Arc<Resolver>,
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Spawn>,
    metrics: Option<Arc<PrometheusMetrics>>,
    trace: bool,
    #[cfg(feature = "spans")]
    tracer: Option<Arc<lockstep_core::Tracer>>,
    guard: Guard,
    ids: RequestIds,
    tags: Tags,
    /// This endpoint alone: what a request has come through that no other endpoint sent.
    first_hop: Hops,
    limits: ApiLimits,
    aws: Option<AwsSurface>,
    #[cfg(feature = "events")]
    events: Option<crate::Events>,
    #[cfg(feature = "vault-surface")]
    vault: Option<crate::VaultSurface>,
    readiness: Readiness,
    callers: Callers,
    hide_denied: bool,
    crowd: Crowd,
    /// Who asks for what everybody may have, and whoever was not let in.
    nobody: Arc<str>,
}

/// A request that may be looked at: where it comes from is in order, and it is known whether its route asks who calls.
struct Entered<'a> {
    door: Door,
    target: Result<Target<'a>, BadTarget>,
    /// The route, and where in the path the name begins.
    found: Option<(&'static Row, usize)>,
    /// Whether who sent it is shown in another way than by a login.
    is_signed: bool,
}

impl Entered<'_> {
    /// What is no route needs a login too: without one nobody learns which paths exist.
    fn needs_login(&self) -> bool {
        !self.is_signed && self.is_limited()
    }

    /// Whether it counts against what one address may send: whatever asks for a login, and what costs as much as one.
    fn is_limited(&self) -> bool {
        self.found.is_none_or(|(row, _)| row.token)
    }
}

/// What ends a request whose head was looked at, and who had asked, if that was known.
type Turned = (Refusal, Option<Principal>);

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
            #[cfg(feature = "spans")]
            tracer: None,
            guard: Guard {
                local: parts.local,
                token_headers: parts.token_headers,
                forwarded_headers: parts.forwarded_headers,
                allowed_hosts: parts.allowed_hosts,
            },
            aws: parts.aws,
            #[cfg(feature = "events")]
            events: None,
            #[cfg(feature = "vault-surface")]
            vault: None,
            readiness: Readiness::default(),
            callers: parts.callers,
            hide_denied: parts.hide_denied,
            crowd: Crowd::new(&parts.limits),
            limits: parts.limits,
            nobody: Arc::from("unknown"),
        })
    }

    pub(crate) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    pub(crate) fn spawn(&self) -> &Arc<dyn Spawn> {
        &self.spawn
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

    /// The same with places where notifications come in.
    #[cfg(feature = "events")]
    #[must_use]
    pub fn with_events(self, events: crate::Events) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Counts what came of notifications.
    #[cfg(feature = "events")]
    pub(crate) fn count_event(&self, source: &str, result: &'static str, count: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.event(source, result, count);
        }
    }

    /// The same with spans of its requests.
    #[cfg(feature = "spans")]
    #[must_use]
    pub fn with_tracer(self, tracer: Arc<lockstep_core::Tracer>) -> Self {
        Self { tracer: Some(tracer), ..self }
    }

    #[cfg(feature = "spans")]
    pub(crate) fn tracer(&self) -> Option<&Arc<lockstep_core::Tracer>> {
        self.tracer.as_ref()
    }

    /// Whether a caller's trace is taken over.
    pub(crate) fn takes_traces_over(&self) -> bool {
        self.trace
    }

    /// The same with something behind a listener for Vault's clients: [`Api::vault_door`] is what stands there.
    #[cfg(feature = "vault-surface")]
    #[must_use]
    pub fn with_vault(self, surface: crate::VaultSurface) -> Self {
        Self { vault: Some(surface), ..self }
    }

    /// What stands behind the listener for Vault's clients.
    #[cfg(feature = "vault-surface")]
    pub(crate) fn vault(&self) -> Option<&crate::VaultSurface> {
        self.vault.as_ref()
    }

    /// Answers a request, every check included. [`FrontDoor::call`] is this.
    pub async fn answer(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        self.answer_at(Door::Main, peer, request).await
    }

    pub(crate) async fn answer_at(&self, door: Door, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let head = self.guard.read(&parts);
        let id = self.ids.of(head.request_id.one());
        let span = self.request_span(&head, Begun::Certainly);
        let admitted = match self.enter(door, peer, &parts, &head, Count::Now) {
            Ok(entered) => {
                let who = match self.login_at_once(peer, &head, &entered) {
                    Some(told) => told,
                    None => self.login(peer, &head, &id).await,
                };
                self.admit(entered, who, &parts, &head, Count::Now)
            }
            Err(refusal) => Err((refusal, None)),
        };
        let exchange = match admitted {
            Ok(admitted) => Exchange::new(admitted, head, id, body, span),
            Err(turned) => return self.refused(door, &turned, peer, &parts, &id, span),
        };
        let id = &exchange.id;
        // What everybody may have needs no place, so that a full house still says that it lives.
        let Some(_place) = self.crowd.place(exchange.row.token) else {
            let turned = (Refusal::Overloaded, Some(exchange.who.clone()));
            return self.refused(door, &turned, peer, &parts, id, exchange.span);
        };
        match self.handle(&exchange).await {
            Ok(response) => self.dress(door, response, &parts, id, exchange.span),
            Err(Stop::Refused(refusal)) => {
                let turned = (refusal, Some(exchange.who.clone()));
                self.refused(door, &turned, peer, &parts, id, exchange.span)
            }
            Err(Stop::Failed(error)) => {
                let error = self.told(error);
                let response = match door {
                    Door::Main => problem::error_response(&error, id),
                    #[cfg(feature = "vault-surface")]
                    Door::Vault => crate::vault::failed(&error),
                };
                self.dress(door, response, &parts, id, exchange.span)
            }
        }
    }

    /// What the cache holds, on the routes that read one secret.
    fn handle_at_once(&self, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
        match (exchange.to(), &self.aws) {
            (Where::SecretsManager | Where::ParameterStore | Where::PathStyle, Some(surface)) => {
                aws::answer_at_once(self, surface, exchange)
            }
            (Where::Secret, _) => native::answer_at_once(self, exchange),
            #[cfg(feature = "vault-surface")]
            (Where::Vault(route), _) => crate::vault::answer_at_once(self, route, exchange),
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
                Some(metrics) => Ok(health::metrics(self, metrics)),
                None => Err(Refusal::Route.into()),
            },
            #[cfg(feature = "openapi")]
            (Where::OpenApi, _) => Ok(crate::openapi::describe()),
            #[cfg(feature = "events")]
            (Where::Events, _) => match &self.events {
                Some(events) => crate::events::answer(self, events, exchange).await,
                None => Err(Refusal::Route.into()),
            },
            #[cfg(feature = "vault-surface")]
            (Where::Vault(route), _) => crate::vault::answer(self, route, exchange).await,
            _ => native::answer(self, exchange).await,
        }
    }

    /// The first checks of a head, in the order that stands at the top of this file: where the request comes from.
    fn enter<'a>(
        &self,
        door: Door,
        peer: &Peer,
        parts: &'a Parts,
        head: &Head<'_>,
        count: Count,
    ) -> Result<Entered<'a>, Refusal> {
        let is_ping = door == Door::Main && self.aws.is_some() && parts.uri.path() == "/ping";
        self.guard.check_origin(peer, head, is_ping)?;
        let target = Target::parse(&parts.uri);
        let prefix = self.aws.as_ref().map(|surface| &*surface.path_prefix);
        let found = target.as_ref().ok().and_then(|target| {
            let (row, rest) = find(door.table(), &target.path, prefix)?;
            Some((row, target.path.len() - rest.len()))
        });
        let is_signed = self.is_signed(found, target.as_ref().ok(), &parts.method);
        let entered = Entered { door, target, found, is_signed };
        if entered.is_limited() {
            // Before anything is computed for it.
            self.crowd.check_address(peer, &*self.clock, count)?;
        }
        Ok(entered)
    }

    #[cfg(feature = "events")]
    fn is_signed(&self, found: Option<(&Row, usize)>, target: Option<&Target<'_>>, method: &Method) -> bool {
        let (Some(events), Some((row, rest)), Some(target)) = (&self.events, found, target) else { return false };
        row.to == Where::Events && events.needs_no_login(target.path.get(rest..).unwrap_or_default(), method)
    }

    #[cfg(not(feature = "events"))]
    #[expect(clippy::unused_self, reason = "with events, it asks who sends them")]
    fn is_signed(&self, _: Option<(&Row, usize)>, _: Option<&Target<'_>>, _: &Method) -> bool {
        false
    }

    /// Who calls, if that can be told without waiting.
    fn login_at_once(&self, peer: &Peer, head: &Head<'_>, entered: &Entered<'_>) -> Option<Result<Principal, Refusal>> {
        if !entered.needs_login() {
            let id = self.nobody.clone();
            let (peer, mtls) = (peer.address.clone(), false);
            return Some(Ok(Principal { id, login: Login::Local, claims: None, peer, mtls }));
        }
        let told = self.callers.at_once(head.shown(peer), peer, || self.now())?;
        Some(told.map_err(|refused| self.not_let_in(refused)))
    }

    async fn login(&self, peer: &Peer, head: &Head<'_>, id: &RequestId) -> Result<Principal, Refusal> {
        // Who has to be asked about callers is asked about so many at once.
        let _place = self.crowd.login().ok_or(Refusal::Overloaded)?;
        let call = Call::new(self.clock.clone(), self.spawn.clone(), id.clone(), self.limits.request_time);
        let told = self.callers.identify(&call, head.shown(peer), peer, || self.now()).await;
        told.map_err(|refused| self.not_let_in(refused))
    }

    fn not_let_in(&self, refused: Refused) -> Refusal {
        tracing::debug!(reason = refused.reason, detail = %refused.detail, "a login was refused");
        if self.callers.are_local() { Refusal::Token } else { Refusal::Login(refused) }
    }

    fn now(&self) -> UnixMillis {
        self.resolver.timeline().now().wall
    }

    /// The other checks of a head, once it is known who calls.
    fn admit<'a>(
        &self,
        entered: Entered<'a>,
        who: Result<Principal, Refusal>,
        parts: &Parts,
        head: &Head<'_>,
        count: Count,
    ) -> Result<Admitted<'a>, Turned> {
        let who = who.map_err(|refusal| (refusal, None))?;
        let turned = |refusal| (refusal, Some(who.clone()));
        if entered.needs_login() {
            self.crowd.check_caller(&who, &*self.clock, count).map_err(turned)?;
        }
        let (target, (row, rest)) = match (entered.target, entered.found) {
            (Ok(target), Some(found)) => (target, found),
            (target, _) => {
                let methods = match entered.door {
                    Door::Main if self.in_text(parts) => Methods::Get,
                    Door::Main => Methods::GetHead,
                    #[cfg(feature = "vault-surface")]
                    Door::Vault => Methods::GetList,
                };
                return Err(turned(match target {
                    // Whether the route would have taken the method, nobody can say.
                    Err(_) if entered.door == Door::Main && !self.in_text(parts) => Refusal::Target,
                    _ if !methods.allow(&parts.method) => Refusal::Method(None),
                    Err(_) => Refusal::Target,
                    Ok(_) => Refusal::Route,
                }));
            }
        };
        if !row.methods.allow(&parts.method) {
            return Err(turned(Refusal::Method(Some(row.methods))));
        }
        if head.body && !row.methods.take_body() {
            return Err(turned(Refusal::Body));
        }
        let hops = self.hops(head).map_err(turned)?;
        Ok(Admitted { row, target, hops, rest, who })
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

    fn in_text(&self, parts: &Parts) -> bool {
        self.aws.is_some() && speaks_text(parts.uri.path())
    }

    /// A body is let in only when its head passes every check. [`Api::answer_at`] makes the same checks: whoever
    /// forgets this function loses no check.
    pub(crate) fn at_once_at(&self, door: Door, peer: &Peer, parts: &Parts) -> Option<Response<Bytes>> {
        let head = self.guard.read(parts);
        let id = self.ids.of(head.request_id.one());
        let span = self.request_span(&head, Begun::Perhaps);
        let admitted = match self.enter(door, peer, parts, &head, Count::Later) {
            // A login that has to wait is let in: its turn is in `call`.
            Ok(entered) => {
                let who = self.login_at_once(peer, &head, &entered)?;
                self.admit(entered, who, parts, &head, Count::Later)
            }
            Err(refusal) => Err((refusal, None)),
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(turned) => {
                self.crowd.count(peer, turned.1.as_ref(), &*self.clock);
                return Some(self.refused(door, &turned, peer, parts, &id, span));
            }
        };
        if head.body {
            return None;
        }
        let exchange = Exchange::new(admitted, head, id, Bytes::new(), span);
        let response = self.handle_at_once(&exchange)?;
        self.crowd.count(peer, Some(&exchange.who), &*self.clock);
        Some(self.dress(door, response, parts, &exchange.id, exchange.span))
    }
}

impl FrontDoor for Api {
    fn at_once(&self, peer: &Peer, parts: &Parts) -> Option<Response<Bytes>> {
        self.at_once_at(Door::Main, peer, parts)
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
