//! `lockstep policy check | explain | schema`: what the policies say, without a secret or a provider being asked.

use std::collections::BTreeMap;

use lockstep_auth::{Explanation, POLICY_SCHEMA, Policies};
use lockstep_core::{Action, Alias, Claims, Error, ErrorKind, Login, Principal, Resolver, Resource, UnixMillis};
use serde_json::{Value, json};

use super::read::named;
use crate::arguments::{Everywhere, Explain, PolicyVerb};
use crate::clock::At;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::{Output, printable};

pub(crate) fn run(everywhere: &Everywhere, what: PolicyVerb, host: &Host, output: Output) -> Result<(), Failure> {
    match what {
        PolicyVerb::Schema => output.data(POLICY_SCHEMA),
        PolicyVerb::Check => check(everywhere, host, output),
        PolicyVerb::Explain(asked) => explain(everywhere, &asked, host, output),
    }
}

fn check(everywhere: &Everywhere, host: &Host, output: Output) -> Result<(), Failure> {
    let config = host.config(everywhere)?;
    let policies = config.policies(&host.unaudited_ports())?;
    let count = policies.as_ref().map_or(0, Policies::len);
    if output.json {
        return output.json(&json!({ "ok": true, "policies": count }));
    }
    match count {
        0 => output.data("there are no policies; `auth.allow` alone decides\n"),
        1 => output.data("1 policy is fine\n"),
        _ => output.data(&format!("{count} policies are fine\n")),
    }
}

fn explain(everywhere: &Everywhere, asked: &Explain, host: &Host, output: Output) -> Result<(), Failure> {
    let config = host.config(everywhere)?;
    let mut ports = host.unaudited_ports();
    if let Some(at) = &asked.at {
        let wall = UnixMillis::from_rfc3339(at).ok_or_else(|| usage("`--at` is a time like `2026-11-26T09:00:00Z`"))?;
        ports.clock = std::sync::Arc::new(At(wall));
    }
    let policies = config.policies(&ports)?.ok_or_else(|| {
        Failure::new(ErrorKind::Config, "there are no policies; write `auth.policies` or `auth.policy`")
    })?;
    let who = principal(asked)?;
    let action = action(&asked.action)?;
    let tags = pairs(&asked.tag, "--tag team=payments")?;
    let tags = (!tags.is_empty() || asked.no_tags).then_some(tags);
    let candidates = candidates(&asked.name, action, &config.assemble(&ports)?.resolver)?;
    let of =
        |provider: &Alias, name: &str| policies.explain(&who, action, Resource { provider, name, tags: tags.as_ref() });
    let found: Vec<_> = candidates.iter().map(|(alias, name)| (alias, name.as_str(), of(alias, name))).collect();
    let allowed = found.iter().all(|(.., explanation)| explanation.decision.allowed);
    if output.json {
        let shown: Vec<Value> =
            found.iter().map(|(alias, name, explanation)| shown(alias, name, explanation)).collect();
        output.json(&json!({ "allowed": allowed, "candidates": shown }))?;
    } else {
        for (alias, name, explanation) in &found {
            output.data(&line(alias, name, explanation))?;
        }
    }
    if allowed {
        return Ok(());
    }
    let message = format!("{} may not {} it", printable(&who.id), action.as_str());
    Err(Failure::Verdict(Error::new(ErrorKind::Denied, message)))
}

/// The secrets that are meant: one for each provider that would be asked. A list is of one provider, and of a prefix.
fn candidates(text: &str, action: Action, resolver: &Resolver) -> Result<Vec<(Alias, String)>, Failure> {
    if action == Action::List {
        let (alias, prefix) =
            text.split_once("://").ok_or_else(|| usage("a list is of one provider; write `alias://prefix`"))?;
        let alias = Alias::parse(alias).map_err(|error| usage(error.to_string()))?;
        return Ok(vec![(alias, prefix.to_owned())]);
    }
    let (alias, name) = named(text)?;
    let found = resolver.candidates(alias.as_ref(), &name)?;
    Ok(found.into_iter().map(|(alias, name)| (alias, name.as_str().to_owned())).collect())
}

fn shown(alias: &Alias, name: &str, explanation: &Explanation) -> Value {
    json!({
        "provider": alias.as_str(),
        "name": name,
        "allowed": explanation.decision.allowed,
        "wants_tags": explanation.decision.wants_tags,
        "policies": explanation.policies,
        "failing": explanation.failing,
        "decision": &*explanation.decision.policy,
    })
}

fn line(alias: &Alias, name: &str, explanation: &Explanation) -> String {
    let word = match (explanation.decision.allowed, explanation.decision.wants_tags) {
        (true, _) => "allowed",
        (false, true) => "undecided",
        (false, false) => "denied",
    };
    let hint = if explanation.decision.wants_tags { "; say its tags with `--tag`, or `--no-tags`" } else { "" };
    format!("{word}: {alias}://{} ({}{hint})\n", printable(name), printable(&explanation.decision.policy))
}

fn principal(asked: &Explain) -> Result<Principal, Failure> {
    let mut claims = Claims::new();
    for (name, value) in pairs_of(&asked.claim, "--claim team=payments")? {
        let texts = claims.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(texts) = texts.as_array_mut() {
            texts.push(value.into());
        }
    }
    let login = match asked.principal.split(':').next() {
        Some("jwt") => Login::Jwt,
        Some("key") => Login::ApiKey,
        Some("iam") => Login::AwsIam,
        Some("cert") => Login::Certificate,
        Some("uid") => Login::Socket,
        _ => Login::Local,
    };
    Ok(Principal {
        id: asked.principal.as_str().into(),
        login,
        claims: (!claims.is_empty()).then(|| claims.into()),
        peer: asked.address.map(|address| address.to_string().into()),
        mtls: asked.mtls || login == Login::Certificate,
    })
}

fn action(text: &str) -> Result<Action, Failure> {
    Action::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| {
        let words = Action::ALL.map(Action::as_str);
        usage(format!("`{}` is no action; write one of {}", printable(text), words.join(", ")))
    })
}

fn pairs(written: &[String], such_as: &str) -> Result<BTreeMap<String, String>, Failure> {
    Ok(pairs_of(written, such_as)?.into_iter().collect())
}

fn pairs_of(written: &[String], such_as: &str) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    let read = |text: &String| {
        pair(text).ok_or_else(|| usage(format!("`{}` is no name and value; write `{such_as}`", printable(text))))
    };
    written.iter().map(read).collect()
}

fn usage(message: impl Into<Box<str>>) -> Failure {
    Failure::new(ErrorKind::Config, message)
}
