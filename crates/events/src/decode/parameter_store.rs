//! Events of Parameter Store. None says a version.

use lockstep_core::{ChangeKind, Source};

use super::arn::Arn;
use super::aws::{Event, PARAMETER_STORE};
use super::fields::{has, text, texts};
use super::gathered::Gathered;
use super::outcome::Reason;

/// A parameter was written, deleted or labelled.
pub(super) fn changed(event: Event<'_>, gathered: &mut Gathered<'_>) {
    // An asynchronous write that was refused after all.
    if has(event.whole, "/detail/exception") {
        return gathered.ignore(Reason::FailedCall);
    }
    let kind = match text(event.whole, "/detail/operation") {
        Some("Create" | "Update") => ChangeKind::Updated,
        Some("Delete") => ChangeKind::Deleted,
        // Which label moved is not told.
        Some("LabelParameterVersion") => ChangeKind::Unknown,
        Some(_) => return gathered.ignore(Reason::UnknownEvent),
        None => return gathered.ignore(Reason::Malformed),
    };
    match text(event.whole, "/detail/name") {
        Some(name) => gathered.change(event.draft(source(&event), name, kind)),
        None => gathered.ignore(Reason::Malformed),
    }
}

/// A policy of a parameter came into effect. Only one that has deleted it changes anything.
pub(super) fn policy_action(event: Event<'_>, gathered: &mut Gathered<'_>) {
    let detail = |pointer: &str| text(event.whole, pointer);
    match (detail("/detail/policy-type"), detail("/detail/action-status")) {
        (Some("Expiration"), Some("Success")) => match detail("/detail/parameter-name") {
            Some(name) => gathered.change(event.draft(source(&event), name, ChangeKind::Deleted)),
            None => gathered.ignore(Reason::Malformed),
        },
        (Some("Expiration" | "ExpirationNotification" | "NoChangeNotification"), _) => {
            gathered.ignore(Reason::NoNews);
        }
        (Some(_), _) => gathered.ignore(Reason::UnknownEvent),
        (None, _) => gathered.ignore(Reason::Malformed),
    }
}

/// Account and region. The name is not read from the ARN: that leaves a leading `/` out.
fn source(event: &Event<'_>) -> Source {
    let arn = texts(event.whole, "/resources").into_iter().filter_map(Arn::parse).find(|arn| arn.service == "ssm");
    event.source(PARAMETER_STORE, arn)
}
