//! `get`, `list`, `describe`, `versions`, `rotate`: one answer through the same resolver that the endpoint has.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{
    Alias, Answer, Ask, Call, Described, ErrorKind, Filter, Operation, Page, Paged, Principal, Resolver, SecretName,
    SecretRef, VersionInfo, VersionState,
};
use lockstep_native::LogLevel;
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use crate::arguments::Everywhere;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::{Output, printable};

/// A resolver, opened for one command.
pub(crate) struct Session {
    resolver: Arc<Resolver>,
    call: Call,
    who: Principal,
    output: Output,
}

/// Opens the resolver of the configuration.
pub(crate) fn open(everywhere: &Everywhere, host: &Host, output: Output) -> Result<Session, Failure> {
    let config = host.config(everywhere)?;
    // What fails is the command's own answer; the log would say it twice.
    Host::log(everywhere, &config, LogLevel::None)?;
    let assembly = config.assemble(&host.command_ports(&config, everywhere)?)?;
    let call = host.call(config.settings().listen.request_timeout.get());
    Ok(Session { resolver: assembly.resolver, call, who: Principal::new("cli"), output })
}

impl Session {
    /// Ends what the command began: leases are revoked, audit records written.
    async fn close(&self) {
        self.resolver.shutdown(&self.call).await;
    }
}

pub(crate) async fn get(session: &Session, reference: &str, raw: bool) -> Result<(), Failure> {
    let reference = parse(reference)?;
    let answer = session.resolver.get(&session.call, &session.who, &Ask::from(&reference)).await;
    session.close().await;
    print_value(session, &reference, &answer?, raw)
}

fn print_value(session: &Session, reference: &SecretRef, answer: &Answer, raw: bool) -> Result<(), Failure> {
    let payload = &answer.secret.payload;
    let field = match &reference.key {
        Some(key) => payload.select(key),
        None => payload.to_field(),
    }
    .map_err(|error| {
        let error = error.during(Operation::Get).on(&reference.name).from_provider(&answer.alias);
        if error.kind() == ErrorKind::VersionNotFound { Failure::Key(error) } else { error.into() }
    })?;
    let bytes = field.value.expose();
    let output = session.output;
    if output.json {
        return print_json(session, answer, bytes);
    }
    let is_text = std::str::from_utf8(bytes).is_ok();
    if !is_text && !raw && Output::is_terminal() {
        let message = "the value is binary and would spoil the terminal; redirect it to a file, or write `--raw`";
        return Err(Failure::new(ErrorKind::Unsupported, message));
    }
    output.bytes(bytes)?;
    // A newline after bytes would change them.
    if raw || !is_text { Ok(()) } else { output.data("\n") }
}

fn print_json(session: &Session, answer: &Answer, bytes: &[u8]) -> Result<(), Failure> {
    let (mut value, encoding) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "utf-8"),
        Err(_) => (STANDARD.encode(bytes), "base64"),
    };
    let secret = &answer.secret;
    let mut document = json!({
        "provider": answer.alias.as_str(),
        "name": secret.name.as_str(),
        "version": secret.version.as_ref().map(|version| &version.id),
        "labels": secret.labels,
        "encoding": encoding,
        "value": "",
    });
    document["value"] = Value::String(std::mem::take(&mut value));
    // Room for every byte as an escape: a text that grows leaves its old block, and the value in it, behind.
    let mut line = Zeroizing::new(String::with_capacity(8 * bytes.len() + 8192));
    let _ = writeln!(line, "{document}");
    if let Value::String(copy) = &mut document["value"] {
        copy.zeroize();
    }
    session.output.bytes(line.as_bytes())
}

/// Every part of a list, one after the other. Then, and when a part fails, the session is over.
async fn all<T>(
    session: &Session,
    part: impl AsyncFn(Page) -> lockstep_core::Result<Paged<T>>,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut page = Page::default();
    let outcome = loop {
        match part(page).await {
            Ok(part) => {
                found.extend(part.items);
                match part.next {
                    Some(token) => page = Page { token: Some(token), limit: None },
                    None => break Ok(found),
                }
            }
            Err(error) => break Err(error.into()),
        }
    };
    session.close().await;
    outcome
}

