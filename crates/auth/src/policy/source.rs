//! Reading policies: each mistake with its file, line and column, and all of them at once.

use std::collections::HashSet;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use lockstep_core::{Error, ErrorKind, Result};
use miette::Diagnostic;
use serde_json::Value;

use super::{permits, reads};

/// The most bytes of one source.
const MAX_BYTES: usize = 1 << 20;

/// Policies, and where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The file, or the key of the configuration.
    pub name: String,
    /// The policies, in Cedar.
    pub text: String,
}

/// Policies that were read, and what is known of them.
pub(super) struct Read {
    pub(super) all: PolicySet,
    pub(super) plain: PolicySet,
    pub(super) scopes: PolicySet,
    pub(super) tag_permits: HashSet<PolicyId>,
    pub(super) lasting: bool,
}

/// Reads all of them.
pub(super) fn read(sources: &[PolicySource], schema: &Schema) -> Result<Read> {
    let validator = Validator::new(schema.clone());
    let mut mistakes = Vec::new();
    let mut policies: Vec<Policy> = Vec::new();
    for source in sources {
        match read_one(source, &validator) {
            Ok(read) => {
                for policy in read {
                    if policies.iter().any(|other| other.id() == policy.id()) {
                        mistakes.push(format!(
                            "{}: there are two policies with the id `{}`; give each its own with `@id(\"…\")`",
                            source.name,
                            policy.id()
                        ));
                    } else {
                        policies.push(policy);
                    }
                }
            }
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() && policies.is_empty() {
        mistakes.push("there is no policy, so everything would be denied; write one, or leave policies out".to_owned());
    }
    if !mistakes.is_empty() {
        return Err(Error::new(ErrorKind::Config, mistakes.join("\n")));
    }
    sort(policies)
}

/// Sorts policies by what they look at.
fn sort(policies: Vec<Policy>) -> Result<Read> {
    let odd = |_| Error::new(ErrorKind::Internal, "a policy that was read can't be written again");
    let (mut all, mut plain, mut scopes) = (PolicySet::new(), PolicySet::new(), PolicySet::new());
    let (mut tag_permits, mut lasting) = (HashSet::new(), true);
    for policy in policies {
        let mut json = policy.to_json().map_err(odd)?;
        lasting &= !reads::context(&json);
        if reads::tags(&json) {
            if permits(&policy) {
                tag_permits.insert(policy.id().clone());
            }
            // The same scope, permitting, under no condition.
            if let Some(members) = json.as_object_mut() {
                members.insert("conditions".to_owned(), Value::Array(Vec::new()));
                members.insert("effect".to_owned(), "permit".into());
            }
            let scope = Policy::from_json(Some(policy.id().clone()), json);
            let scope = scope.map_err(|_| Error::new(ErrorKind::Internal, "the scope of a policy can't be read"))?;
            add(&mut scopes, scope)?;
        } else {
            add(&mut plain, policy.clone())?;
        }
        add(&mut all, policy)?;
    }
    Ok(Read { all, plain, scopes, tag_permits, lasting })
}

fn add(set: &mut PolicySet, policy: Policy) -> Result<()> {
    set.add(policy).map_err(|_| Error::new(ErrorKind::Internal, "a policy is there twice"))
}

fn read_one(source: &PolicySource, validator: &Validator) -> Result<Vec<Policy>, Vec<String>> {
    let PolicySource { name, text } = source;
    if text.len() > MAX_BYTES {
        return Err(vec![format!("{name}: there is more than 1 MiB of policies; write fewer, or several files")]);
    }
    let place = |error: &dyn Diagnostic| at(source, error.labels().and_then(|mut labels| labels.next()));
    let set: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| format!("{}: {error}", place(error))).collect::<Vec<_>>()
    })?;
    if set.templates().next().is_some() {
        let advice = "templates (`?principal`, `?resource`) are not filled in here; write the policy out for each";
        return Err(vec![format!("{name}: {advice}")]);
    }
    let validated = validator.validate(&set, ValidationMode::Strict);
    let wrong = validated.validation_errors().map(|error| {
        // Its number says less than the place.
        let text = error.to_string();
        let said = text.strip_prefix(&format!("for policy `{}`, ", error.policy_id())).unwrap_or(&text);
        format!("{}: {said}", place(error))
    });
    let wrong: Vec<String> = wrong.collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    // In the order of the text: Cedar numbers them.
    let mut policies: Vec<(usize, &Policy)> = set.policies().map(|policy| (number(policy.id()), policy)).collect();
    policies.sort_by_key(|(number, _)| *number);
    let named = policies.into_iter().map(|(number, policy)| {
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("{name}#{}", number + 1), str::to_owned);
        policy.new_id(PolicyId::new(id))
    });
    Ok(named.collect())
}

/// The number in `policy7`.
fn number(id: &PolicyId) -> usize {
    id.to_string().trim_start_matches("policy").parse().unwrap_or_default()
}

/// File, line and column of a label.
fn at(source: &PolicySource, label: Option<miette::LabeledSpan>) -> String {
    let Some(before) = label.and_then(|label| source.text.get(..label.offset())) else { return source.name.clone() };
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", source.name)
}
