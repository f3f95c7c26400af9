//! The extension's life: start, register, one INVOKE after the other, SHUTDOWN.
//!
//! Lambda freezes the sandbox once the runtime and every extension have asked for the next event, and an extension is
//! not told when the function is done. So an INVOKE is answered at once: what it calls for is begun, given a moment, and
//! the next event asked for, while requests go on being answered beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockstep_config::Config;
use lockstep_config::settings::Listen;
use lockstep_core::{Env, Error, ErrorKind, Result, Spawn as _, UnixMillis};
use lockstep_host::Host;
use lockstep_native::{Listener, ListenerSettings, LogFormat, LogLevel};
use tokio::sync::oneshot;

use crate::door::Door;
use crate::extensions_api::{Event, Events, ExtensionsApi, Registration};

/// How long background work may keep an invocation from ending. It is billed, but no answer waits for it.
const HOLD: Duration = Duration::from_millis(200);
/// How long a prefetch may keep a provisioned sandbox from being ready. Nobody waits for it yet.
const PROVISIONED_HOLD: Duration = Duration::from_secs(5);
/// A pause after which what was under way has no hope: longer than one attempt at a provider may take.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// The longest timeout that a function can have.
const MAX_FUNCTION_TIME: Duration = Duration::from_mins(15);
/// How long a check of the journal may take at most; its own limit is shorter.
const JOURNAL_TIME: Duration = Duration::from_secs(2);
/// SHUTDOWN leaves 2 s to all extensions, then they are killed.
const SHUTDOWN_TIME: Duration = Duration::from_millis(1500);
/// What of it is kept for the log, the drain of the listener and the exit.
const SHUTDOWN_MARGIN: Duration = Duration::from_millis(300);
/// How long answers under way may go on at SHUTDOWN.
const DRAIN: Duration = Duration::from_millis(100);

/// An extension that can answer: its socket is bound.
pub(crate) struct Started {
    door: Arc<Door>,
    listener: Listener,
    kind: Initialization,
}

/// How Lambda starts this sandbox (`AWS_LAMBDA_INITIALIZATION_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Initialization {
    OnDemand,
    /// Made ready ahead of its first invocation, and frozen until then.
    Provisioned,
    /// Made to be copied; see [`Door`].
    SnapStart,
    /// Serves many invocations at once, is never frozen, and is told of SHUTDOWN alone.
    Managed,
}

impl Initialization {
    fn of(env: &dyn Env) -> Self {
        match env.var("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() {
            Some("provisioned-concurrency") => Self::Provisioned,
            Some("snap-start") => Self::SnapStart,
            Some("lambda-managed-instances") => Self::Managed,
            _ => Self::OnDemand,
        }
    }
}

/// Starts the log, assembles the configuration, and binds the listener.
///
/// # Errors
/// `Config`, with what is wrong and where.
pub(crate) fn start(host: Host, config: Config) -> Result<Started> {
    let level = LogLevel::parse(config.settings().log.level.as_str()).unwrap_or_default();
    // Lambda's log takes JSON apart; a text would be of use to nobody here.
    lockstep_native::start_log(level, LogFormat::Json)?;
    let kind = Initialization::of(&*host.env);
    let door = Door::new(Arc::new(host), config);
    if kind == Initialization::SnapStart {
        door.try_out()?;
    } else {
        door.open()?;
    }
    let listener = bind(&door.config)?;
    let freshness = &door.config.settings().freshness;
    if let Some(journal) = &freshness.journal {
        let bound = freshness.max_staleness;
        tracing::info!(%journal, max_staleness = %bound, "changes in the journal reach the cache within the bound");
    }
    let address = listener.address().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address, "listening");
    Ok(Started { door: Arc::new(door), listener, kind })
}

fn bind(config: &Config) -> Result<Listener> {
    let listen = &config.settings().listen;
    if listen.tls.is_some() || listen.allow_remote {
        let message = "the extension answers its own function alone; leave `listen.tls` and `listen.allow_remote` out";
        return Err(Error::new(ErrorKind::Config, message));
    }
    match &listen.unix_socket {
        Some(path) => Listener::bind_unix(&config.path(path), listener_settings(listen)),
        None => Listener::bind(listen.address, listener_settings(listen)),
    }
}

fn listener_settings(listen: &Listen) -> ListenerSettings {
    ListenerSettings {
        max_connections: usize::try_from(listen.max_connections).unwrap_or(usize::MAX),
        max_header_bytes: listen.max_header_bytes.bytes(),
        max_body_bytes: listen.max_body_bytes.bytes(),
        max_bodies_bytes: listen.max_bodies_bytes.bytes(),
        max_address_bodies_bytes: listen.max_address_bodies_bytes.bytes(),
        header_timeout: listen.header_timeout.get(),
        body_timeout: listen.body_timeout.get(),
        // Callers are told by the request's own deadline; this is only for an answer that never comes.
        answer_timeout: listen.request_timeout.get() * 2,
        write_timeout: listen.write_timeout.get(),
        idle_timeout: listen.idle_timeout.get(),
        drain_timeout: listen.stop_timeout.get().min(DRAIN),
        ..ListenerSettings::default()
    }
}

