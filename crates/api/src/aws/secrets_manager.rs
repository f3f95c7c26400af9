//! `/secretsmanager/get` and the path style: the query of the agent, and an answer shaped like `GetSecretValue`.

use std::fmt::Write;

use lockstep_core::{Ask, Payload, Result, Secret, UnixMillis};

use super::{ask_for, invalid};
use crate::api::Exchange;
use crate::body::{Json, Wiped};
use crate::native::text_of;
use crate::parts::AwsSurface;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::routes::Where;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// What a request asks for.
pub(super) fn ask(surface: &AwsSurface, exchange: &Exchange<'_>) -> Result<Ask, Refusal> {
    if surface.secrets_manager.is_none() && surface.roles.is_empty() {
        return Err(Refusal::Route);
    }
    let by_path = exchange.to() == Where::PathStyle;
    if by_path && exchange.rest().is_empty() {
        return Err(Refusal::Parameter("missing secret ID".into()));
    }
    let known = ["versionId", "versionStage", "refreshNow", "roleArn", "secretId"];
    let known = if by_path { &known[..4] } else { &known[..] };
    let query = Query::parse(exchange.target(), known, &[])?;
    let name = if by_path { exchange.rest() } else { query.get("secretId").unwrap_or_default() };
    if name.is_empty() {
        return Err(Refusal::Parameter("missing parameter secretId".into()));
    }
    let alias = match query.get("roleArn") {
        None => surface.secrets_manager.as_ref().ok_or(Refusal::Route)?,
        Some(role) if !is_role_arn(role) => {
            let text = "invalid roleArn format, expected arn:<partition>:iam::<account>:role/<name>";
            return Err(Refusal::Parameter(text.into()));
        }
        Some(role) => surface
            .roles
            .get(role)
            .ok_or(Refusal::Parameter("roleArn is not allowed: list the role in the configuration".into()))?,
    };
    let selector = selector(query.get("versionId"), query.get("versionStage"))?;
    ask_for(alias, name, selector, &query)
}

/// The selector's text. Both an id and a stage are one text, `<id>:<stage>`, which the AWS provider sends on as both.
fn selector(id: Option<&str>, stage: Option<&str>) -> Result<Option<Box<str>>, Refusal> {
    for (what, text) in [("versionId", id), ("versionStage", stage)] {
        let Some(text) = text else { continue };
        if text.is_empty() || text.len() > 256 || text.contains(':') || text.chars().any(char::is_control) {
            return Err(invalid(format!("{what} must have 1 to 256 characters, none of them a colon or control")));
        }
        // In a selector these are words of our own; Secrets Manager has no such id or label by default.
        if matches!(text, "current" | "previous") {
            return Err(invalid(format!("{what} can't be `{text}`; write AWSCURRENT or AWSPREVIOUS as versionStage")));
        }
    }
    Ok(match (id, stage) {
        (Some(id), Some(stage)) => Some(format!("{id}:{stage}").into()),
        (Some(id), None) => Some(id.into()),
        (None, Some(CURRENT) | None) => None,
        (None, Some(PREVIOUS)) => Some("previous".into()),
        (None, Some(stage)) => Some(stage.into()),
    })
}

/// `arn:<partition>:iam::<12 digits>:role/<name>`, as the agent reads it.
fn is_role_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (arn, partition, service, region, account, role) = (next(), next(), next(), next(), next(), next());
    let name = role.strip_prefix("role/").unwrap_or_default();
    arn == "arn"
        && !partition.is_empty()
        && partition.chars().all(|c| word(c) || c == '-')
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| word(c) || "+=,.@/-".contains(c))
}