pub(crate) async fn list(session: &Session, prefix: &str) -> Result<(), Failure> {
    let (alias, prefix) = match prefix.split_once("://") {
        Some((alias, prefix)) => {
            let alias = Alias::parse(alias).map_err(|error| Failure::reference(error.to_string()))?;
            (Some(alias), prefix)
        }
        None => (None, prefix),
    };
    let filter = Filter::default();
    let found = all(session, async |page| {
        session.resolver.list(&session.call, &session.who, alias.as_ref(), prefix, &filter, page).await
    })
    .await?;
    if session.output.json {
        return session.output.json(&found.iter().map(metadata_json).collect());
    }
    let mut lines = String::new();
    for described in &found {
        let _ = writeln!(lines, "{}", printable(described.metadata.name.as_str()));
    }
    if found.is_empty() {
        session.output.note(if prefix.is_empty() { "there is no secret" } else { "no name begins like this" });
    }
    session.output.data(&lines)
}

pub(crate) async fn describe(session: &Session, name: &str) -> Result<(), Failure> {
    let (alias, name) = named(name)?;
    let metadata = session.resolver.describe(&session.call, &session.who, alias.as_ref(), &name).await;
    session.close().await;
    let document = metadata_json(&metadata?);
    if session.output.json {
        return session.output.json(&document);
    }
    let mut text = String::new();
    for (key, value) in document.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(value) => value.clone(),
            Value::Object(tags) if tags.is_empty() => continue,
            Value::Object(tags) => {
                let tags = tags.iter().map(|(tag, value)| format!("{tag}={}", value.as_str().unwrap_or_default()));
                tags.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        let _ = writeln!(text, "{:<17}{}", format!("{}:", key.replace('_', " ")), printable(&value));
    }
    session.output.data(&text)
}

pub(crate) async fn versions(session: &Session, name: &str) -> Result<(), Failure> {
    let (alias, name) = named(name)?;
    let found = all(session, async |page| {
        session.resolver.versions(&session.call, &session.who, alias.as_ref(), &name, page).await
    })
    .await?;
    if session.output.json {
        return session.output.json(&found.iter().map(version_json).collect());
    }
    let mut text = String::new();
    for info in &found {
        let created = info.created.map(lockstep_core::UnixMillis::to_rfc3339).unwrap_or_default();
        let labels = info.labels.join(",");
        let line = format!("{:<36}  {:<9}  {created:<20}  {labels}", info.version.id, state(info.state));
        let _ = writeln!(text, "{}", printable(line.trim_end()));
    }
    session.output.data(&text)
}

pub(crate) async fn rotate(session: &Session, name: &str) -> Result<(), Failure> {
    let (alias, name) = named(name)?;
    let rotation = session.resolver.rotate(&session.call, &session.who, alias.as_ref(), &name).await;
    session.close().await;
    let version = rotation?.version;
    let id = version.as_ref().map(|version| &*version.id);
    if session.output.json {
        return session.output.json(&json!({ "name": name.as_str(), "version": id }));
    }
    let version = id.map(|id| format!(" to version {}", printable(id))).unwrap_or_default();
    session.output.note(&format!("the provider rotates {name}{version}"));
    Ok(())
}

fn parse(text: &str) -> Result<SecretRef, Failure> {
    SecretRef::parse(text).map_err(|error| Failure::reference(error.to_string()))
}

/// A reference that may name a provider and a secret, and nothing of it.
pub(super) fn named(text: &str) -> Result<(Option<Alias>, SecretName), Failure> {
    let reference = parse(text)?;
    if reference.key.is_some() || reference.selector.is_some() {
        let message = "this verb is about the whole secret; write it without `#key` and `@version`";
        return Err(Failure::reference(message));
    }
    Ok((reference.alias, reference.name))
}

fn metadata_json(Described { provider, metadata }: &Described) -> Value {
    let time = |time: Option<lockstep_core::UnixMillis>| time.map(lockstep_core::UnixMillis::to_rfc3339);
    json!({
        "name": metadata.name.as_str(),
        "provider": provider.as_str(),
        "id": metadata.id.name.as_str(),
        "version": metadata.version.as_ref().map(|version| &version.id),
        "description": metadata.description,
        "tags": metadata.tags,
        "created": time(metadata.created),
        "changed": time(metadata.changed),
        "next_rotation": time(metadata.next_rotation),
        "rotation_enabled": metadata.rotation_enabled,
        "deleted": time(metadata.deleted),
    })
}

fn version_json(info: &VersionInfo) -> Value {
    json!({
        "version": info.version.id,
        "labels": info.labels,
        "created": info.created.map(lockstep_core::UnixMillis::to_rfc3339),
        "state": state(info.state),
    })
}

fn state(state: VersionState) -> &'static str {
    match state {
        VersionState::Enabled => "enabled",
        VersionState::Disabled => "disabled",
        VersionState::Deleted => "deleted",
        VersionState::Destroyed => "destroyed",
    }
}