/// Registers, and serves until SHUTDOWN. A start that failed is registered too, to tell Lambda why it did.
///
/// # Errors
/// What the start failed of, or what Lambda's API says.
pub(crate) async fn run(api: &ExtensionsApi, started: Result<Started>) -> Result<()> {
    let name = own_name()?;
    let started = match started {
        Ok(started) => started,
        Err(error) => {
            api.register(&name, Events::Shutdown).await?.init_error(&error).await;
            return Err(error);
        }
    };
    let Started { door, listener, kind } = started;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = listener.serve(Arc::clone(&door), async {
        // An error is the sender's end, which is what is waited for.
        let _ = stopped.await;
    });
    let living = async {
        let ended = live(api, &name, &door, kind).await;
        drop(stop);
        ended
    };
    futures_util::future::try_join(serving, living).await.map(drop)
}

/// Lambda knows an extension by the name of its file.
fn own_name() -> Result<String> {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&program).file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| Error::new(ErrorKind::Config, "the extension's file has no name in UTF-8"))
}

async fn live(api: &ExtensionsApi, name: &str, door: &Arc<Door>, kind: Initialization) -> Result<()> {
    let events = if kind == Initialization::Managed { Events::Shutdown } else { Events::All };
    let registration = api.register(name, events).await?;
    tracing::info!(invoke = registration.events == Events::All, "registered");
    // The runtime comes up now; what is prefetched is read meanwhile.
    door.begin();
    if registration.events == Events::Shutdown {
        flush_now_and_then(door)?;
    }
    if kind == Initialization::Provisioned {
        door.host.background.finished(PROVISIONED_HOLD).await;
    }
    let ended = follow(&registration, door).await;
    if let Err(error) = &ended {
        registration.exit_error(error).await;
    }
    ended
}

async fn follow(registration: &Registration<'_>, door: &Door) -> Result<()> {
    loop {
        let asked = door.host.clock.wall();
        match registration.next().await? {
            Event::Invoke { deadline_ms, request_id } => {
                let paused = door.host.clock.wall().saturating_since(asked);
                invoked(door, deadline_ms, &request_id, paused).await?;
            }
            Event::Shutdown { deadline_ms, shutdown_reason } => {
                shut_down(door, deadline_ms, &shutdown_reason).await;
                return Ok(());
            }
            Event::Unknown => {}
        }
    }
}

/// What an INVOKE calls for: time, the journal, and the counts of the invocation before.
async fn invoked(door: &Door, deadline: UnixMillis, request_id: &str, paused: Duration) -> Result<()> {
    let host = &door.host;
    if paused > LOST_AFTER {
        let lost = host.background.cancel();
        if lost > 0 {
            tracing::debug!(tasks = lost, "what a freeze may have cut off was given up");
        }
    }
    let resolver = &door.open()?.resolver;
    door.begin();
    // The deadline lies at most the longest timeout ahead; so it was at least that late when it was written.
    resolver.at_least(UnixMillis(deadline.0.saturating_sub(millis(MAX_FUNCTION_TIME))));
    resolver.flush_audit();
    let (checking, call) = (Arc::clone(resolver), host.call(request_id, JOURNAL_TIME));
    call.clone().spawn(async move {
        if let Err(error) = checking.check_journal(&call).await {
            tracing::warn!(%error, "the journal could not be read at INVOKE");
        }
    });
    // What is not done by then goes on while the function runs. It is not cancelled here: a secret that is being made for
    // the function must not be made twice.
    host.background.finished(HOLD).await;
    resolver.flush_audit();
    Ok(())
}

async fn shut_down(door: &Door, deadline: UnixMillis, reason: &str) {
    let host = &door.host;
    let left = deadline.saturating_since(host.clock.wall()).saturating_sub(SHUTDOWN_MARGIN);
    let call = host.call("shutdown", left.min(SHUTDOWN_TIME));
    if let Some(instance) = door.instance() {
        let ending = async {
            instance.resolver.shutdown(&call).await;
            Ok(())
        };
        // Whatever that call does, the process ends in time.
        if call.bounded(ending).await.is_err() {
            tracing::warn!("leases were not revoked in time; they end by themselves");
        }
        instance.resolver.flush_audit();
        host.background.finished(call.remaining()).await;
    }
    tracing::info!(reason, "stopped");
}

/// Where no INVOKE divides the time, folded counts are written by the clock.
fn flush_now_and_then(door: &Arc<Door>) -> Result<()> {
    let period = door.open()?.audit_flush;
    let door = Arc::clone(door);
    let residents = door.host.residents.clone();
    residents.spawn(Box::pin(async move {
        loop {
            door.host.clock.sleep(period).await;
            if let Some(instance) = door.instance() {
                instance.resolver.flush_audit();
            }
        }
    }));
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
