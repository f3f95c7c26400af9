//! Notifications of GCP Secret Manager through Pub/Sub: the attributes say it all, so the data is not looked at.

use lockstep_core::{ChangeKind, Source};
use serde_json::Value;

use super::draft::Draft;
use super::fields::{first, text, time};
use super::gathered::Gathered;
use super::outcome::Reason;

const PROVIDER: &str = "gcp-secret-manager";

/// A message that was pushed, in its envelope, or the messages of a pull.
pub(super) fn delivered(body: &Value, gathered: &mut Gathered<'_>) {
    if let Some(messages) = body.get("receivedMessages").and_then(Value::as_array) {
        let read = |received: &Value, gathered: &mut Gathered<'_>| match received.get("message") {
            Some(message) => notification(message, gathered),
            None => gathered.ignore(Reason::Malformed),
        };
        return gathered.each(messages, |received| text(received, "/ackId"), read);
    }
    let Some(message) = body.get("message") else { return gathered.ignore(Reason::UnknownShape) };
    // Who pulls has named the subscription itself.
    if !gathered.accepted.expects_subscription(text(body, "/subscription").unwrap_or_default()) {
        return gathered.ignore(Reason::Unexpected);
    }
    notification(message, gathered);
}

fn notification(message: &Value, gathered: &mut Gathered<'_>) {
    let attribute = |name: &str| text(message, &format!("/attributes/{name}"));
    let Some(event) = attribute("eventType") else { return gathered.ignore(Reason::UnknownShape) };
    let version = attribute("versionId").and_then(|id| id.rsplit_once("/versions/")).map(|(_, number)| number);
    let is_version = |version: &str| {
        version.starts_with(|first: char| ('1'..='9').contains(&first)) && version.parse::<u64>().is_ok()
    };
    let (kind, versioned) = match event {
        "SECRET_VERSION_ADD" => (ChangeKind::Updated, true),
        // Until it is destroyed, a version that is to be destroyed is off, and can be switched on.
        "SECRET_VERSION_DISABLE" | "SECRET_VERSION_DESTROY_SCHEDULED" => (ChangeKind::Deleted, true),
        "SECRET_VERSION_DESTROY" => (ChangeKind::Destroyed, true),
        "SECRET_DELETE" => (ChangeKind::Destroyed, false),
        // Aliases of versions are among what an update changes. Any version may be switched on, and neither `latest` nor an
        // alias has moved to it, so none is to be expected.
        "SECRET_CREATE" | "SECRET_UPDATE" | "SECRET_VERSION_ENABLE" => (ChangeKind::Unknown, false),
        // Somebody should rotate it now; nothing has happened yet.
        "SECRET_ROTATE" => return gathered.ignore(Reason::NoNews),
        "TOPIC_CONFIGURED" => return gathered.ignore(Reason::Test),
        _ => return gathered.ignore(Reason::UnknownEvent),
    };
    let Some(place) = attribute("secretId").and_then(Place::parse) else { return gathered.ignore(Reason::Malformed) };
    if versioned && !version.is_some_and(is_version) {
        return gathered.ignore(Reason::Malformed);
    }
    if !gathered.accepted.knows(&place.source(place.project)) {
        return gathered.ignore(Reason::Foreign);
    }
    let published = time(message, "/publishTime").or_else(|| time(message, "/publish_time"));
    let at = attribute("timestamp").and_then(lockstep_core::UnixMillis::from_rfc3339).or(published);
    gathered.change(Draft {
        sender: "gcp",
        own_id: first(message, &["/messageId", "/message_id"]),
        source: place.source(place.number()),
        name: place.secret,
        label: None,
        version: version.filter(|_| versioned),
        kind,
        at,
    });
}

/// `projects/p[/locations/l]/secrets/s`.
struct Place<'v> {
    project: &'v str,
    location: &'v str,
    secret: &'v str,
}

impl<'v> Place<'v> {
    fn parse(text: &'v str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let place = match parts[..] {
            ["projects", project, "secrets", secret] => Self { project, location: "", secret },
            ["projects", project, "locations", location, "secrets", secret] => Self { project, location, secret },
            _ => return None,
        };
        (!place.project.is_empty() && !place.secret.is_empty()).then_some(place)
    }

    /// Secrets that are held are known by their project's number. Its id would match none of them, and nothing matches
    /// any.
    fn number(&self) -> &'v str {
        if self.project.bytes().all(|byte| byte.is_ascii_digit()) { self.project } else { "" }
    }

    fn source(&self, account: &str) -> Source {
        Source { provider: PROVIDER.into(), account: account.into(), region: self.location.into() }
    }
}
