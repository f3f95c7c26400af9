//! Events of Amazon EventBridge: which service and kind an event is of; and Secrets Manager's own "Secret Label Updated".

use lockstep_core::{ChangeKind, Source, UnixMillis};
use serde_json::Value;

use super::arn::Arn;
use super::draft::Draft;
use super::fields::{first, text, texts, time};
use super::gathered::Gathered;
use super::outcome::Reason;
use super::{cloud_trail, parameter_store};

/// How configurations call the two services' providers.
pub(super) const SECRETS_MANAGER: &str = "aws-secrets-manager";
pub(super) const PARAMETER_STORE: &str = "aws-parameter-store";

/// What every event of EventBridge has.
#[derive(Clone, Copy)]
pub(super) struct Event<'v> {
    pub(super) whole: &'v Value,
    pub(super) id: &'v str,
    pub(super) account: &'v str,
    pub(super) region: &'v str,
    pub(super) at: Option<UnixMillis>,
}

/// Reads one event. Who may put events on a bus can't give them a source that begins with `aws.`, so the source is
/// compared to the letter.
pub(super) fn event(whole: &Value, gathered: &mut Gathered<'_>) {
    let read = |name: &str| text(whole, name);
    let (Some(kind), Some(source), Some(id)) = (read("/detail-type"), read("/source"), read("/id")) else {
        return gathered.ignore(Reason::UnknownShape);
    };
    let event = Event {
        whole,
        id,
        account: read("/account").unwrap_or_default(),
        region: read("/region").unwrap_or_default(),
        at: time(whole, "/time"),
    };
    match (source, kind) {
        // Seen with words before it.
        ("aws.secretsmanager", kind) if kind.contains("Secret Label Updated") => label_updated(event, gathered),
        ("aws.secretsmanager", "AWS API Call via CloudTrail") => cloud_trail::api_call(event, gathered),
        ("aws.secretsmanager", "AWS Service Event via CloudTrail") => cloud_trail::service_event(event, gathered),
        ("aws.ssm", "Parameter Store Change") => parameter_store::changed(event, gathered),
        ("aws.ssm", "Parameter Store Policy Action") => parameter_store::policy_action(event, gathered),
        ("aws.secretsmanager" | "aws.ssm", _) => gathered.ignore(Reason::UnknownEvent),
        _ => gathered.ignore(Reason::UnknownShape),
    }
}

impl<'v> Event<'v> {
    /// Where it happened: as an ARN says, or else as the event does.
    pub(super) fn source(&self, provider: &str, arn: Option<Arn<'_>>) -> Source {
        match arn {
            Some(arn) => arn.source(provider),
            None => Source { provider: provider.into(), account: self.account.into(), region: self.region.into() },
        }
    }

    /// A Change with the event's own id and time.
    pub(super) fn draft(&self, source: Source, name: &'v str, kind: ChangeKind) -> Draft<'v> {
        Draft { sender: "aws", own_id: Some(self.id), source, name, label: None, version: None, kind, at: self.at }
    }

    /// The ARN of a secret that the event names beside its details.
    pub(super) fn resource(&self) -> Option<Arn<'v>> {
        let arn = |text| Arn::parse(text).filter(|arn| arn.secret().is_some());
        texts(self.whole, "/resources").into_iter().find_map(arn)
    }
}

/// Which Change it is when a staging label moves to a version. What is current moves together with what was.
pub(super) fn labelled<'v>(draft: Draft<'v>, label: &'v str, version: Option<&'v str>) -> Draft<'v> {
    match label {
        "AWSCURRENT" => Draft { version, ..draft },
        // It is where the current one was. Which one that is now is not said.
        "AWSPREVIOUS" => Draft { kind: ChangeKind::Unknown, ..draft },
        _ => Draft { label: Some(label), version, ..draft },
    }
}

/// Secrets Manager's own event.
fn label_updated(event: Event<'_>, gathered: &mut Gathered<'_>) {
    let arn = event.resource();
    let appended = arn.and_then(Arn::secret);
    let named = text(event.whole, "/detail/name").or_else(|| appended?.name()).or_else(|| Some(appended?.whole()));
    let mut labels = texts(event.whole, "/detail/labelUpdated");
    if labels.is_empty() {
        labels = texts(event.whole, "/detail/AddedLabels");
    }
    let (Some(name), false) = (named, labels.is_empty()) else { return gathered.ignore(Reason::Malformed) };
    let version = first(event.whole, &["/detail/versionId", "/detail/VersionId"]);
    for label in labels {
        let draft = event.draft(event.source(SECRETS_MANAGER, arn), name, ChangeKind::Updated);
        gathered.change(labelled(draft, label, version));
    }
}