/// Writes the answer, in the agent's order of fields. What a provider does not have is left out.
pub(super) fn write(json: &mut Json, secret: &Secret) -> Result<()> {
    json.open();
    json.text("ARN", arn(secret));
    json.text("Name", Some(secret.name.as_str()));
    json.text("VersionId", secret.version.as_ref().map(|version| &*version.id));
    match &secret.payload {
        Payload::Whole(field) => {
            if let Some(text) = text_of(field) {
                json.text("SecretString", Some(text));
            } else {
                json.key("SecretBinary");
                json.base64(field.value.expose());
            }
        }
        fields @ Payload::Fields(_) => {
            let whole = fields.to_field()?;
            json.key("SecretString");
            json.string(whole.value.expose());
        }
    }
    // On Secrets Manager a version that has lost its last stage has an empty list.
    if !secret.labels.is_empty() || arn(secret).is_some() {
        json.key("VersionStages");
        json.open_list();
        for label in &secret.labels {
            json.string(label.as_bytes());
        }
        json.close_list();
    }
    if let Some(created) = secret.created {
        json.key("CreatedDate");
        json.string(seconds(created).as_slice());
    }
    json.close();
    Ok(())
}

/// The ARN: what the provider calls so, or a canonical name that is one.
pub(super) fn arn(secret: &Secret) -> Option<&str> {
    let canonical = Some(secret.id.name.as_str()).filter(|name| name.starts_with("arn:"));
    secret.attributes.get("ARN").map(|arn| &**arn).or(canonical)
}

/// Seconds since 1970 with their fraction, without trailing zeros, as the agent prints its float.
fn seconds(time: UnixMillis) -> Wiped {
    let mut out = Wiped::with_capacity(24);
    let millis = time.0 % 1000;
    let (fraction, width) = match millis {
        0 => (0, 0),
        _ if millis.is_multiple_of(100) => (millis / 100, 1),
        _ if millis.is_multiple_of(10) => (millis / 10, 2),
        _ => (millis, 3),
    };
    // Writing into a vector can't fail.
    let _ = write!(out, "{}", time.seconds());
    if width > 0 {
        let _ = write!(out, ".{fraction:0width$}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_arn_is_read_as_the_agent_reads_it() {
        for good in ["arn:aws:iam::123456789012:role/Admin", "arn:aws-cn:iam::123456789012:role/a/b+=,.@-_"] {
            assert!(is_role_arn(good), "{good}");
        }
        for bad in [
            "",
            "notAnArn",
            "arn:aws:iam::12345:role/Admin",
            "arn:aws:iam::12345678901a:role/Admin",
            "arn:aws:iam:us-east-1:123456789012:role/Admin",
            "arn:aws:sts::123456789012:role/Admin",
            "arn:aws:iam::123456789012:user/Some",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/x\",\"y",
            "arn:aws:iam::123456789012:role/a:b",
        ] {
            assert!(!is_role_arn(bad), "{bad}");
        }
    }

    #[test]
    fn a_time_is_printed_as_a_float_without_trailing_zeros() {
        let cases =
            [(1_569_534_789_046, "1569534789.046"), (1_569_534_789_500, "1569534789.5"), (1_000, "1"), (1_050, "1.05")];
        for (millis, text) in cases {
            assert_eq!(seconds(UnixMillis(millis)).as_slice(), text.as_bytes());
        }
    }

    #[test]
    fn id_and_stage_become_one_selector() {
        let cases = [
            (None, None, None),
            (None, Some("AWSCURRENT"), None),
            (None, Some("AWSPREVIOUS"), Some("previous")),
            (None, Some("AWSPENDING"), Some("AWSPENDING")),
            (Some("0cd9"), None, Some("0cd9")),
            (Some("0cd9"), Some("AWSCURRENT"), Some("0cd9:AWSCURRENT")),
        ];
        for (id, stage, expected) in cases {
            assert_eq!(selector(id, stage).unwrap().as_deref(), expected, "{id:?} {stage:?}");
        }
        for (id, stage) in [(Some(""), None), (None, Some("")), (Some("a:b"), None), (None, Some("previous"))] {
            assert!(selector(id, stage).is_err(), "{id:?} {stage:?}");
        }
    }
}
