//! `lockstep serve`: the endpoint on this machine, until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lockstep_config::{Assembly, Config, Endpoint, VaultDoor, settings};
use lockstep_core::{Call, FrontDoor};
use lockstep_native::{Listener, ListenerSettings, LogLevel, ServerTls, ServerTlsSettings, StopSignals};
use sd_notify::NotifyState;
use serde_json::json;

use crate::arguments::Everywhere;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::Output;

/// How often the files of `listen.tls` are looked at.
const TLS_LOOK: Duration = Duration::from_secs(1);
/// How long a call of the process's own may take: a prefetch, an append to the journal, the end of leases.
const OWN_CALL: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    everywhere: &Everywhere,
    listen: Option<SocketAddr>,
    host: &Host,
    output: Output,
) -> Result<(), Failure> {
    let mut signals = StopSignals::install()?;
    let config = host.config(everywhere)?;
    Host::log(everywhere, &config, LogLevel::Info)?;
    let ports = host.ports(&config, output.console())?;
    let assembly = Assembly { tracer: host.tracer(&config)?, ..config.assemble(&ports)? };
    let endpoint = config.endpoint(&ports, &assembly)?;
    let tls = tls(&config, host)?;
    let listener = bind(&config, listen)?;
    let vault = vault(&config, &endpoint)?;
    if let Some(journal) = &config.settings().freshness.journal {
        let bound = config.settings().freshness.max_staleness;
        tracing::info!(%journal, max_staleness = %bound, "changes in the journal reach the cache within the bound");
    }
    for warning in &assembly.warnings {
        tracing::warn!("{warning}");
    }
    if config.is_written("metrics.cloudwatch_namespace") {
        tracing::warn!("`metrics.cloudwatch_namespace` is read by the Lambda function alone; scrape /metrics here");
    }
    let front = Front { listener, vault, tls };
    announce(&front, &config, &endpoint, output)?;
    serve(host, &config, assembly, endpoint, front, &mut signals).await
}

/// Where callers come in.
pub(super) struct Front {
    pub(super) listener: Listener,
    /// The listener for Vault's clients, and what stands behind it.
    pub(super) vault: Option<(Listener, VaultDoor)>,
    pub(super) tls: Option<Arc<ServerTls>>,
}

/// What callers are shown, when they are to be shown anything.
fn tls(config: &Config, host: &Host) -> Result<Option<Arc<ServerTls>>, Failure> {
    let Some(tls) = &config.settings().listen.tls else { return Ok(None) };
    let settings = ServerTlsSettings {
        certificate: config.path(&tls.cert_file),
        key: config.path(&tls.key_file),
        client_ca: tls.client_ca_file.as_deref().map(|path| config.path(path)),
        client_required: tls.require_client_cert,
    };
    Ok(Some(Arc::new(ServerTls::load(Arc::clone(&host.ports.files), settings)?)))
}

/// Takes over what replaces the files of `listen.tls`, for ever.
async fn renew(tls: Option<&ServerTls>, host: &Host) {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut failing = false;
    loop {
        host.ports.clock.sleep(TLS_LOOK).await;
        match tls.refresh() {
            Ok(changed) => {
                if changed {
                    tracing::info!("the certificate was replaced; new connections are shown the new one");
                }
                failing = false;
            }
            // Mostly one file was replaced and the other not yet.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(reason = %error, "the certificate can't be replaced; the old one is shown until it can");
            }
            Err(_) => {}
        }
    }
}

/// Tells systemd, where it has started us. Nothing depends on it.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(reason = %error.kind(), "can't tell systemd how far we are");
    }
}

/// Binds what is configured, or the address of the command line.
pub(super) fn bind(config: &Config, listen: Option<SocketAddr>) -> Result<Listener, Failure> {
    let settings = listener_settings(&config.settings().listen);
    Ok(match (listen, &config.settings().listen.unix_socket) {
        (Some(address), _) => Listener::bind(address, settings)?,
        (None, Some(path)) => Listener::bind_unix(&config.path(path), settings)?,
        (None, None) => Listener::bind(config.settings().listen.address, settings)?,
    })
}

/// Binds the listener for Vault's clients, if there is to be one.
fn vault(config: &Config, endpoint: &Endpoint) -> Result<Option<(Listener, VaultDoor)>, Failure> {
    let Some(door) = endpoint.vault() else { return Ok(None) };
    let settings = listener_settings(&config.settings().listen);
    Ok(Some((Listener::bind(config.settings().vault.address, settings)?, door)))
}

