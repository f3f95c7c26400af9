//! `lockstep events decode`: which Changes a notification means. It needs no configuration and no network, and verifies no
//! signature.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::{Change, ChangedName, Error, ErrorKind};
use lockstep_events::decode::{Accepted, Decoded, Delivery, Handshake, MAX_BYTES, SourceKind, decode};
use serde_json::{Value, json};

use crate::arguments::EventsVerb;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::{Output, printable};

pub(crate) fn run(what: EventsVerb, host: &Host, output: Output) -> Result<(), Failure> {
    let EventsVerb::Decode { file, source, header } = what;
    let headers = headers(&header)?;
    let body = read(&file)?;
    if body.len() > MAX_BYTES {
        let message = format!("it has more than {} MiB, which is more than any notification", MAX_BYTES >> 20);
        return Err(Failure::Verdict(Error::new(ErrorKind::TooLarge, message)));
    }
    let Some(kind) = source.or_else(|| SourceKind::guess(&body)) else {
        let message = "nothing in it says who sent it; name that with `--source`";
        return Err(usage(message));
    };
    let delivery = Delivery { source: kind, headers: &headers, body: &body };
    let decoded = decode(&delivery, &Accepted::anything(), host.ports.clock.wall());
    if output.json {
        output.json(&in_json(&decoded, kind, source.is_none()))?;
    } else {
        output.data(&in_words(&decoded, kind, source.is_none()))?;
    }
    output.note("no signature was verified, and no configuration was looked at: this is what the notification says");
    match decoded.ignored.iter().filter(|ignored| ignored.reason.is_unreadable()).count() {
        0 => Ok(()),
        count => {
            let message = format!("{count} of its records can't be read as {kind}");
            Err(Failure::Verdict(Error::new(ErrorKind::Unsupported, message)))
        }
    }
}

fn usage(message: impl Into<Box<str>>) -> Failure {
    Failure::Verdict(Error::new(ErrorKind::Config, message))
}

/// The file, or standard input for `-`; one byte more than a notification has, at most.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| usage(format!("can't read {} ({error}); name a file that exists", path.display()));
    let input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut body = Vec::new();
    input.take(MAX_BYTES as u64 + 1).read_to_end(&mut body).map_err(failed)?;
    Ok(body)
}

fn headers(texts: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in texts {
        let header = text.split_once(':').and_then(|(name, value)| {
            Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::try_from(value.trim()).ok()?))
        });
        let (name, value) =
            header.ok_or_else(|| usage("a header is none; write it like `--header 'webhook-id: msg_1'`"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn in_words(decoded: &Decoded, kind: SourceKind, guessed: bool) -> String {
    let mut text = format!("source: {kind}{}\n", if guessed { " (by its shape)" } else { "" });
    // Writing to a String can't fail.
    for change in &decoded.changes {
        let _ = writeln!(text, "change: {}", printable(&sentence(change)));
        let _ = writeln!(text, "        at {}, id {}", change.at.to_rfc3339(), printable(&change.id));
    }
    for ignored in &decoded.ignored {
        let item = ignored.item.as_deref().map(|item| format!(" ({})", printable(item))).unwrap_or_default();
        let reason = ignored.reason;
        let _ = writeln!(text, "ignored: record {}{item}: {reason} [{}]", ignored.record + 1, reason.as_str());
    }
    match &decoded.confirm {
        None => {}
        Some(Handshake::Sns(confirmation)) => {
            let _ = writeln!(text, "wants: a GET of {}", printable(&confirmation.uri.to_string()));
        }
        Some(handshake) => {
            let _ = writeln!(text, "wants: the answer {}", printable(&handshake.answer().unwrap_or_default()));
        }
    }
    if decoded.changes.is_empty() && decoded.ignored.is_empty() && decoded.confirm.is_none() {
        text.push_str("nothing is in it\n");
    }
    text
}

/// `rotated db/creds, now version 7, of vault account/region`.
fn sentence(change: &Change) -> String {
    let kind = word(change);
    let name = match &change.name {
        ChangedName::One(name) => name,
        ChangedName::All => "everything",
    };
    let mut text = format!("{kind} {name}");
    if let Some(label) = &change.label {
        let _ = write!(text, ", label {label}");
    }
    if let Some(version) = &change.version {
        let _ = write!(text, ", version {version}");
    }
    let _ = write!(text, ", of {}", change.source.provider);
    for (what, value) in [("account", &change.source.account), ("in", &change.source.region)] {
        if !value.is_empty() {
            let _ = write!(text, " {what} {value}");
        }
    }
    text
}

/// The word that a journal keeps for what happened.
fn word(change: &Change) -> String {
    json!(change.kind).as_str().unwrap_or_default().to_owned()
}

fn in_json(decoded: &Decoded, kind: SourceKind, guessed: bool) -> Value {
    let ignored = decoded.ignored.iter().map(|ignored| {
        json!({
            "record": ignored.record,
            "item": ignored.item,
            "reason": ignored.reason.as_str(),
            "message": ignored.reason.to_string(),
        })
    });
    let confirm = decoded.confirm.as_ref().map(|handshake| match handshake {
        Handshake::Sns(confirmation) => json!({ "get": confirmation.uri.to_string() }),
        Handshake::EventGrid { code } => json!({ "answer": { "validationResponse": code } }),
    });
    json!({
        "source": kind.as_str(),
        "guessed": guessed,
        "verified": false,
        "changes": decoded.changes,
        "ignored": ignored.collect::<Vec<_>>(),
        "confirm": confirm,
    })
}
