//! Azure Event Grid: events of Key Vault in both schemas, and both ways to validate a subscription.

use http::header::{ALLOW, HeaderMap, HeaderValue};
use lockstep_core::{ChangeKind, Source};
use serde_json::Value;

use super::draft::Draft;
use super::fields::{first, lenient, text, time};
use super::gathered::Gathered;
use super::outcome::{Handshake, Reason};

const PROVIDER: &str = "azure-key-vault";

/// The origin that asks for consent in Azure's public cloud.
const ORIGIN: &str = "eventgrid.azure.net";

/// The longest code of a validation.
const MAX_CODE_BYTES: usize = 512;

/// What was posted: a list, or with CloudEvents a single event.
pub(super) fn delivered(body: &Value, headers: &HeaderMap, gathered: &mut Gathered<'_>) {
    let subscription = headers.get("aeg-subscription-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
    match body {
        Value::Array(events) => {
            gathered.each(events, |_| None, |event, gathered| one(event, subscription, gathered));
        }
        event => one(event, subscription, gathered),
    }
}

/// The answer to an `OPTIONS` request, by which Event Grid asks for consent before it delivers CloudEvents.
///
/// `origins` are the hosts that may deliver; empty stands for `eventgrid.azure.net`. The request names no topic, so who
/// may ask is all that there is to decide.
///
/// # Errors
/// [`Reason::UnknownShape`] when it does not ask for consent, [`Reason::Unexpected`] when it is from elsewhere.
pub fn event_grid_options(headers: &HeaderMap, origins: &[String]) -> Result<HeaderMap, Reason> {
    let mut asked = headers.get_all("webhook-request-origin").iter();
    let (Some(origin), None) = (asked.next(), asked.next()) else { return Err(Reason::UnknownShape) };
    let is = |known: &str| origin.as_bytes().eq_ignore_ascii_case(known.as_bytes());
    if !(if origins.is_empty() { is(ORIGIN) } else { origins.iter().any(|known| is(known)) }) {
        return Err(Reason::Unexpected);
    }
    let mut answer = HeaderMap::new();
    answer.insert("webhook-allowed-origin", origin.clone());
    // Deliveries in a minute. It is what Microsoft's own example allows.
    answer.insert("webhook-allowed-rate", HeaderValue::from_static("120"));
    answer.insert(ALLOW, HeaderValue::from_static("POST"));
    Ok(answer)
}

fn one(event: &Value, subscription: &str, gathered: &mut Gathered<'_>) {
    // The first of each pair is Event Grid's own schema, the second is CloudEvents.
    let Some(kind) = first(event, &["/eventType", "/type"]) else { return gathered.ignore(Reason::UnknownShape) };
    let topic = first(event, &["/topic", "/source"]).unwrap_or_default();
    if !gathered.accepted.expects_azure(topic, subscription) {
        return gathered.ignore(Reason::Unexpected);
    }
    if kind == "Microsoft.EventGrid.SubscriptionValidationEvent" {
        return validation(event, gathered);
    }
    if kind == "Microsoft.EventGrid.SubscriptionDeletedEvent" {
        return gathered.ignore(Reason::Unsubscribed);
    }
    let Some(kind) = kind.strip_prefix("Microsoft.KeyVault.") else {
        return gathered.ignore(Reason::NotASecret);
    };
    match kind {
        "SecretNewVersionCreated" => secret(event, ChangeKind::Updated, true, gathered),
        // A certificate is also a secret of its name, with its private key in it.
        "CertificateNewVersionCreated" => secret(event, ChangeKind::Unknown, false, gathered),
        "SecretNearExpiry" | "SecretExpired" => gathered.ignore(Reason::NoNews),
        kind if kind.starts_with("Key") || kind.starts_with("Certificate") || kind == "VaultAccessPolicyChanged" => {
            gathered.ignore(Reason::NotASecret);
        }
        _ => gathered.ignore(Reason::UnknownEvent),
    }
}

/// The code is sent back, by which the one who listens says that it wants the events. Only for the topic and the
/// subscription that are expected, which was looked at before.
fn validation(event: &Value, gathered: &mut Gathered<'_>) {
    let is_code = |code: &&str| code.len() <= MAX_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_graphic());
    match text(event, "/data/validationCode").filter(is_code) {
        Some(code) => gathered.confirm(Handshake::EventGrid { code: code.into() }),
        None => gathered.ignore(Reason::Malformed),
    }
}

fn secret(event: &Value, kind: ChangeKind, versioned: bool, gathered: &mut Gathered<'_>) {
    let Some(data) = event.get("data") else { return gathered.ignore(Reason::Malformed) };
    let address = lenient(data, "id").and_then(Object::parse);
    let vault = address.as_ref().map(|object| object.vault.clone());
    let name = address.as_ref().map(|object| object.name.clone()).or_else(|| lower(lenient(data, "objectname")));
    let version = address.and_then(|object| object.version).or_else(|| lower(lenient(data, "version")));
    let Some(name) = name else { return gathered.ignore(Reason::Malformed) };
    let is_version = |version: &str| version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    gathered.change(Draft {
        sender: "azure",
        own_id: text(event, "/id"),
        // The tenant is not told. The vault is the place that its secrets are in, and the provider's scope says the same.
        source: Source { provider: PROVIDER.into(), account: String::new(), region: vault.unwrap_or_default() },
        name: &name,
        label: None,
        version: version.as_deref().filter(|version| versioned && is_version(version)),
        kind,
        at: time(event, "/eventTime").or_else(|| time(event, "/time")),
    });
}

/// `https://vault.host/secrets/name/version`, in small letters: to a vault, names that differ in case alone are one.
struct Object {
    vault: String,
    name: String,
    version: Option<String>,
}

impl Object {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?.to_ascii_lowercase();
        let mut parts = rest.split('/');
        let (vault, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
        let is_host =
            !vault.is_empty() && vault.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
        let fits = is_host && matches!(kind, "secrets" | "certificates") && !name.is_empty();
        let version = parts.next().map(str::to_owned);
        (fits && parts.next().is_none()).then(|| Self { vault: vault.to_owned(), name: name.to_owned(), version })
    }
}

fn lower(text: Option<&str>) -> Option<String> {
    text.map(str::to_ascii_lowercase)
}
