//! What Parameter Store sends and answers, as the service model of SSM (2014-11-06) has it.

use std::collections::BTreeMap;

use lockstep_core::{
    CanonicalId, Metadata, Payload, Result, Scope, Secret, SecretName, Structure, UnixMillis, Version, VersionInfo,
    VersionState,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::arn::Arn;
use super::super::endpoint::Service;
use crate::body::{next, or_default, text, unexpected};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetParameter<'a> {
    pub(super) name: &'a str,
    pub(super) with_decryption: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetParameters<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) with_decryption: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetParameterHistory<'a> {
    pub(super) name: &'a str,
    pub(super) with_decryption: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_results: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameters<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameter_filters: Vec<ParameterFilter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_results: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ParameterFilter<'a> {
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) option: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneParameter<'a> {
    #[serde(borrow)]
    pub(super) parameter: Parameter<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ManyParameters<'a> {
    #[serde(borrow, default)]
    pub(super) parameters: Vec<Parameter<'a>>,
    #[serde(default)]
    pub(super) invalid_parameters: Vec<String>,
}

/// A parameter with its value, which stays raw until it is moved out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameter<'a> {
    pub(super) name: String,
    #[serde(rename = "Type")]
    kind: Option<Box<str>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) version: u64,
    pub(super) selector: Option<Box<str>>,
    #[serde(borrow)]
    source_result: Option<&'a RawValue>,
    last_modified_date: Option<f64>,
    #[serde(rename = "ARN")]
    pub(super) arn: Option<Box<str>>,
    data_type: Option<Box<str>>,
}

impl Parameter<'_> {
    /// The parameter as a secret, its value copied into memory that is wiped.
    ///
    /// # Errors
    /// `Malformed` when there is no value, or name or ARN is none.
    pub(super) fn secret(&self, scope: &Scope, label: Option<&str>) -> Result<Secret> {
        let value = text(self.value.ok_or_else(|| unexpected("has no Value"))?)?;
        let (id, name) = identity(scope, &self.name, self.arn.as_deref())?;
        let mut secret = Secret::new(id, name, Payload::text(value));
        // What refers to a secret of Secrets Manager has no versions of its own, and says 0.
        secret.version = (self.version > 0).then(|| Version::number(self.version));
        secret.labels = label.map(Into::into).into_iter().collect();
        secret.created = self.last_modified_date.and_then(UnixMillis::from_seconds);
        let mut attributes: BTreeMap<&'static str, Box<str>> = BTreeMap::new();
        attributes.insert("Version", self.version.to_string().into());
        for (key, text) in
            [("Type", &self.kind), ("ARN", &self.arn), ("DataType", &self.data_type), ("Selector", &self.selector)]
        {
            attributes.extend(text.clone().map(|text| (key, text)));
        }
        attributes.extend(secret.created.map(|time| ("LastModifiedDate", time.to_rfc3339().into())));
        attributes.extend(self.source_result.and_then(source).map(|source| ("SourceResult", source)));
        secret.attributes = attributes;
        Ok(secret)
    }
}

/// `SourceResult` is the whole answer of Secrets Manager, the value in it included. Only what is no value is kept.
fn source(raw: &RawValue) -> Option<Box<str>> {
    const KEPT: [&str; 5] = ["arn", "name", "versionid", "versionstages", "createddate"];
    let text = text(raw).ok()?;
    // JSON in a string, so the bound on the answer did not see its keys.
    Structure::default().check(text.expose()).ok()?;
    let members: BTreeMap<&str, &RawValue> = serde_json::from_slice(text.expose()).ok()?;
    let kept: BTreeMap<_, _> =
        members.into_iter().filter(|(key, _)| KEPT.contains(&&*key.to_ascii_lowercase())).collect();
    serde_json::to_string(&kept).ok().map(Into::into)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct History {
    #[serde(default)]
    pub(super) parameters: Vec<HistoryEntry>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_token: Option<String>,
}

/// One version. It has no field for the value, which so ends with the answer's bytes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HistoryEntry {
    version: u64,
    #[serde(default, deserialize_with = "or_default")]
    labels: Vec<Box<str>>,
    last_modified_date: Option<f64>,
}

impl From<HistoryEntry> for VersionInfo {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            version: Version::number(entry.version),
            labels: entry.labels,
            created: entry.last_modified_date.and_then(UnixMillis::from_seconds),
            state: VersionState::Enabled,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(default)]
    pub(super) parameters: Vec<DescribedEntry>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribedEntry {
    pub(super) name: String,
    #[serde(rename = "ARN")]
    arn: Option<Box<str>>,
    description: Option<String>,
    last_modified_date: Option<f64>,
    #[serde(default)]
    version: u64,
}

impl DescribedEntry {
    /// What is known of the parameter. Tags are not in this answer.
    ///
    /// # Errors
    /// `Malformed` when name or ARN is none.
    pub(super) fn metadata(self, scope: &Scope) -> Result<Metadata> {
        let (id, name) = identity(scope, &self.name, self.arn.as_deref())?;
        Ok(Metadata {
            version: (self.version > 0).then(|| Version::number(self.version)),
            description: self.description.filter(|text| !text.is_empty()),
            changed: self.last_modified_date.and_then(UnixMillis::from_seconds),
            rotation_enabled: Some(false),
            ..Metadata::new(id, name)
        })
    }
}

/// The identity is the name in the account and region of the ARN: the ARN itself leaves the leading `/` out.
fn identity(scope: &Scope, name: &str, arn: Option<&str>) -> Result<(CanonicalId, SecretName)> {
    let wrong = || unexpected("has an ARN that is none");
    let scope = match arn {
        Some(arn) => {
            let arn = Arn::parse(arn, Service::Ssm).map_err(|_| wrong())?.ok_or_else(wrong)?;
            scope.located(arn.account, arn.region.as_str())
        }
        None => scope.clone(),
    };
    let name = SecretName::parse(name).map_err(|_| unexpected("has a name that can't be one"))?;
    Ok((CanonicalId { scope, name: name.clone() }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: leave out the `check` in `source`.
    #[test]
    fn o3_the_source_of_a_reference_has_no_more_keys_than_an_answer() {
        let kept = |keys: usize| {
            let keys: Vec<_> = (0..keys).map(|key| format!("\"{key}\":1")).collect();
            let inner = format!("{{\"Name\":\"n\",{}}}", keys.join(","));
            source(&RawValue::from_string(serde_json::to_string(&inner).unwrap()).unwrap())
        };
        assert_eq!(kept(lockstep_core::MAX_MEMBERS - 1).as_deref(), Some(r#"{"Name":"n"}"#));
        assert_eq!(kept(lockstep_core::MAX_MEMBERS), None);
    }

    /// Break: keep the whole `SourceResult`.
    #[test]
    fn m1_the_source_of_a_reference_loses_its_value() {
        let inner = r#"{"ARN":"a","Name":"n","VersionId":"v","VersionStages":["AWSCURRENT"],"SecretString":"canary","CreatedDate":1}"#;
        let raw = RawValue::from_string(serde_json::to_string(inner).unwrap()).unwrap();
        let kept = source(&raw).unwrap();
        assert_eq!(&*kept, r#"{"ARN":"a","CreatedDate":1,"Name":"n","VersionId":"v","VersionStages":["AWSCURRENT"]}"#);
    }
}
