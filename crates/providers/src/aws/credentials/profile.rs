//! Static keys of a profile in the shared credentials and config files.
//!
//! Profiles that need more (a role, SSO, a process) are named in a clear error: silence would fall through to the
//! identity of the machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Env, Error, ErrorKind, Files, Operation, Result, SecretValue};
use zeroize::Zeroizing;

use super::{CredentialSource, Credentials, refused};

/// The longest shared file that is read.
const FILE_LIMIT: usize = 1 << 20;

/// Keys that make a profile one that we can't follow, with what they stand for.
const UNSUPPORTED: [(&str, &str); 6] = [
    ("role_arn", "assumes a role"),
    ("credential_process", "runs a process"),
    ("sso_session", "logs in by SSO"),
    ("sso_start_url", "logs in by SSO"),
    ("login_session", "logs in by `aws login`"),
    ("credential_source", "takes another source's credentials"),
];

/// The profile that is named, else `AWS_PROFILE`, else `default`.
pub(super) struct Profile {
    pub(super) named: Option<String>,
    pub(super) env: Arc<dyn Env>,
    pub(super) files: Arc<dyn Files>,
}

#[async_trait]
impl CredentialSource for Profile {
    fn name(&self) -> &'static str {
        "the shared credentials file"
    }

    async fn load(&self, _call: &Call) -> Result<Option<Credentials>> {
        let (name, asked_for) = chosen(self.named.as_deref(), &*self.env);
        let mut found = false;
        for (file, kind) in [(shared(&*self.env, CREDENTIALS), CREDENTIALS), (shared(&*self.env, CONFIG), CONFIG)] {
            let Some(text) = read(file.as_deref(), &*self.files)? else { continue };
            let section = Section { text: &text, name: &name, prefixed: kind.prefixed };
            found |= section.exists();
            if let Some(id) = section.get("aws_access_key_id") {
                let secret = section.get("aws_secret_access_key").ok_or_else(|| {
                    refused(format!("profile `{name}` has an aws_access_key_id and no aws_secret_access_key; add it"))
                })?;
                let token = section.get("aws_session_token").map(SecretValue::from);
                return Credentials::new(id, &secret.into(), token.as_ref(), None).map(Some);
            }
            if let Some((key, what)) = UNSUPPORTED.iter().find(|(key, _)| section.get(key).is_some()) {
                let message = format!(
                    "profile `{name}` {what} (`{key}`), which is not supported; use static keys, web identity, \
                     or `aws configure export-credentials`"
                );
                return Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Login));
            }
        }
        match (asked_for, found) {
            (false, _) => Ok(None),
            (true, true) => Err(refused(format!("profile `{name}` has no keys; add aws_access_key_id and its secret"))),
            (true, false) => Err(refused(format!("there is no profile `{name}`; look at AWS_PROFILE and the files"))),
        }
    }
}

/// The region that the profile names in the config file.
pub(crate) fn region(named: Option<&str>, env: &dyn Env, files: &dyn Files) -> Result<Option<String>> {
    let (name, _) = chosen(named, env);
    let Some(text) = read(shared(env, CONFIG).as_deref(), files)? else { return Ok(None) };
    let section = Section { text: &text, name: &name, prefixed: true };
    Ok(section.get("region").map(str::to_owned))
}

/// The profile's name, and whether somebody asked for it.
fn chosen(named: Option<&str>, env: &dyn Env) -> (String, bool) {
    match named.map(str::to_owned).or_else(|| env.var("AWS_PROFILE")) {
        Some(name) => (name, true),
        None => ("default".to_owned(), false),
    }
}

#[derive(Clone, Copy)]
struct Shared {
    variable: &'static str,
    default: &'static str,
    /// Whether sections are `[profile x]` instead of `[x]`.
    prefixed: bool,
}

const CREDENTIALS: Shared =
    Shared { variable: "AWS_SHARED_CREDENTIALS_FILE", default: ".aws/credentials", prefixed: false };
const CONFIG: Shared = Shared { variable: "AWS_CONFIG_FILE", default: ".aws/config", prefixed: true };

fn shared(env: &dyn Env, file: Shared) -> Option<PathBuf> {
    env.var(file.variable).map(PathBuf::from).or_else(|| Some(Path::new(&env.var("HOME")?).join(file.default)))
}

/// The file's text; `None` when there is no such file.
fn read(path: Option<&Path>, files: &dyn Files) -> Result<Option<Zeroizing<String>>> {
    let Some(path) = path else { return Ok(None) };
    let mut content = match files.read(path, FILE_LIMIT) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("{} can't be read; look at its permissions", path.display());
            return Err(refused(message).because(error));
        }
    };
    match String::from_utf8(std::mem::take(&mut *content.bytes)) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(refused(format!("{} is not UTF-8", path.display())))
        }
    }
}

/// One section of a shared file. Nothing is copied out before it is asked for.
struct Section<'a> {
    text: &'a str,
    name: &'a str,
    prefixed: bool,
}

impl<'a> Section<'a> {
    fn exists(&self) -> bool {
        self.text.lines().any(|line| self.opens(line) == Some(true))
    }

    /// The value of a key at the section's top level; the last one wins. Nested settings are indented.
    fn get(&self, key: &str) -> Option<&'a str> {
        let mut inside = false;
        let mut found = None;
        for line in self.text.lines() {
            if let Some(ours) = self.opens(line) {
                inside = ours;
            } else if inside
                && !line.starts_with([' ', '\t', '#', ';'])
                && let Some((name, value)) = line.split_once('=')
                && name.trim().eq_ignore_ascii_case(key)
            {
                let value = value.split(" #").next().and_then(|v| v.split(" ;").next()).unwrap_or_default().trim();
                found = Some(value).filter(|value| !value.is_empty());
            }
        }
        found
    }

    /// Whether the line opens a section, and whether that is this one.
    fn opens(&self, line: &str) -> Option<bool> {
        let title = line.trim_end().strip_prefix('[')?.split(']').next()?.trim();
        let title = match title.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
            Some(rest) if self.prefixed => rest.trim(),
            None if !self.prefixed || title == "default" => title,
            _ => return Some(false),
        };
        Some(title.trim_matches('"') == self.name)
    }
}
