//! [`Door`]: what stands behind the listener: one [`Instance`], or under SnapStart a new one per request until the
//! first INVOKE.
//!
//! Lambda may freeze what this process holds at the end of init into a snapshot, keep that for days, and start any
//! number of sandboxes from it; an extension is told neither of the snapshot nor of the restore. So as long as a snapshot
//! may still come, nothing is kept from one request to the next: no value, no credential, no login, no connection, no
//! TLS session and no local token. There is no state of a random generator either way: every random byte comes from
//! the kernel when it is needed. An INVOKE comes to restored sandboxes only; with it the instance that stays is made.

use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lockstep_config::{Assembly, Config, Endpoint, TokenOrigin, Watch};
use lockstep_core::{Error, ErrorKind, FrontDoor, Peer, Resolver, Result, SecretRef, Spawn as _};
use lockstep_host::{Audit, Console, Host};

/// How long the process's own work may take: a prefetch, an append to the journal.
const OWN_CALL: Duration = Duration::from_secs(30);

/// The endpoint and what belongs to it.
pub(crate) struct Instance {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) audit_flush: Duration,
    endpoint: Endpoint,
    beside: Mutex<Option<Beside>>,
}

/// What goes on beside the requests, until it is started.
struct Beside {
    watch: Option<Watch>,
    prefetch: Vec<SecretRef>,
}

/// Answers requests.
pub(crate) struct Door {
    pub(crate) host: Arc<Host>,
    pub(crate) config: Config,
    instance: OnceLock<Instance>,
    /// Instances that answer at the same time write to one place, in one chain; and nothing of a chain may get into a
    /// snapshot, so it is kept as long as one of them is.
    audit: Mutex<Weak<Audit>>,
    warned: Once,
}

impl Door {
    pub(crate) fn new(host: Arc<Host>, config: Config) -> Self {
        Self { host, config, instance: OnceLock::new(), audit: Mutex::default(), warned: Once::new() }
    }

    /// The instance that stays, once it is made.
    pub(crate) fn instance(&self) -> Option<&Instance> {
        self.instance.get()
    }

    /// Makes the instance that stays, if it is not there.
    ///
    /// # Errors
    /// `Config`: what is wrong with the settings, with its place.
    pub(crate) fn open(&self) -> Result<&Instance> {
        if let Some(instance) = self.instance.get() {
            return Ok(instance);
        }
        let instance = self.assemble()?;
        Ok(self.instance.get_or_init(|| instance))
    }

    /// Makes an instance and drops it, to see that it can be made.
    ///
    /// # Errors
    /// As [`Door::open`].
    pub(crate) fn try_out(&self) -> Result<()> {
        self.assemble().map(drop)
    }

    /// Begins, once, to watch what is watched and to read what is to be there before anybody asks.
    pub(crate) fn begin(&self) {
        let Some(instance) = self.instance.get() else { return };
        let beside = instance.beside.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Beside { watch, prefetch }) = beside else { return };
        let host = Arc::clone(&self.host);
        let own = move || host.call("own", OWN_CALL);
        if !prefetch.is_empty() {
            let (resolver, call) = (Arc::clone(&instance.resolver), own());
            call.clone().spawn(async move { resolver.prefetch(&call, &prefetch).await });
        }
        for task in watch.map(|watch| watch.tasks(own)).unwrap_or_default() {
            self.host.residents.spawn(Box::pin(task));
        }
    }

    fn assemble(&self) -> Result<Instance> {
        let ports = self.host.ports(self.audit()?);
        let assembly = self.config.assemble(&ports)?;
        let endpoint = self.config.endpoint(&ports, &assembly)?;
        if matches!(endpoint.token, Some(TokenOrigin::Made)) && self.config.settings().listen.unix_socket.is_none() {
            let message = "no variable holds the local token, and the function could not know a made one: set AWS_TOKEN \
                           to a token of 32 random characters, or `listen.token`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.warned.call_once(|| {
            for warning in &assembly.warnings {
                tracing::warn!("{warning}");
            }
            if self.config.is_written("metrics.cloudwatch_namespace") {
                tracing::warn!("the extension does not write `metrics.cloudwatch_namespace`; scrape /metrics");
            }
        });
        let Assembly { resolver, audit_flush, watch, prefetch, .. } = assembly;
        Ok(Instance { resolver, audit_flush, endpoint, beside: Mutex::new(Some(Beside { watch, prefetch })) })
    }

    fn audit(&self) -> Result<Arc<Audit>> {
        let mut known = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(audit) = known.upgrade() {
            return Ok(audit);
        }
        let audit = Arc::new(self.host.audit(&self.config, Console::Free)?);
        *known = Arc::downgrade(&audit);
        Ok(audit)
    }
}

impl FrontDoor for Door {
    fn at_once(&self, peer: &Peer, head: &http::request::Parts) -> Option<Response<Bytes>> {
        if let Some(instance) = self.instance.get() {
            return instance.endpoint.at_once(peer, head);
        }
        match self.assemble() {
            Ok(instance) => instance.endpoint.at_once(peer, head),
            Err(error) => Some(unavailable(&error)),
        }
    }

    async fn call(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        if let Some(instance) = self.instance.get() {
            return instance.endpoint.call(peer, request).await;
        }
        match self.assemble() {
            Ok(instance) => {
                let answer = instance.endpoint.call(peer, request).await;
                instance.resolver.flush_audit();
                answer
            }
            Err(error) => unavailable(&error),
        }
    }
}

/// The settings were right at the start; what they name (a token's file) is not any more.
fn unavailable(error: &Error) -> Response<Bytes> {
    tracing::error!(%error, "can't answer");
    let mut answer = Response::new(Bytes::from_static(b"the extension's configuration no longer holds; see its log"));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer
}
