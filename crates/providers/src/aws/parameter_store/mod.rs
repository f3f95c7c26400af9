//! AWS Systems Manager Parameter Store: values, numbered versions and labels, metadata, lists by path.
//!
//! A parameter is asked for by name or ARN; its version or label is a selector, never a part of the name, since
//! `name:3` would be remembered as a spelling of the current version. The region of an ARN overrides the session's.

mod batch;
mod wire;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Provider, Result, Scope, Secret,
    SecretName, Selector, VersionInfo,
};

use self::wire::{
    DescribeParameters, Described, GetParameter, GetParameterHistory, History, OneParameter, Parameter, ParameterFilter,
};
use super::arn::Arn;
use super::endpoint::Service;
use super::errors::like;
use super::json::JsonClient;
use super::region::Region;
use super::session::{ServiceSettings, Session};
use crate::body::Body;

/// A name that nobody has: what [`Provider::check`] asks for.
const ABSENT: &str = "/lockstep/check/no-such-parameter";

/// Pages that a description looks at before it gives up; a page may be empty and still have a next one.
const DESCRIBE_PAGES: usize = 10;

/// What Parameter Store has for settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterStoreSettings {
    /// Endpoint and limits.
    pub service: ServiceSettings,
    /// Whether `SecureString` values are decrypted. Without it the ciphertext is answered, and it counts as another
    /// secret than the decrypted one.
    pub decrypt: bool,
}

impl Default for ParameterStoreSettings {
    fn default() -> Self {
        Self { service: ServiceSettings::default(), decrypt: true }
    }
}

/// Secrets of AWS Systems Manager Parameter Store.
///
/// A selector of digits is a version, anything else a label. A secret's `attributes` hold `Type`, `ARN`, `DataType`,
/// `Version`, `Selector`, `LastModifiedDate` (RFC 3339) and, without the value in it, `SourceResult`.
pub struct ParameterStore {
    client: JsonClient,
    scope: Scope,
    decrypt: bool,
    /// The account that plain names belong to, once an ARN has said so: not every answer has one.
    account: OnceLock<Box<str>>,
    /// AWS has denied `GetParameters`, but no single read: they are permissions apart from each other.
    batch_denied: AtomicBool,
}

impl ParameterStore {
    /// The type's name in the configuration.
    pub const TYPE: &'static str = "aws-parameter-store";

    /// A provider of this session.
    ///
    /// # Errors
    /// `Config` when the endpoint is wrong.
    pub fn new(session: Arc<Session>, settings: &ParameterStoreSettings) -> Result<Self> {
        let client = JsonClient::new(session, Service::Ssm, &settings.service)?;
        let transform = if settings.decrypt { "" } else { "undecrypted" };
        let scope = client.session().scope(Self::TYPE, client.endpoint(), transform);
        Ok(Self {
            client,
            scope,
            decrypt: settings.decrypt,
            account: OnceLock::new(),
            batch_denied: AtomicBool::new(false),
        })
    }

    async fn ask(&self, call: &Call, region: Option<&Region>, name: &str, decrypt: bool) -> Result<Body> {
        let input = GetParameter { name, with_decryption: decrypt };
        self.client.send(call, "GetParameter", region, &input).await
    }

    async fn read(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let region = region_of(name)?;
        let selector = match selector {
            Selector::Previous => Selector::Id(self.previous(call, region.as_ref(), name).await?.to_string().into()),
            other => other.clone(),
        };
        let body = match self.ask(call, region.as_ref(), &spelled(name, &selector), self.decrypt).await {
            Ok(body) => body,
            Err(error) if error.kind() == ErrorKind::NotFound && selector != Selector::Current => {
                return Err(self.missing(call, region.as_ref(), name, error).await);
            }
            Err(error) => return Err(error),
        };
        let answer: OneParameter<'_> = body.json()?;
        let secret = checked(&answer.parameter, &selector, &self.scope)?;
        if region.is_none() && answer.parameter.arn.is_some() {
            self.account.get_or_init(|| secret.id.scope.parts().account.as_str().into());
        }
        Ok(secret)
    }

    /// The scope of an answer about a plain name that has no ARN.
    fn own_scope(&self) -> Scope {
        match self.account.get() {
            Some(account) => self.scope.located(account, &self.scope.parts().region),
            None => self.scope.clone(),
        }
    }

    /// The number before the current one. Its value is not needed, so it is not decrypted.
    async fn previous(&self, call: &Call, region: Option<&Region>, name: &SecretName) -> Result<u64> {
        let body = self.ask(call, region, name.as_str(), false).await?;
        let current = body.json::<OneParameter<'_>>()?.parameter.version;
        current.checked_sub(1).filter(|version| *version > 0).ok_or_else(|| {
            Error::new(ErrorKind::VersionNotFound, "the parameter has one version only, so there is no previous one")
        })
    }

    /// Whether the parameter is missing, or only the version or label: a parameter that is there says so itself.
    async fn missing(&self, call: &Call, region: Option<&Region>, name: &SecretName, error: Error) -> Error {
        if self.ask(call, region, name.as_str(), false).await.is_err() {
            return error;
        }
        let message = "the parameter has no such version or label; `versions` lists those it has";
        like(&error, ErrorKind::VersionNotFound, message)
    }

