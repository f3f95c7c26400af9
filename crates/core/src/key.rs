//! [`KeyPath`]: which part of a value; and how a [`Payload`] is read by one, or as a whole.
//!
//! Numbers, objects and arrays come out as they are written in the source: nothing is parsed into a number and printed
//! again. No error holds anything of a value, and no copy of one is left behind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::name::is_invisible;
use crate::{Encoding, Error, ErrorKind, Field, MAX_MEMBERS, Payload, Result, SecretValue};

/// The longest key in bytes.
pub const MAX_KEY_BYTES: usize = 1024;

/// How deep a JSON Pointer can go. Each step reads the rest of the value once.
pub const MAX_KEY_DEPTH: usize = 32;

/// Which part of a value: a top-level key, or a JSON Pointer (RFC 6901) when it starts with `/`.
///
/// ```
/// use lockstep_core::{KeyPath, Payload};
/// let payload = Payload::text(r#"{"user": "app", "ports": [5432, 5.50]}"#);
/// assert_eq!(payload.select(&KeyPath::parse("user")?)?.value.expose(), b"app");
/// assert_eq!(payload.select(&KeyPath::parse("/ports/1")?)?.value.expose(), b"5.50");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath(Box<str>);

/// Why a text is no [`KeyPath`]; its message says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyPathError {
    /// Nothing was written.
    #[error("the key is empty; leave `#` out to read the whole value")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("the key is longer than {MAX_KEY_BYTES} bytes; write a top-level key or a JSON Pointer")]
    TooLong,
    /// More than [`MAX_KEY_DEPTH`].
    #[error("the key goes more than {MAX_KEY_DEPTH} levels deep; read a part further up")]
    TooDeep,
    /// A control or an invisible character.
    #[error("the key has a control or invisible character; remove it")]
    Control,
    /// A `~` in a JSON Pointer that is neither `~0` nor `~1`.
    #[error("in a key that starts with `/`, write `~0` for `~` and `~1` for `/`")]
    Tilde,
}

impl KeyPath {
    /// Reads a key, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KeyPathError> {
        if text.is_empty() {
            return Err(KeyPathError::Empty);
        }
        if text.len() > MAX_KEY_BYTES {
            return Err(KeyPathError::TooLong);
        }
        if text.chars().any(is_invisible) {
            return Err(KeyPathError::Control);
        }
        if let Some(pointer) = text.strip_prefix('/') {
            if pointer.split('/').count() > MAX_KEY_DEPTH {
                return Err(KeyPathError::TooDeep);
            }
            if pointer.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
                return Err(KeyPathError::Tilde);
            }
        }
        Ok(Self(Box::from(text)))
    }

    /// The key as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names to follow, outermost first: one for a plain key, one per step of a JSON Pointer.
    pub fn steps(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let pointer = self.0.strip_prefix('/');
        let plain = if pointer.is_none() { Some(Cow::Borrowed(&*self.0)) } else { None };
        plain.into_iter().chain(pointer.into_iter().flat_map(|pointer| pointer.split('/').map(unescape_step)))
    }
}

/// RFC 6901 §4: first `~1`, then `~0`, so that `~01` is `~1`.
fn unescape_step(step: &str) -> Cow<'_, str> {
    if step.contains('~') { Cow::Owned(step.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(step) }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KeyPathError> for Error {
    fn from(error: KeyPathError) -> Self {
        Self::new(ErrorKind::InvalidReference, error.to_string())
    }
}

impl Payload {
    /// Reads one part: a field, a member of a JSON object, or what a JSON Pointer leads to. A string comes out
    /// unescaped as [`Encoding::Text`], anything else as its source text and [`Encoding::Json`].
    ///
    /// # Errors
    /// `VersionNotFound` when there is no such part or it is `null`; `Unsupported` when the value is not JSON;
    /// `Malformed` when an object on the way has a name twice; `TooLarge` when it has more than [`MAX_MEMBERS`].
    pub fn select(&self, key: &KeyPath) -> Result<Field> {
        let mut steps = key.steps();
        let field = match self {
            Self::Whole(field) => field,
            Self::Fields(fields) => {
                let field = steps.next().and_then(|name| fields.get(&*name)).ok_or_else(|| missing(key))?;
                if key.steps().count() == 1 {
                    let is_null = field.encoding == Encoding::Json && field.value.expose().trim_ascii() == b"null";
                    return if is_null { Err(null(key)) } else { Ok(field.duplicate()) };
                }
                field
            }
        };
        let text = field.value.expose_text().ok_or_else(|| no_json(key))?;
        let mut found = parse::<&RawValue>(text, key)?.get();
        let is_container = found.starts_with('{') || (found.starts_with('[') && key.as_str().starts_with('/'));
        if !is_container {
            return Err(no_json(key));
        }
        for step in steps {
            found = member(found, &step, key)?.ok_or_else(|| missing(key))?;
        }
        leaf(found, key)
    }

    /// The payload as one value, for a reader who asks for no key: what is whole as it is, fields as one JSON object
    /// in the order of their names.
    ///
    /// # Errors
    /// `Unsupported` when a field is not text, since JSON can't hold it.
    pub fn to_field(&self) -> Result<Field> {
        let fields = match self {
            Self::Whole(field) => return Ok(field.duplicate()),
            Self::Fields(fields) => fields,
        };
        let mut members = Vec::with_capacity(fields.len());
        for (name, field) in fields {
            let text = field.value.expose_text().filter(|_| field.encoding != Encoding::Binary).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "the field `{}` is binary and JSON can't hold it; read each field by its key",
                        name.escape_debug()
                    ),
                )
            })?;
            members.push((&**name, text, field.encoding));
        }
        // Rendered twice, first to count: a buffer that grows would leave its old blocks behind.
        let mut len = 0;
        render(&members, &mut |text| len += text.len());
        let mut out = Vec::with_capacity(len);
        render(&members, &mut |text| out.extend_from_slice(text.as_bytes()));
        Ok(Field { value: SecretValue::from(out), encoding: Encoding::Json })
    }
}

