//! What no single value can say: ranges, addresses, and names that refer to one another. Everything wrong is listed.

mod address;
mod aws;
#[cfg(feature = "callers")]
mod callers;
#[cfg(feature = "rotation")]
mod rotators;
#[cfg(feature = "otlp")]
mod telemetry;
mod vault;
#[cfg(feature = "vault-surface")]
mod vault_surface;

use std::time::Duration;

use lockstep_core::{Context, ErrorKind, Template, Ttl};

#[cfg(any(feature = "feed", feature = "otlp"))]
pub(crate) use self::address::check as address;
#[cfg(feature = "otlp")]
pub(crate) use self::telemetry::header as telemetry_header;
use crate::problem::Problem;
use crate::settings::{
    AliasName, AuditSinkKind, AzureAuth, AzureKeyVault, Kubernetes, KubernetesAuth, MockSecret, Provider, Settings,
    Tls, Upstream,
};
use crate::suggestion::hint;
use crate::tree::Node;
use crate::units::{Period, Size};

/// Every alias that is written, also of providers with mistakes: who refers to those makes no second mistake.
pub(crate) fn aliases(tree: &Node) -> Vec<String> {
    tree.child("providers").map_or(&[][..], Node::entries).iter().map(|entry| entry.key.clone()).collect()
}

/// Looks at the whole.
pub(crate) fn check(settings: &Settings, tree: &Node, aliases: &[String], problems: &mut Vec<Problem>) {
    let mut checks = Checks { tree, problems, context: (&settings.context).into() };
    checks.cache_and_freshness(settings);
    checks.audit(settings);
    checks.listen(settings);
    checks.aws(settings, aliases);
    #[cfg(feature = "vault-surface")]
    checks.vault_surface(settings, aliases);
    #[cfg(feature = "callers")]
    checks.callers(settings);
    #[cfg(feature = "otlp")]
    checks.telemetry(&settings.telemetry);
    checks.routes(settings, aliases);
    #[cfg(feature = "rotation")]
    checks.rotators(settings);
    for (alias, provider) in &settings.providers {
        checks.provider(&format!("providers.{}", alias.0), provider);
        checks.around(settings, alias, provider, aliases);
    }
    for (index, reference) in settings.prefetch.iter().enumerate() {
        if let Some(alias) = &reference.parsed.alias {
            checks.alias(&format!("prefetch.{index}"), alias.as_str(), aliases);
        }
    }
}

const MILLIS: fn(u64) -> Duration = Duration::from_millis;
const HOURS: fn(u64) -> Duration = Duration::from_hours;
const ZERO: Duration = Duration::ZERO;

struct Checks<'a> {
    tree: &'a Node,
    problems: &'a mut Vec<Problem>,
    context: Context,
}