    async fn described(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let region = region_of(name)?;
        let names = names_of(name)?;
        let values: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut next_token: Option<String> = None;
        for _ in 0..DESCRIBE_PAGES {
            let input = DescribeParameters {
                parameter_filters: vec![ParameterFilter {
                    key: "Name".to_owned(),
                    option: Some("Equals"),
                    values: values.clone(),
                }],
                max_results: None,
                next_token: next_token.as_deref(),
            };
            let page: Described =
                self.client.send(call, "DescribeParameters", region.as_ref(), &input).await?.json()?;
            if let Some(entry) = page.parameters.into_iter().find(|entry| names.contains(&entry.name)) {
                return entry.metadata(&self.own_scope());
            }
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        Err(Error::new(ErrorKind::NotFound, "there is no such parameter in this account and region"))
    }
}

#[async_trait]
impl Provider for ParameterStore {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            labels: true,
            list: true,
            describe: true,
            rotate: false,
            batch: true,
            watch: false,
            leased: false,
        }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse::<u64>() {
                Ok(number) if number > 0 => Ok(Selector::Id(number.to_string().into())),
                _ => Err(Error::new(ErrorKind::InvalidReference, "versions of a parameter count from 1")),
            };
        }
        // What is no label's text would be read as part of the name.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            let message = "a parameter's label has letters, digits, `_`, `.` and `-`; a version is a number";
            return Err(Error::new(ErrorKind::InvalidReference, message));
        }
        Ok(Selector::Label(text.into()))
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.read(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        batch::get_many(self, call, wanted).await
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        self.described(call, name).await.map_err(|error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let input = GetParameterHistory {
            name: name.as_str(),
            with_decryption: false,
            max_results: page.limit.map(|limit| limit.clamp(1, 50)),
            next_token: page.token.as_deref(),
        };
        let listed = async {
            let body = self.client.send(call, "GetParameterHistory", region_of(name)?.as_ref(), &input).await?;
            let history: History = body.json()?;
            Ok(Paged { items: history.parameters.into_iter().map(Into::into).collect(), next: history.next_token })
        };
        listed.await.map_err(|error: Error| error.during(Operation::Versions).on(name))
    }

    /// Lists by `DescribeParameters`, which answers no value. It answers no tags either: they filter, and stay unseen.
    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let mut parameter_filters = Vec::new();
        if !prefix.is_empty() {
            let option = Some("BeginsWith");
            parameter_filters.push(ParameterFilter { key: "Name".to_owned(), option, values: vec![prefix] });
        }
        for (key, value) in &filter.tags {
            let values: Vec<&str> = value.iter().map(String::as_str).collect();
            let option = (!values.is_empty()).then_some("Equals");
            parameter_filters.push(ParameterFilter { key: format!("tag:{key}"), option, values });
        }
        let input = DescribeParameters {
            parameter_filters,
            max_results: page.limit.map(|limit| limit.clamp(1, 50)),
            next_token: page.token.as_deref(),
        };
        let listed = async {
            let page: Described = self.client.send(call, "DescribeParameters", None, &input).await?.json()?;
            // What can't be asked for here must not hide the others.
            let is_name = |name: &str| name.starts_with(prefix) && SecretName::parse(name).is_ok();
            let entries = page.parameters.into_iter().filter(|entry| is_name(&entry.name));
            let items = entries.map(|entry| entry.metadata(&self.own_scope())).collect::<Result<Vec<_>>>()?;
            Ok(Paged { items, next: page.next_token })
        };
        listed.await.map_err(|error: Error| error.during(Operation::List))
    }

    /// Asks for a parameter that is not there. `NotFound` and `Denied` both prove that Parameter Store answers and
    /// knows who asks, so that no permission beyond reading values is needed.
    async fn check(&self, call: &Call) -> Result<()> {
        match self.ask(call, None, ABSENT, false).await {
            Ok(_) => Ok(()),
            Err(error) if error.operation() == Some(Operation::Login) => Err(error),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => Ok(()),
            Err(error) => Err(error.during(Operation::Check)),
        }
    }
}

/// The region of a name that is an ARN; refuses a version or label in the name.
fn region_of(name: &SecretName) -> Result<Option<Region>> {
    let arn = Arn::parse(name.as_str(), Service::Ssm)?;
    let bare = match &arn {
        Some(arn) => arn.resource.strip_prefix("parameter/").filter(|bare| !bare.is_empty()).ok_or_else(|| {
            let message = "the name is an ARN, but not one of a parameter; it ends in `:parameter/<name>`";
            Error::new(ErrorKind::InvalidName, message)
        })?,
        None => name.as_str(),
    };
    if bare.contains(':') {
        let message = "a parameter's name has no `:`; write the version or label as selector, like `name@3`";
        return Err(Error::new(ErrorKind::InvalidName, message));
    }
    Ok(arn.map(|arn| arn.region))
}

/// The names that may be meant: an ARN does not say whether a name without a path has a leading `/`.
fn names_of(name: &SecretName) -> Result<Vec<String>> {
    let Some(arn) = Arn::parse(name.as_str(), Service::Ssm)? else { return Ok(vec![name.as_str().to_owned()]) };
    let bare = arn.resource.trim_start_matches("parameter/");
    let rooted = format!("/{bare}");
    Ok(if bare.contains('/') { vec![rooted] } else { vec![bare.to_owned(), rooted] })
}

/// The name as `GetParameter` wants it: `name`, `name:3` or `name:label`.
fn spelled(name: &SecretName, selector: &Selector) -> String {
    match selector {
        Selector::Id(text) | Selector::Label(text) => format!("{name}:{text}"),
        Selector::Current | Selector::Previous => name.as_str().to_owned(),
    }
}

/// The secret, if it is of the version that was asked for.
fn checked(parameter: &Parameter<'_>, selector: &Selector, scope: &Scope) -> Result<Secret> {
    let label = match selector {
        Selector::Label(label) => Some(&**label),
        Selector::Id(id) if *parameter.version.to_string() != **id => {
            let message = "Parameter Store answered with another version than the one asked for";
            return Err(Error::new(ErrorKind::VersionNotFound, message));
        }
        _ => None,
    };
    parameter.secret(scope, label)
}

#[cfg(test)]
mod tests;