fn missing(key: &KeyPath) -> Error {
    Error::new(ErrorKind::VersionNotFound, format!("the secret has no key `{key}`; look at its keys, case matters"))
}

fn null(key: &KeyPath) -> Error {
    Error::new(ErrorKind::VersionNotFound, format!("the key `{key}` of the secret is null; store a value there"))
}

fn no_json(key: &KeyPath) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the value is no JSON that could have a key `{key}`; read it without a key, or store a JSON object"),
    )
}

/// serde_json's own message is left out: it can quote the value.
fn parse<'a, T: Deserialize<'a>>(text: &'a str, key: &KeyPath) -> Result<T> {
    serde_json::from_slice(text.as_bytes()).map_err(|_| no_json(key))
}

/// One step down. `None` when there is nothing there.
fn member<'a>(text: &'a str, step: &str, key: &KeyPath) -> Result<Option<&'a str>> {
    if text.starts_with('{') {
        let members: Members<'_> = parse(text, key)?;
        if members.repeated {
            let message = format!("an object on the way to the key `{key}` has a name twice; store it once");
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        if members.crowded {
            let message = format!(
                "an object on the way to the key `{key}` has more than {MAX_MEMBERS} members; read the value without a key"
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        return Ok(members.by_name.get(step).map(|raw| raw.get()));
    }
    if text.starts_with('[') {
        let is_index = step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
        let Some(index) = step.parse::<usize>().ok().filter(|_| is_index) else { return Ok(None) };
        let item = item(text, index).map_err(|_| no_json(key))?;
        return Ok(item.map(RawValue::get));
    }
    Ok(None)
}

/// One item of a list. The others are passed over, however many there are.
fn item(text: &str, index: usize) -> serde_json::Result<Option<&RawValue>> {
    struct Items(usize);

    impl<'de> Visitor<'de> for Items {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            for _ in 0..self.0 {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = items.next_element()?;
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }

    serde_json::Deserializer::from_slice(text.as_bytes()).deserialize_seq(Items(index))
}

fn leaf(text: &str, key: &KeyPath) -> Result<Field> {
    if text == "null" {
        return Err(null(key));
    }
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(escaped) => {
            let value = unescape(escaped).ok_or_else(|| {
                let message = format!("the key `{key}` holds half of a `\\u` pair, which is no text; store it again");
                Error::new(ErrorKind::Unsupported, message)
            })?;
            Ok(Field { value, encoding: Encoding::Text })
        }
        None => Ok(Field { value: SecretValue::from(text), encoding: Encoding::Json }),
    }
}

/// The text of a JSON string that serde_json has checked. It is ours because serde_json unescapes through a buffer that
/// it does not wipe. `None` for a lone surrogate, the one thing that serde_json lets pass here.
fn unescape(escaped: &str) -> Option<SecretValue> {
    // Every escape is longer than what it stands for.
    let mut out = Zeroizing::new(Vec::with_capacity(escaped.len()));
    let mut rest = escaped;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let (plain, length) = match rest.as_bytes().get(at + 1)? {
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unescape_unicode(&rest[at..])?,
            other => (char::from(*other), 2),
        };
        out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        rest = rest.get(at + length..)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Some(SecretValue::from(std::mem::take(&mut *out)))
}

/// `\uXXXX`, or two of them for a character beyond the first plane, and how many bytes they take.
fn unescape_unicode(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let hex = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(hex, 16).ok()
    };
    let first = unit(0)?;
    match char::from_u32(first.into()) {
        Some(c) => Some((c, 6)),
        None => char::decode_utf16([first, unit(6)?]).next()?.ok().map(|c| (c, 12)),
    }
}

fn render(members: &[(&str, &str, Encoding)], out: &mut impl FnMut(&str)) {
    out("{");
    for (at, (name, text, encoding)) in members.iter().enumerate() {
        out(if at == 0 { "\"" } else { ",\"" });
        escape(name, out);
        out("\":");
        if *encoding == Encoding::Json {
            out(text);
        } else {
            out("\"");
            escape(text, out);
            out("\"");
        }
    }
    out("}");
}

/// RFC 8259 §7.
fn escape(text: &str, out: &mut impl FnMut(&str)) {
    const HEX: &str = "0123456789abcdef";
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out("\\\""),
            b'\\' => out("\\\\"),
            b'\n' => out("\\n"),
            b'\r' => out("\\r"),
            b'\t' => out("\\t"),
            control => {
                let low = usize::from(control & 0xf);
                out(if control < 0x10 { "\\u000" } else { "\\u001" });
                out(&HEX[low..=low]);
            }
        }
        rest = &rest[at + 1..];
    }
    out(rest);
}

/// The members of a JSON object, as source text.
struct Members<'a> {
    by_name: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// A name stands there twice, and readers would disagree which one counts.
    repeated: bool,
    /// There are more than [`MAX_MEMBERS`]; the rest was passed over.
    crowded: bool,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members { by_name: BTreeMap::new(), repeated: false, crowded: false };
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.repeated |= members.by_name.insert(name, value).is_some();
                    if members.by_name.len() > MAX_MEMBERS {
                        members.crowded = true;
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
#[path = "key/tests.rs"]
mod tests;
