//! Credentials of a profile in the shared credentials and config files: its keys, or the role that it assumes with the
//! credentials of another profile, another source, or an identity provider's token.
//!
//! Profiles that need more (SSO, a process) are named in a clear error: silence would fall through to the identity of
//! the machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, SecretValue};

use super::super::role::{ExternalId, MAX_ROLES, Role};
use super::super::shared::{self, SharedFiles, chosen};
use super::assumed::assume;
use super::container::Container;
use super::environment::Environment;
use super::imds::InstanceMetadata;
use super::{CredentialSource, Credentials, refused, web_identity};
use crate::Ports;
use crate::aws::sts::Sts;

/// Keys that make a profile one that we can't follow, with what they stand for.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("credential_process", "runs a process"),
    ("sso_session", "logs in by SSO"),
    ("sso_start_url", "logs in by SSO"),
    ("login_session", "logs in by `aws login`"),
    ("mfa_serial", "asks for a one-time code"),
];

/// The profile that is named, else `AWS_PROFILE`, else `default`.
pub(super) struct Profile {
    pub(super) named: Option<String>,
    pub(super) ports: Ports,
    pub(super) sts: Arc<Sts>,
}

#[async_trait]
impl CredentialSource for Profile {
    fn name(&self) -> &'static str {
        "the shared credentials file"
    }

    async fn load(&self, call: &Call) -> Result<Option<Credentials>> {
        let plan = {
            let (name, asked_for) = chosen(self.named.as_deref(), &*self.ports.env);
            let files = SharedFiles::read(&*self.ports.env, &*self.ports.files)?;
            match Plan::of(&files, &name)? {
                Some(plan) => plan,
                None if !asked_for => return Ok(None),
                None if files.profile(&name).exists() => {
                    return Err(refused(format!("profile `{name}` has no keys; add aws_access_key_id and its secret")));
                }
                None => {
                    return Err(refused(format!("there is no profile `{name}`; look at AWS_PROFILE and the files")));
                }
            }
        };
        let mut credentials = self.first(call, plan.first).await?;
        for role in &plan.roles {
            let external_id = role.read_external_id(&*self.ports.env, &*self.ports.files)?;
            // What it is assumed with was loaded a moment ago and is kept nowhere: there is nothing to drop.
            let assumed = assume(&self.sts, call, role, external_id.as_ref(), &credentials).await;
            credentials = assumed.map_err(|verdict| verdict.settled(|| false))?;
        }
        Ok(Some(credentials))
    }
}

impl Profile {
    async fn first(&self, call: &Call, first: First) -> Result<Credentials> {
        let (env, transport) = (self.ports.env.clone(), self.ports.transport.clone());
        let source: Box<dyn CredentialSource> = match first {
            First::Keys(credentials) => return Ok(credentials),
            First::WebIdentity { path, role } => {
                let files = &*self.ports.files;
                return web_identity::assume(&self.sts, call, files, Path::new(&path), role.arn(), role.name()).await;
            }
            First::Environment => Box::new(Environment(env)),
            First::Container => Box::new(Container { env, files: self.ports.files.clone(), transport }),
            First::Instance => Box::new(InstanceMetadata {
                env,
                transport,
                clock: self.ports.clock.clone(),
                random: self.ports.random.clone(),
            }),
        };
        let missing = || refused(format!("the profile's `credential_source` has none; look at {}", source.name()));
        source.load(call).await?.ok_or_else(missing)
    }
}

/// Where a profile's credentials begin, and the roles that are assumed from there, the first one first.
struct Plan {
    first: First,
    roles: Vec<Role>,
}

enum First {
    Keys(Credentials),
    WebIdentity { path: String, role: Role },
    Environment,
    Container,
    Instance,
}

