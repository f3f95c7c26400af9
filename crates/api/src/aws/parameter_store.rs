//! `/systemsmanager/parameters/get`: the query of the Lambda extension, and an answer shaped like `GetParameter` as its
//! Go code writes it (fields in alphabetical order, `null` for what is not there).

use lockstep_core::{Ask, Payload, Result, Secret, UnixMillis};

use super::{ask_for, invalid, secrets_manager};
use crate::api::Exchange;
use crate::body::Json;
use crate::native::text_of;
use crate::parts::AwsSurface;
use crate::query::Query;
use crate::refusal::Refusal;

/// What a request asks for.
pub(super) fn ask(surface: &AwsSurface, exchange: &Exchange<'_>) -> Result<Ask, Refusal> {
    if surface.parameter_store.is_none() && surface.parameter_store_encrypted.is_none() {
        return Err(Refusal::Route);
    }
    let known = ["name", "version", "label", "withDecryption", "refreshNow"];
    let query = Query::parse(exchange.target(), &known, &[])?;
    let name = query.get("name").unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::Parameter("missing parameter name".into()));
    }
    let alias =
        if query.switch("withDecryption")? { &surface.parameter_store } else { &surface.parameter_store_encrypted };
    let alias = alias.as_ref().ok_or(Refusal::Route)?;
    let selector = match (query.get("version"), query.get("label")) {
        (None, None) => None,
        (Some(_), Some(_)) => return Err(Refusal::Parameter("version and label exclude each other".into())),
        (Some(version), None) => {
            let is_number = (1..=19).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
            if !is_number {
                return Err(Refusal::Parameter("invalid version value".into()));
            }
            Some(version)
        }
        (None, Some(label)) => {
            // A label of Parameter Store begins with no digit, so none of them is taken for a version.
            let fits = (1..=100).contains(&label.len())
                && !label.starts_with(|c: char| c.is_ascii_digit())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            if !fits || matches!(label, "current" | "previous") {
                return Err(invalid(
                    "a label has 1 to 100 letters, digits, `.`, `-` and `_`, not beginning with a digit",
                ));
            }
            Some(label)
        }
    };
    ask_for(alias, name, selector.map(Box::from), &query)
}

/// Writes the answer.
pub(super) fn write(json: &mut Json, secret: &Secret) -> Result<()> {
    let attribute = |name: &str| secret.attributes.get(name).map(|text| &**text);
    json.open();
    json.key("Parameter");
    json.open();
    or_null(json, "ARN", secrets_manager::arn(secret));
    json.text("DataType", Some(attribute("DataType").unwrap_or("text")));
    or_null(json, "LastModifiedDate", modified(secret).as_deref());
    json.text("Name", Some(secret.name.as_str()));
    or_null(json, "Selector", attribute("Selector"));
    or_null(json, "SourceResult", attribute("SourceResult"));
    json.text("Type", Some(attribute("Type").unwrap_or("SecureString")));
    json.key("Value");
    match &secret.payload {
        Payload::Whole(field) => {
            if let Some(text) = text_of(field) {
                json.string(text.as_bytes());
            } else {
                json.base64(field.value.expose());
            }
        }
        fields @ Payload::Fields(_) => json.string(fields.to_field()?.value.expose()),
    }
    json.key("Version");
    // The API's number; 0 is that of a reference to Secrets Manager. A provider without numbers has none to give; 1 is
    // what a new parameter has.
    let of_version = || secret.version.as_ref().and_then(|version| version.order.or_else(|| version.id.parse().ok()));
    json.number(attribute("Version").and_then(|text| text.parse().ok()).or_else(of_version).unwrap_or(1));
    json.close();
    json.key("ResultMetadata");
    json.open();
    json.close();
    json.close();
    Ok(())
}

fn or_null(json: &mut Json, key: &str, text: Option<&str>) {
    json.key(key);
    match text {
        Some(text) => json.string(text.as_bytes()),
        None => json.raw(b"null"),
    }
}

/// RFC 3339, as Go writes a time; the API itself has seconds since 1970.
fn modified(secret: &Secret) -> Option<String> {
    let text = secret.attributes.get("LastModifiedDate");
    let time = match text {
        Some(text) => text.parse().ok().and_then(UnixMillis::from_seconds),
        None => secret.created,
    };
    time.map(UnixMillis::to_rfc3339).or_else(|| text.map(ToString::to_string))
}