impl Checks<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(self.tree.place_of(key), key, message));
    }

    fn period(&mut self, key: &str, value: Period, least: Duration, most: Duration) {
        if value.get() < least || value.get() > most {
            let (least, most) = (Period::of(least), Period::of(most));
            self.wrong(key, format!("{value} is out of range; write from {least} to {most}"));
        }
    }

    fn number(&mut self, key: &str, value: u32, least: u32, most: u32) {
        if value < least || value > most {
            self.wrong(key, format!("{value} is out of range; write from {least} to {most}"));
        }
    }

    fn size(&mut self, key: &str, value: Size, least: u64, most: u64) {
        let (least, most) = (Size::of(least), Size::of(most));
        if value < least || value > most {
            self.wrong(key, format!("{value} is out of range; write from {least} to {most}"));
        }
    }

    fn cache_and_freshness(&mut self, settings: &Settings) {
        let cache = &settings.cache;
        self.period("cache.ttl", cache.ttl, ZERO, Ttl::MAX);
        self.period("cache.ttl_with_journal", cache.ttl_with_journal, ZERO, Ttl::MAX);
        self.period("cache.refresh_ahead", cache.refresh_ahead, ZERO, Ttl::MAX);
        self.number("cache.max_entries", cache.max_entries, 1, 1_000_000);
        self.size("cache.max_bytes", cache.max_bytes, 64 << 10, Size::MAX);
        self.period("cache.negative_ttl", cache.negative_ttl, ZERO, HOURS(1));
        self.period("cache.max_stale", cache.max_stale, ZERO, HOURS(7 * 24));
        self.period("cache.pin_recheck", cache.pin_recheck, MILLIS(1000), HOURS(24));
        self.period("cache.report_pause", cache.report_pause, ZERO, HOURS(1));
        let freshness = &settings.freshness;
        self.period("freshness.max_staleness", freshness.max_staleness, MILLIS(100), HOURS(1));
        self.period("freshness.settle", freshness.settle, ZERO, HOURS(1));
        self.period("freshness.check_timeout", freshness.check_timeout, MILLIS(10), MILLIS(30_000));
    }

    fn audit(&mut self, settings: &Settings) {
        let audit = &settings.audit;
        self.period("audit.flush", audit.flush, MILLIS(10), HOURS(1));
        self.number("audit.queue", audit.queue, 1, 1_000_000);
        if audit.key.is_some() && !audit.sink.by_key().any(|(_, sink)| audit.is_chained(sink)) {
            self.wrong(
                "audit.key",
                "a key is for a chain, and lines are not chained; write `chain = true`, or remove it",
            );
        }
        if audit.sink.is_at_odds() {
            self.wrong(
                "audit.sink",
                "a list names each place once, at least one, and `\"none\"` stands alone; write `sink = [\"stdout\", \
                 { file = \"PATH\" }]`",
            );
        }
        for (key, sink) in audit.sink.by_key() {
            match sink {
                AuditSinkKind::File(file) => {
                    if let Some(bytes) = file.rotate_bytes {
                        self.size(&format!("{key}.rotate_bytes"), bytes, 64 << 10, Size::MAX);
                    }
                    self.number(&format!("{key}.keep"), file.keep, 1, 1000);
                }
                AuditSinkKind::Http(http) => {
                    self.address(&format!("{key}.http"), Some(&http.http), http.insecure);
                    self.tls(&key, &http.tls);
                    self.number(&format!("{key}.batch_records"), http.batch_records, 1, 10_000);
                    self.size(&format!("{key}.batch_bytes"), http.batch_bytes, 1 << 10, 16 << 20);
                    self.period(&format!("{key}.batch_wait"), http.batch_wait, ZERO, Duration::from_mins(1));
                    self.period(&format!("{key}.timeout"), http.timeout, MILLIS(10), Duration::from_mins(10));
                }
                AuditSinkKind::Stderr | AuditSinkKind::Stdout | AuditSinkKind::None => {}
            }
        }
    }

    fn listen(&mut self, settings: &Settings) {
        let listen = &settings.listen;
        let remote = !listen.address.ip().to_canonical().is_loopback();
        if remote && !listen.allow_remote {
            let port = listen.address.port();
            let message = format!(
                "{} can be reached from other machines; write `127.0.0.1:{port}`, or `allow_remote = true` with `tls`",
                listen.address.ip()
            );
            self.wrong("listen.address", message);
        }
        match (&listen.tls, &listen.unix_socket) {
            (None, _) if listen.allow_remote => {
                let message =
                    "listening beyond this machine needs TLS; write `tls = { cert_file = \"…\", key_file = \"…\" }`";
                self.wrong("listen.allow_remote", message);
            }
            (Some(_), Some(_)) => {
                self.wrong("listen.tls", "a Unix socket needs no TLS; remove this, or `unix_socket`");
            }
            (Some(tls), None) if tls.require_client_cert && tls.client_ca_file.is_none() => {
                let message = "nobody's certificate is trusted; write `client_ca_file` too, or remove this";
                self.wrong("listen.tls.require_client_cert", message);
            }
            _ => {}
        }
        if listen.allow_remote && listen.allowed_hosts.is_empty() {
            let message = "name the hosts that callers ask for; write for example `[\"lockstep.internal\"]`";
            self.wrong("listen.allowed_hosts", message);
        }
        self.number("listen.max_streams", listen.max_streams, 1, 1000);
        self.number("listen.max_connections", listen.max_connections, 1, 10_000);
        self.size("listen.max_header_bytes", listen.max_header_bytes, 1 << 10, 1 << 20);
        self.size("listen.max_body_bytes", listen.max_body_bytes, 0, 16 << 20);
        let one = listen.max_body_bytes.bytes() as u64;
        self.size("listen.max_bodies_bytes", listen.max_bodies_bytes, one, 1 << 30);
        self.size("listen.max_address_bodies_bytes", listen.max_address_bodies_bytes, 0, 1 << 30);
        let ten_minutes = Duration::from_mins(10);
        self.period("listen.header_timeout", listen.header_timeout, MILLIS(10), ten_minutes);
        self.period("listen.body_timeout", listen.body_timeout, MILLIS(10), ten_minutes);
        self.period("listen.request_timeout", listen.request_timeout, MILLIS(10), Duration::from_mins(15));
        self.period("listen.write_timeout", listen.write_timeout, MILLIS(10), ten_minutes);
        self.number("listen.max_batch_items", listen.max_batch_items, 1, 1000);
        self.number("listen.address_rate", listen.address_rate, 0, 1_000_000);
        self.number("listen.address_burst", listen.address_burst, 1, 1_000_000);
        self.number("listen.caller_rate", listen.caller_rate, 0, 1_000_000);
        self.number("listen.caller_burst", listen.caller_burst, 1, 1_000_000);
        self.number("listen.report_rate", listen.report_rate, 0, 1000);
        self.number("listen.report_burst", listen.report_burst, 1, 1000);
        self.number("listen.max_counted", listen.max_counted, 100, 1_000_000);
        self.period("listen.idle_timeout", listen.idle_timeout, MILLIS(10), HOURS(1));
        self.period("listen.stop_timeout", listen.stop_timeout, ZERO, ten_minutes);
        if listen.unix_socket.is_none() && !listen.socket_users.is_empty() {
            let message = "users are known on a Unix socket only; write `unix_socket` too, or remove this";
            self.wrong("listen.socket_users", message);
        }
        for (index, host) in listen.allowed_hosts.iter().enumerate() {
            let is_name = host.parse::<http::uri::Authority>().is_ok_and(|authority| authority.host() == host);
            if !is_name {
                let key = format!("listen.allowed_hosts.{index}");
                self.wrong(&key, "this is no name of a host; write it without port, for example `lockstep.internal`");
            }
        }
    }

    fn aws(&mut self, settings: &Settings, aliases: &[String]) {
        let aws = &settings.aws;
        if !(aws.path_prefix.starts_with('/') && aws.path_prefix.ends_with('/') && aws.path_prefix.len() > 2) {
            self.wrong("aws.path_prefix", "a prefix begins and ends with `/`; write for example `/v1/`");
        }
        for (role, alias) in &aws.roles {
            self.alias(&format!("aws.roles.{role}"), alias.0.as_str(), aliases);
        }
        for (key, alias) in [
            ("aws.secrets_manager", &aws.secrets_manager),
            ("aws.parameter_store", &aws.parameter_store),
            ("aws.parameter_store_encrypted", &aws.parameter_store_encrypted),
        ] {
            if let Some(alias) = alias {
                self.alias(key, alias.0.as_str(), aliases);
            }
        }
        for (index, header) in aws.ssrf_headers.iter().enumerate() {
            if header.parse::<http::HeaderName>().is_err() {
                let message = "this is no name of a header; write for example `X-Aws-Parameters-Secrets-Token`";
                self.wrong(&format!("aws.ssrf_headers.{index}"), message);
            }
        }
        if aws.ssrf_headers.is_empty() {
            self.wrong("aws.ssrf_headers", "without a header no caller can show the token; name one");
        }
    }

    fn routes(&mut self, settings: &Settings, aliases: &[String]) {
        for (index, route) in settings.routes.iter().enumerate() {
            let key = format!("routes.{index}");
            if route.providers.is_empty() {
                self.wrong(&format!("{key}.providers"), "a route needs a provider; write for example `[\"aws\"]`");
            }
            for (position, alias) in route.providers.iter().enumerate() {
                self.alias(&format!("{key}.providers.{position}"), alias.0.as_str(), aliases);
            }
            if let Some(ttl) = route.ttl {
                self.period(&format!("{key}.ttl"), ttl, ZERO, Ttl::MAX);
            }
            if let Some(bound) = route.max_staleness {
                self.period(&format!("{key}.max_staleness"), bound, MILLIS(100), HOURS(1));
            }
        }
    }

    fn alias(&mut self, key: &str, alias: &str, aliases: &[String]) {
        if aliases.iter().any(|known| known == alias) {
            return;
        }
        let hint = hint(alias, aliases.iter().map(String::as_str));
        self.wrong(key, format!("there is no provider `{alias}`{hint}"));
    }

    /// A provider around another one: that one is there, and the way through them ends.
    fn around(&mut self, settings: &Settings, alias: &AliasName, provider: &Provider, aliases: &[String]) {
        let key = format!("providers.{}.of", alias.0);
        let Some(of) = provider.of() else { return };
        self.alias(&key, of.0.as_str(), aliases);
        let inner = |of: &AliasName| settings.providers.get(of).and_then(Provider::of);
        let way: Vec<_> = std::iter::successors(Some(of), |of| inner(of)).take(settings.providers.len()).collect();
        if of == alias {
            let others = aliases.iter().map(String::as_str).filter(|other| *other != alias.0.as_str());
            let hint = hint("", others);
            self.wrong(&key, format!("`{}` can't be made around itself{hint}", alias.0));
        } else if let Some(end) = way.iter().position(|of| *of == alias) {
            let way: Vec<_> = way[..end].iter().map(|of| format!("`{}`", of.0)).collect();
            let message = format!(
                "`{}` would be made around itself, by way of {}; name a provider of another type",
                alias.0,
                way.join(", ")
            );
            self.wrong(&key, message);
        }
    }

    fn path(&mut self, key: &str, path: &std::path::Path, such_as: &str) {
        if path.as_os_str().is_empty() {
            self.wrong(key, format!("the path is empty; write for example `{such_as}`"));
        }
    }

    fn provider(&mut self, key: &str, provider: &Provider) {
        let common = provider.common();
        if let Some(ttl) = common.ttl {
            self.period(&format!("{key}.ttl"), ttl, ZERO, Ttl::MAX);
        }
        if let Some(members) = common.max_members {
            self.number(&format!("{key}.max_members"), members, 1000, 1_000_000);
        }
        self.upstream(&format!("{key}.upstream"), common.upstream);
        if let Some(template) = common.name_template
            && let Err(error) = Template::parse(template, &self.context)
        {
            self.wrong(&format!("{key}.name_template"), error.message());
        }
        match provider {
            Provider::AwsSecretsManager(settings) => {
                self.aws_login(key, &settings.login());
                self.aws_regions(key, settings);
            }
            Provider::AwsParameterStore(settings) => self.aws_login(key, &settings.login()),
            Provider::GcpSecretManager(settings) => {
                for (name, address) in [
                    ("endpoint", &settings.endpoint),
                    ("token_endpoint", &settings.token_endpoint),
                    ("iam_endpoint", &settings.iam_endpoint),
                ] {
                    self.address(&format!("{key}.{name}"), address.as_deref(), settings.insecure);
                }
                self.tls(key, &settings.tls);
            }
            Provider::Vault(settings) => {
                self.vault(key, settings);
                self.tls(key, &settings.tls);
            }
            Provider::Lockstep(settings) => {
                self.address(&format!("{key}.address"), Some(&settings.address), settings.insecure);
                self.tls(key, &settings.tls);
            }
            Provider::AzureKeyVault(settings) => {
                self.azure(key, settings);
                self.tls(key, &settings.tls);
            }
            Provider::Kubernetes(settings) => {
                self.kubernetes(key, settings);
                self.tls(key, &settings.tls);
            }
            Provider::File(settings) => {
                self.path(&format!("{key}.path"), &settings.path, "secrets.yaml");
                self.period(&format!("{key}.poll"), settings.poll, MILLIS(10), HOURS(1));
            }
            // What is bound is for the host to say; what a dry run is made around has checks of its own.
            Provider::CloudflareSecretsStore(_) | Provider::DryRun(_) => {}
            Provider::Record(settings) => self.path(&format!("{key}.file"), &settings.file, "trace.lockstep"),
            Provider::Replay(settings) => self.path(&format!("{key}.file"), &settings.file, "trace.lockstep"),
            Provider::Mock(settings) => {
                self.period(&format!("{key}.delay"), settings.delay, ZERO, HOURS(1));
                for (name, secret) in &settings.secrets {
                    self.mock_secret(&format!("{key}.secrets"), name, secret);
                }
            }
        }
    }

    fn azure(&mut self, key: &str, settings: &AzureKeyVault) {
        match (&settings.vault, &settings.address) {
            (None, None) => self.wrong(key, "`vault` is missing; write the name of a vault, or its `address`"),
            (Some(_), Some(_)) => {
                let message = "the vault is named twice; write either `vault` or `address`";
                self.wrong(&format!("{key}.address"), message);
            }
            (_, address) => self.address(&format!("{key}.address"), address.as_deref(), settings.insecure),
        }
        if let Some(AzureAuth::ManagedIdentity(identity)) = &settings.auth {
            let ids = [&identity.client_id, &identity.object_id, &identity.msi_res_id];
            if ids.into_iter().flatten().count() > 1 {
                let message = "an identity is named in more than one way; write one of `client_id`, `object_id` and \
                               `msi_res_id`";
                self.wrong(&format!("{key}.auth"), message);
            }
        }
    }

    fn kubernetes(&mut self, key: &str, settings: &Kubernetes) {
        let address = format!("{key}.address");
        let by_token = matches!(settings.auth, Some(KubernetesAuth::Token(_)));
        // What is wrong with the login is said already, and what it would have been is not known.
        let auth = format!("{key}.auth");
        let is_known = !self.problems.iter().any(|problem| problem.key.starts_with(&auth));
        match (&settings.address, by_token) {
            (_, false) if !is_known => {}
            (None, true) => {
                self.wrong(&address, "a token needs the server it is for; write for example `https://10.0.0.1:6443`");
            }
            (Some(_), false) => self.wrong(
                &address,
                "a pod and a kubeconfig say their server themselves; remove this, or write \
                 `auth = { method = \"token\", token = { file = \"…\" } }`",
            ),
            (written, _) => self.address(&address, written.as_deref(), settings.insecure),
        }
        if !settings.watch && !settings.watch_names.is_empty() {
            self.wrong(&format!("{key}.watch_names"), "names are watched with `watch = true` alone; write it too");
        }
    }

    fn mock_secret(&mut self, key: &str, name: &str, secret: &MockSecret) {
        if let Err(error) = lockstep_core::SecretName::parse(name) {
            self.wrong(key, error.to_string());
        }
        self.period(key, secret.delay, ZERO, HOURS(1));
        if let Some(code) = &secret.error
            && error_kind(code).is_none()
        {
            let hint = hint(code, ErrorKind::ALL.iter().map(|kind| kind.code()));
            self.wrong(key, format!("the error is not one of Lockstep's{hint}"));
        }
    }

    fn address(&mut self, key: &str, address: Option<&str>, insecure: bool) {
        if let Some(address) = address
            && let Err(message) = address::check(address, insecure)
        {
            self.wrong(key, message);
        }
    }

    fn tls(&mut self, key: &str, tls: &Tls) {
        if tls.client_cert.is_some() != tls.client_key.is_some() {
            self.wrong(&format!("{key}.tls"), "a client certificate needs its key; write both or neither");
        }
    }

    fn upstream(&mut self, key: &str, upstream: &Upstream) {
        let ten_minutes = Duration::from_mins(10);
        self.period(&format!("{key}.timeout"), upstream.timeout, ZERO, ten_minutes);
        self.number(&format!("{key}.attempts"), upstream.attempts, 0, 10);
        self.number(&format!("{key}.throttled_attempts"), upstream.throttled_attempts, 0, 10);
        self.period(&format!("{key}.backoff"), upstream.backoff, ZERO, ten_minutes);
        self.period(&format!("{key}.throttled_backoff"), upstream.throttled_backoff, ZERO, ten_minutes);
        self.period(&format!("{key}.max_backoff"), upstream.max_backoff, ZERO, ten_minutes);
        self.period(&format!("{key}.breaker_reset"), upstream.breaker_reset, ZERO, HOURS(1));
    }
}

/// The kind that has this code.
pub(crate) fn error_kind(code: &str) -> Option<ErrorKind> {
    ErrorKind::ALL.into_iter().find(|kind| kind.code() == code)
}