fn listener_settings(listen: &settings::Listen) -> ListenerSettings {
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
        drain_timeout: listen.stop_timeout.get(),
        max_streams: listen.max_streams,
        allow_remote: listen.allow_remote,
        ..ListenerSettings::default()
    }
}

fn announce(front: &Front, config: &Config, endpoint: &Endpoint, output: Output) -> Result<(), Failure> {
    let place = match (front.listener.address(), &config.settings().listen.unix_socket) {
        (Some(address), _) => address.to_string(),
        (None, Some(path)) => format!("unix:{}", config.path(path).display()),
        (None, None) => String::new(),
    };
    let scheme = if config.settings().listen.tls.is_some() { "https" } else { "http" };
    let shown = if place.starts_with("unix:") { place.clone() } else { format!("{scheme}://{place}") };
    let json_log = config.settings().log.format == settings::LogFormat::Json;
    if json_log {
        let token = endpoint.token.as_ref().map(tracing::field::display);
        tracing::info!(address = %shown, token, "listening");
    } else {
        output.note(&format!("listening on {shown}"));
    }
    let vault = front.vault.as_ref().and_then(|(listener, _)| listener.address());
    if let Some(address) = vault {
        let shown = format!("{scheme}://{address}");
        if json_log {
            tracing::info!(address = %shown, "listening for Vault's clients");
        } else {
            output.note(&format!("Vault's clients: {shown}"));
        }
    }
    // A made token stands nowhere else, so it is said also to who wants quiet. It does not go through the log.
    match &endpoint.made_token {
        Some(token) => output.say(&format!("token: {} (made for this run)", token.expose_text().unwrap_or_default())),
        None if json_log => {}
        None => match &endpoint.token {
            Some(origin) => output.note(&format!("token: {origin}")),
            None => output.note("token: none; callers log in as `[auth]` says"),
        },
    }
    match vault {
        _ if !output.json => Ok(()),
        Some(vault) => output.json(&json!({ "listening": place, "vault": vault.to_string() })),
        None => output.json(&json!({ "listening": place })),
    }
}

/// Answers until a signal comes, then ends what is under way.
pub(super) async fn serve(
    host: &Host,
    config: &Config,
    assembly: Assembly,
    endpoint: Endpoint,
    front: Front,
    signals: &mut StopSignals,
) -> Result<(), Failure> {
    let Assembly { resolver, watch, prefetch, audit_flush, .. } = assembly;
    let own_call = call_maker(host);
    if !prefetch.is_empty() {
        let (resolver, call) = (Arc::clone(&resolver), own_call());
        call.clone().spawn(async move { resolver.prefetch(&call, &prefetch).await });
    }
    let watching = join_all(watch.map(|watch| watch.tasks(own_call.clone())).unwrap_or_default());
    let flushing = async {
        loop {
            host.ports.clock.sleep(audit_flush).await;
            resolver.flush_audit();
            host.anchor_audit();
        }
    };
    let stop = async {
        let signal = signals.next().await;
        tell_systemd(NotifyState::Stopping);
        tracing::info!(signal, "stopping");
    }
    .shared();
    let Front { listener, vault, tls } = front;
    let renewing = renew(tls.as_deref(), host);
    let at_vault = async {
        match vault {
            Some((listener, door)) => answer(listener, door, tls.as_ref(), stop.clone()).await,
            None => Ok(()),
        }
    };
    let answering = async { tokio::try_join!(answer(listener, endpoint, tls.as_ref(), stop.clone()), at_vault) };
    tell_systemd(NotifyState::Ready);
    tokio::select! {
        result = answering => { result?; }
        _ = async { tokio::join!(watching, flushing, renewing, host.deliver_audit(), host.deliver_spans()) } => {}
    }
    let stop_timeout = config.settings().listen.stop_timeout.get();
    resolver.shutdown(&host.call(stop_timeout)).await;
    host.ports.background.finished(stop_timeout).await;
    Ok(())
}

/// Answers at one listener until it is to stop, and then what is under way.
async fn answer(
    listener: Listener,
    door: impl FrontDoor,
    tls: Option<&Arc<ServerTls>>,
    stop: impl Future<Output = ()>,
) -> lockstep_core::Result<()> {
    match tls {
        Some(tls) => listener.serve_tls(Arc::new(door), Arc::clone(tls), stop).await,
        None => listener.serve(Arc::new(door), stop).await,
    }
}

/// Makes calls that belong to no request.
fn call_maker(host: &Host) -> impl Fn() -> Call + Clone + Send + Sync + 'static {
    let ports = host.ports.clone();
    move || ports.call("own", OWN_CALL)
}