impl Plan {
    /// Follows the profiles from the one that is asked for to the one with credentials. `None` when it says nothing.
    fn of(files: &SharedFiles, name: &str) -> Result<Option<Self>> {
        let mut roles: Vec<Role> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        let mut name = name;
        let first = loop {
            let profile = files.profile(name);
            if !seen.is_empty() && !profile.exists() {
                let by = seen.last().unwrap_or(&name);
                return Err(refused(format!("there is no profile `{name}`, the `source_profile` of `{by}`; add it")));
            }
            let Some(role) = role(&profile, name)? else {
                let Some(keys) = keys(&profile, name)? else {
                    if seen.is_empty() {
                        return Ok(None);
                    }
                    return Err(refused(format!("profile `{name}` has no keys; add aws_access_key_id and its secret")));
                };
                break First::Keys(keys);
            };
            seen.push(name);
            let only_one = || {
                let what = "write one of source_profile, credential_source and web_identity_token_file";
                config(format!("profile `{name}` has a role_arn, but not one way to assume it; {what}"))
            };
            let source = profile.get("source_profile");
            match (source, profile.get("credential_source"), profile.get("web_identity_token_file")) {
                (None, None, Some(path)) => break First::WebIdentity { path: path.to_owned(), role },
                (None, Some(source), None) => {
                    roles.push(role);
                    break match source {
                        "Environment" => First::Environment,
                        "Ec2InstanceMetadata" => First::Instance,
                        "EcsContainer" => First::Container,
                        _ => {
                            let known = "write Environment, Ec2InstanceMetadata or EcsContainer";
                            return Err(config(format!("profile `{name}` has an unknown credential_source; {known}")));
                        }
                    };
                }
                (Some(source), None, None) => {
                    roles.push(role);
                    // A profile may hold the keys itself with which its role is assumed.
                    if source == name {
                        let missing = || refused(format!("profile `{name}` is its own source_profile and has no keys"));
                        break First::Keys(keys(&profile, name)?.ok_or_else(missing)?);
                    }
                    if seen.contains(&source) {
                        return Err(config(format!(
                            "the source_profile of `{name}` leads back to `{source}`; break it"
                        )));
                    }
                    name = source;
                }
                _ => return Err(only_one()),
            }
            if roles.len() > MAX_ROLES {
                return Err(config(format!(
                    "profile `{name}` is behind more than {MAX_ROLES} roles; shorten the chain"
                )));
            }
        };
        roles.reverse();
        let before = usize::from(matches!(first, First::WebIdentity { .. }));
        for (place, role) in roles.iter().enumerate() {
            role.stands_at(before + place).map_err(|error| error.during(Operation::Login))?;
        }
        Ok(Some(Self { first, roles }))
    }
}

/// The role that a profile assumes.
fn role(profile: &shared::Profile<'_>, name: &str) -> Result<Option<Role>> {
    let Some(arn) = profile.get("role_arn") else { return Ok(None) };
    supported(profile, name, &["mfa_serial"])?;
    let made = || {
        let mut role = Role::new(arn)?;
        if let Some(session) = profile.get("role_session_name") {
            role = role.session_name(session)?;
        }
        if let Some(id) = profile.get("external_id") {
            role = role.external_id(ExternalId::Text(id.into()))?;
        }
        if let Some(seconds) = profile.get("duration_seconds") {
            role = role.duration(Duration::from_secs(seconds.parse().unwrap_or(0)))?;
        }
        Ok(role)
    };
    made().map(Some).map_err(|error: Error| config(format!("profile `{name}`: {}", error.message())))
}

/// The keys of a profile; id and secret stand in the same file.
fn keys(profile: &shared::Profile<'_>, name: &str) -> Result<Option<Credentials>> {
    let Some(section) = profile.with("aws_access_key_id") else {
        supported(profile, name, &UNSUPPORTED.map(|(key, _)| key))?;
        return Ok(None);
    };
    let id = section.get("aws_access_key_id").unwrap_or_default();
    let secret = section.get("aws_secret_access_key").ok_or_else(|| {
        refused(format!("profile `{name}` has an aws_access_key_id and no aws_secret_access_key; add it"))
    })?;
    let token = section.get("aws_session_token").map(SecretValue::from);
    Credentials::new(id, &secret.into(), token.as_ref(), None).map(Some)
}

/// Refuses a profile with one of these keys.
fn supported(profile: &shared::Profile<'_>, name: &str, keys: &[&str]) -> Result<()> {
    let Some((key, what)) = UNSUPPORTED.iter().find(|(key, _)| keys.contains(key) && profile.get(key).is_some()) else {
        return Ok(());
    };
    let message = format!(
        "profile `{name}` {what} (`{key}`), which is not supported; use static keys, a role, web identity, or \
         `aws configure export-credentials`"
    );
    Err(Error::new(ErrorKind::Unsupported, message).during(Operation::Login))
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message).during(Operation::Login)
}
