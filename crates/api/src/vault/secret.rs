//! One value, as KV version 1 or 2 answers it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use http::header::{AGE, CACHE_STATUS, HeaderValue};
use http::{Response, StatusCode};
use lockstep_core::{Answer, Ask, CacheStatus, Encoding, ErrorKind, Field, Payload, Secret, UnixMillis};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::envelope::{failed, member, respond, write};
use super::{KvVersion, VaultMount, history};
use crate::api::{Api, Exchange, Stop};
use crate::body::{Json, room};
use crate::native::{cache_status, text_of};

/// The number of a version that its provider does not number.
pub(super) const UNNUMBERED: u64 = 1;
/// How Go writes a time that was never set; a client that parses times can't read an empty one.
const NO_TIME: &str = "0001-01-01T00:00:00Z";
/// What Vault says of how long a value of KV version 1 is good, in seconds, unless somebody told it otherwise.
const LONGEST: u64 = 2_764_800;

/// Reads, and waits if it has to.
pub(super) async fn read(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    mut ask: Ask,
    version: Option<u64>,
) -> Result<Response<Bytes>, Stop> {
    ask.selector = version.map(|number| number.to_string().into());
    let call = exchange.call(api);
    let mut found = api.resolver().get(&call, &exchange.who, &ask).await;
    if let (Err(error), Some(UNNUMBERED)) = (&found, version)
        && matches!(error.kind(), ErrorKind::VersionNotFound | ErrorKind::Unsupported | ErrorKind::InvalidReference)
    {
        // Where versions have no numbers, the current one was shown as this.
        let (first, plain) = (error.clone(), Ask { selector: None, ..ask.clone() });
        found = match api.resolver().get(&call, &exchange.who, &plain).await {
            Ok(answer) if number_of(&answer.secret).is_none() => Ok(answer),
            _ => Err(first),
        };
    }
    match found {
        Ok(answer) => Ok(release(exchange, mount, &answer)),
        Err(error) => match error.kind() {
            ErrorKind::Deleted | ErrorKind::Destroyed if mount.kv == KvVersion::Two => {
                Ok(history::gone(api, exchange, mount, &ask.name, version).await.unwrap_or_else(|| failed(&error)))
            }
            // No such number where there are none: it is not there, whatever the provider calls it.
            ErrorKind::Unsupported | ErrorKind::InvalidReference if version.is_some() => {
                Ok(super::envelope::errors(StatusCode::NOT_FOUND, None))
            }
            _ => Err(error.into()),
        },
    }
}

/// Answers from the cache; `None` when that can't be done without waiting.
pub(super) fn read_at_once(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    ask: &Ask,
) -> Option<Response<Bytes>> {
    let answer = exchange.get_at_once(api, ask)?;
    Some(release(exchange, mount, &answer))
}

fn release(exchange: &Exchange<'_>, mount: &VaultMount, answer: &Answer) -> Response<Bytes> {
    let secret = &answer.secret;
    let warnings = warnings(answer);
    let mut json = Json::with_capacity(room(answer));
    match mount.kv {
        KvVersion::One => {
            // When to ask again. A value that stands in for a newer one is to be asked for soon.
            let again = answer.fresh_for.as_secs().clamp(1, LONGEST);
            write(&mut json, exchange, again, &warnings, |json| write_values(json, &secret.payload));
        }
        KvVersion::Two => write(&mut json, exchange, 0, &warnings, |json| {
            json.open();
            json.key("data");
            write_values(json, &secret.payload);
            json.key("metadata");
            let number = number_of(secret);
            let facts = Facts {
                number: number.unwrap_or(UNNUMBERED),
                created: secret.created,
                deleted: None,
                destroyed: false,
            };
            // Where the number says nothing, the provider's own id does.
            facts.write(json, secret.version.as_ref().map(|version| &*version.id).filter(|_| number.is_none()));
            json.close();
        }),
    }
    let mut response = respond(StatusCode::OK, json);
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(answer.age.as_secs()));
    headers.insert(CACHE_STATUS, cache_status(answer.status));
    response
}

/// What the caller should know, and a client of Vault shows.
fn warnings(answer: &Answer) -> Vec<String> {
    let mut warnings = Vec::new();
    if let CacheStatus::Stale(kind) = answer.status {
        warnings
            .push(format!("this value is past its time, since the provider or the journal failed: {}", kind.code()));
    }
    if let Payload::Fields(fields) = &answer.secret.payload {
        let binary: Vec<&str> =
            fields.iter().filter(|(_, field)| text_of(field).is_none()).map(|(name, _)| &**name).collect();
        if !binary.is_empty() {
            warnings.push(format!("these values are bytes and stand here in base64: {}", binary.join(", ")));
        }
    }
    warnings
}

/// The number of a secret's version, where its provider counts.
pub(super) fn number_of(secret: &Secret) -> Option<u64> {
    secret.version.as_ref().and_then(history::number)
}

