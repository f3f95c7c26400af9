//! The world that the requests are asked in: a fresh account of the imitation of AWS with the secrets of `seed.toml`,
//! and the placeholders that stand for what is another in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::script::{Call, seed};
use super::wire;

/// The token of the subject's callers.
pub(crate) const TOKEN: &str = "transcript-token-0123456789abcdef";

/// The region of every secret.
pub(crate) const REGION: &str = "us-east-1";

/// A login of the account.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) key_id: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: String,
}

/// A seeded account.
pub(crate) struct World {
    port: u16,
    pub(crate) login: Login,
    arns: BTreeMap<String, String>,
}

impl World {
    /// Makes `account` (12 digits that nobody else uses) on the imitation of AWS at a loopback port, and its secrets.
    pub(crate) fn new(port: u16, account: &str) -> Result<Self, String> {
        let mut world = Self { port, login: assume(port, account)?, arns: BTreeMap::new() };
        for call in seed()? {
            world.call(&call)?;
        }
        Ok(world)
    }

    /// Makes one call.
    pub(crate) fn call(&mut self, call: &Call) -> Result<(), String> {
        let headers = [
            "Content-Type: application/x-amz-json-1.1".to_owned(),
            format!("X-Amz-Target: secretsmanager.{}", call.action),
            format!("X-Amz-Security-Token: {}", self.login.session_token),
        ];
        let answer = ask(self.port, &self.login.key_id, "secretsmanager", &headers, &call.body)?;
        if let Some(name) = &call.name {
            let arn = between(&answer, "\"ARN\": \"", "\"").ok_or_else(|| format!("{} brought no ARN", call.action))?;
            self.arns.insert(name.clone(), arn.to_owned());
        }
        Ok(())
    }

    /// Fills in a text's placeholders.
    pub(crate) fn fill(&self, text: &str, port: u16) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) = after.split_once('}').ok_or_else(|| format!("a brace is open in {text}"))?;
            out.push_str(before);
            out.push_str(&self.value(placeholder, port).ok_or_else(|| format!("what is {{{placeholder}}}?"))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, placeholder: &str, port: u16) -> Option<String> {
        match placeholder.split_once(':') {
            None if placeholder == "token" => Some(TOKEN.to_owned()),
            None if placeholder == "port" => Some(port.to_string()),
            Some(("arn", name)) => self.arns.get(name).cloned(),
            // An ARN ends with `-` and six random characters.
            Some(("partial", name)) => self.arns.get(name)?.rsplit_once('-').map(|(partial, _)| partial.to_owned()),
            Some(("escaped", name)) => Some(self.arns.get(name)?.replace(':', "%3A").replace('/', "%2F")),
            Some(("long", count)) => Some("a".repeat(count.parse().ok()?)),
            _ => None,
        }
    }

    /// Puts placeholders for what is another in every run: ARNs, the token and times.
    pub(crate) fn normalise(&self, text: &str) -> String {
        let mut out = text.replace(TOKEN, "{token}");
        for (name, arn) in &self.arns {
            out = out.replace(arn.as_str(), &format!("{{arn:{name}}}"));
        }
        if let Some(date) = between(&out, "\"CreatedDate\":\"", "\"")
            && date.parse::<f64>().is_ok_and(|seconds| seconds > 1e9)
        {
            out = out.replace(&format!("\"CreatedDate\":\"{date}\""), "\"CreatedDate\":\"{seconds}\"");
        }
        if let Some(time) = between(&out, "\"created\":\"", "\"").filter(|time| time.ends_with('Z')) {
            out = out.replace(&format!("\"created\":\"{time}\""), "\"created\":\"{time}\"");
        }
        out
    }
}

/// Credentials of an account: the imitation lets anybody assume any role.
fn assume(port: u16, account: &str) -> Result<Login, String> {
    let mut form = String::from("Action=AssumeRole&Version=2011-06-15&RoleSessionName=transcript&RoleArn=");
    let _ = write!(form, "arn:aws:iam::{account}:role/transcript");
    let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
    let answer = ask(port, "transcript", "sts", &headers, &form)?;
    let field = |name: &str| {
        between(&answer, &format!("<{name}>"), &format!("</{name}>"))
            .map(str::to_owned)
            .ok_or_else(|| format!("AssumeRole brought no {name}"))
    };
    Ok(Login {
        key_id: field("AccessKeyId")?,
        secret_key: field("SecretAccessKey")?,
        session_token: field("SessionToken")?,
    })
}

/// One call to the imitation of AWS, which reads the account off the key id and looks at no signature.
fn ask(port: u16, key_id: &str, service: &str, headers: &[String], body: &str) -> Result<String, String> {
    let scope = format!("{key_id}/20260101/{REGION}/{service}/aws4_request");
    let mut all = vec![
        format!("Host: 127.0.0.1:{port}"),
        format!("Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"),
        format!("Content-Length: {}", body.len()),
    ];
    all.extend_from_slice(headers);
    let bytes = wire::request("POST", "/", &all, body);
    let answer = wire::exchange(port, &bytes).map_err(|error| format!("the imitation of AWS: {error}"))?;
    if answer.status == 200 { Ok(answer.body) } else { Err(format!("the imitation of AWS said no: {answer:?}")) }
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(found, _)| found)
}
