//! The tree of a file into secrets, each with a version.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use lockstep_core::{Encoding, Field, Payload, SecretName, SecretValue, Version, hex};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::syntax::{Entry, Fault, Node, Syntax};

/// The one key of a map that stands for bytes.
const BINARY: &str = "binary";

/// The secrets of one reading of the file.
pub(super) type Content = BTreeMap<SecretName, Held>;

/// One secret of the file.
pub(super) struct Held {
    pub(super) payload: Payload,
    pub(super) version: Version,
}

/// Makes versions: a digest under a key that only this process knows, since a plain digest of a short password gives it
/// away to whoever tries them all.
pub(super) struct VersionKey(Zeroizing<[u8; 32]>);

impl VersionKey {
    pub(super) fn new(random: &dyn lockstep_core::Random) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(key.as_mut_slice());
        Self(key)
    }

    fn version(&self, name: &SecretName, payload: &Payload) -> Version {
        let mut parts: Vec<&[u8]> = vec![name.as_str().as_bytes()];
        let encoding = |field: &Field| -> &[u8] {
            match field.encoding {
                Encoding::Text => b"t",
                Encoding::Binary => b"b",
                Encoding::Json => b"j",
            }
        };
        match payload {
            Payload::Whole(field) => parts.extend([encoding(field), field.value.expose()]),
            Payload::Fields(fields) => {
                for (key, field) in fields {
                    parts.extend([key.as_bytes(), encoding(field), field.value.expose()]);
                }
            }
        }
        Version::unordered(self.digest(&parts))
    }

    /// 32 hex digits over the parts, each with its length before it.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else { return String::new() };
        mac.update(&(parts.len() as u64).to_be_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex::text(&mac.finalize().into_bytes()[..16])
    }
}

/// Reads a file's text.
pub(super) fn parse(text: &str, syntax: Syntax, members: usize, key: &VersionKey) -> Result<Content, Fault> {
    if text.trim().is_empty() {
        // An editor empties a file before it writes it; nobody means "no secret at all" by that.
        return Err(Fault { place: None, what: "the file is empty; write `name: value`, or `{}` for no secret" });
    }
    let Node::Map(entries) = syntax.parse(text, members)? else {
        return Err(Fault { place: None, what: "the file holds no map; write `name: value`, one name per line" });
    };
    let mut content = Content::new();
    for entry in entries {
        let fault = |what| Fault { place: entry.place, what };
        let Ok(name) = SecretName::parse(&entry.key) else {
            return Err(fault("the key is no secret name; write for example `db/creds`"));
        };
        let payload = payload(entry.node).map_err(|(place, what)| Fault { place: place.or(entry.place), what })?;
        let version = key.version(&name, &payload);
        if content.insert(name, Held { payload, version }).is_some() {
            return Err(fault("the name stands twice; remove one of the two"));
        }
    }
    Ok(content)
}

type Misplaced = (Option<super::syntax::Place>, &'static str);

fn payload(node: Node) -> Result<Payload, Misplaced> {
    let entries = match node {
        Node::Text(value) | Node::Verbatim(value) => return Ok(Payload::text(value)),
        Node::List(_) | Node::Other => {
            return Err((None, "a secret is text, a number or a map; put the value in quotes"));
        }
        Node::Map(entries) => entries,
    };
    if let [Entry { key, node: Node::Text(value), place }] = entries.as_slice()
        && key == BINARY
    {
        let bytes = STANDARD.decode(value.expose());
        let bytes = bytes.map_err(|_| (*place, "`binary` holds no base64; write what `base64 -w0` prints"))?;
        return Ok(Payload::binary(bytes));
    }
    let mut seen = BTreeSet::new();
    let mut fields = BTreeMap::new();
    for Entry { key, place, node } in entries {
        let field = match node {
            Node::Text(value) => Field { value, encoding: Encoding::Text },
            Node::Verbatim(value) => verbatim(value),
            Node::Map(_) | Node::List(_) | Node::Other => {
                return Err((place, "a value of a secret is text or a number; write a deeper structure as JSON text"));
            }
        };
        if !seen.insert(key.clone()) {
            return Err((place, "the key stands twice; remove one of the two"));
        }
        fields.insert(key.into(), field);
    }
    Ok(Payload::Fields(fields))
}

/// `0x1f` and `1_000` are numbers of YAML and TOML that JSON doesn't know; they are passed on as text.
fn verbatim(value: SecretValue) -> Field {
    let is_json = serde_json::from_slice::<&serde_json::value::RawValue>(value.expose()).is_ok();
    Field { value, encoding: if is_json { Encoding::Json } else { Encoding::Text } }
}