/// What Vault knows of a version.
pub(super) struct Facts {
    pub(super) number: u64,
    pub(super) created: Option<UnixMillis>,
    pub(super) deleted: Option<UnixMillis>,
    pub(super) destroyed: bool,
}

impl Facts {
    /// Writes `metadata` of a value.
    pub(super) fn write(&self, json: &mut Json, id: Option<&str>) {
        json.open();
        json.text("created_time", Some(&time(self.created)));
        json.key("custom_metadata");
        match id {
            Some(id) => {
                json.open();
                json.text("version_id", Some(id));
                json.close();
            }
            None => json.raw(b"null"),
        }
        self.write_end(json);
        json.key("version");
        json.number(self.number);
        json.close();
    }

    /// Writes how it ended, if it did.
    pub(super) fn write_end(&self, json: &mut Json) {
        json.text("deletion_time", Some(&self.deleted.map(|at| time(Some(at))).unwrap_or_default()));
        member(json, "destroyed", if self.destroyed { b"true" } else { b"false" });
    }
}

/// A time, in a form that every client can read.
pub(super) fn time(at: Option<UnixMillis>) -> String {
    at.map_or_else(|| NO_TIME.to_owned(), UnixMillis::to_rfc3339)
}

/// The object of a secret's values: its fields; the members of a whole value that is a JSON object, as they stand in it;
/// else the whole value as `value`.
fn write_values(json: &mut Json, payload: &Payload) {
    match payload {
        Payload::Fields(fields) => {
            json.open();
            for (name, field) in fields {
                json.key(name);
                match (text_of(field), field.encoding) {
                    (Some(text), Encoding::Json) => json.raw(text.as_bytes()),
                    _ => write_value(json, field),
                }
            }
            json.close();
        }
        Payload::Whole(field) => {
            if let Some(object) = text_of(field).filter(|text| is_object(text)) {
                return json.raw(object.trim_ascii().as_bytes());
            }
            json.open();
            json.key("value");
            write_value(json, field);
            if text_of(field).is_none() {
                json.text("encoding", Some("base64"));
            }
            json.close();
        }
    }
}

fn write_value(json: &mut Json, field: &Field) {
    match text_of(field) {
        Some(text) => json.string(text.as_bytes()),
        None => json.base64(field.value.expose()),
    }
}

/// Whether a text is a JSON object that every reader reads alike: no name of its own members stands in it twice.
fn is_object(text: &str) -> bool {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
            let mut seen: BTreeSet<Cow<'de, str>> = BTreeSet::new();
            let mut once = true;
            while let Some(Name(name)) = members.next_key()? {
                once &= seen.insert(name);
                members.next_value::<IgnoredAny>()?;
            }
            Ok(once)
        }
    }

    if !text.trim_ascii_start().starts_with('{') {
        return false;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_map(Object);
    read.is_ok_and(|once| once && reader.end().is_ok())
}

/// The name of a member, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lockstep_core::SecretValue;

    use super::*;

    fn written(payload: &Payload) -> String {
        let mut json = Json::with_capacity(0);
        write_values(&mut json, payload);
        String::from_utf8(json.into_body().to_vec()).unwrap()
    }

    #[test]
    fn a_whole_value_is_its_object_verbatim_or_a_value_of_its_own() {
        for (text, expected) in [
            (r#"{"n":1.50,"big":12345678901234567890123}"#, r#"{"n":1.50,"big":12345678901234567890123}"#),
            (" {\"a\":\"b\"}\n", r#"{"a":"b"}"#),
            ("just text", r#"{"value":"just text"}"#),
            ("[1]", r#"{"value":"[1]"}"#),
            (r#"{"a":1"#, r#"{"value":"{\"a\":1"}"#),
            (r#"{"a":1} x"#, r#"{"value":"{\"a\":1} x"}"#),
            (r#"{"a":1,"a":2}"#, r#"{"value":"{\"a\":1,\"a\":2}"}"#),
            (r#"{"a":1,"\u0061":2}"#, r#"{"value":"{\"a\":1,\"\\u0061\":2}"}"#),
            ("", r#"{"value":""}"#),
        ] {
            assert_eq!(written(&Payload::text(text)), expected, "{text}");
        }
        let binary = Payload::binary(vec![0, 255, 1]);
        assert_eq!(written(&binary), r#"{"value":"AP8B","encoding":"base64"}"#);
    }

    #[test]
    fn fields_are_members_each_as_it_is_stored() {
        let field = |text: &str, encoding| Field { value: SecretValue::from(text), encoding };
        let payload = Payload::Fields(BTreeMap::from([
            ("n".into(), field("1.50", Encoding::Json)),
            ("raw".into(), field("x", Encoding::Binary)),
            ("text".into(), field("1\"2", Encoding::Text)),
        ]));
        assert_eq!(written(&payload), r#"{"n":1.50,"raw":"eA==","text":"1\"2"}"#);
    }
}
