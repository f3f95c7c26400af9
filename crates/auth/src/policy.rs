//! [`Policies`]: what callers may do, as policies in [Cedar](https://www.cedarpolicy.com) say it.
//!
//! | file | job |
//! |---|---|
//! | `lockstep.cedarschema` | what policies can speak of |
//! | `source` | reads policies, with the place of each mistake |
//! | `reads` | what a policy looks at: tags, the context |
//! | `facts` | a caller and a secret, as Cedar has them |
//! | `spelling` | the names that an ARN stands for |
//!
//! What no policy permits is denied, and one that forbids weighs more than all that permit. Policies are parsed and
//! checked once. Cedar passes over a policy that can't be evaluated, also one that forbids; here that denies.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::{AuthorizationError, Authorizer as Cedar, Effect, PolicyId, PolicySet, Response, Schema};
use lockstep_core::{Action, Authorizer, Clock, Decision, Principal, Recent, Resource, Result};
use sha2::{Digest as _, Sha256};

use self::facts::Facts;
use self::source::Read;
use crate::AllowList;

mod facts;
mod reads;
mod source;
mod spelling;

pub use self::source::PolicySource;

/// What policies can speak of, in Cedar's own form.
pub const POLICY_SCHEMA: &str = include_str!("policy/lockstep.cedarschema");

/// How many decisions are remembered.
const REMEMBERED: usize = 4096;

/// What callers may do.
///
/// ```
/// use std::sync::Arc;
/// use lockstep_auth::{AllowList, Policies, PolicySource};
/// use lockstep_core::{Action, Alias, Authorizer, Principal, Resource};
/// # struct Still;
/// # #[async_trait::async_trait]
/// # impl lockstep_core::Clock for Still {
/// #     fn monotonic(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn wall(&self) -> lockstep_core::UnixMillis { lockstep_core::UnixMillis(0) }
/// #     async fn sleep(&self, _: std::time::Duration) {}
/// # }
/// # let clock = Arc::new(Still);
/// let text = r#"
///     @id("payments-reads-its-own")
///     permit(principal == Caller::"key:payments", action == Action::"get", resource in Prefix::"aws://payments");
/// "#;
/// let source = PolicySource { name: "payments.cedar".to_owned(), text: text.to_owned() };
/// let policies = Policies::new(&[source], AllowList::parse(["**"])?, clock)?;
/// let (who, aws) = (Principal::new("key:payments"), Alias::parse("aws")?);
/// let resource = |name| Resource { provider: &aws, name, tags: None };
/// assert!(policies.decide(&who, Action::Get, resource("payments/db")).allowed);
/// assert!(!policies.decide(&who, Action::Rotate, resource("payments/db")).allowed);
/// assert!(!policies.decide(&who, Action::Get, resource("sales/db")).allowed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Policies {
    /// The outer fence: what it does not allow, no policy permits.
    fence: AllowList,
    all: PolicySet,
    /// Those that do not look at a secret's tags.
    plain: PolicySet,
    /// The others without their conditions, all of them permitting: whether one of them could have a say.
    scopes: PolicySet,
    /// Which of those permit.
    tag_permits: HashSet<PolicyId>,
    /// Whether a decision is the same later, and from elsewhere.
    lasting: bool,
    cedar: Cedar,
    clock: Arc<dyn Clock>,
    remembered: Mutex<Recent<[u8; 32], Decision>>,
}

/// Why something is allowed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The policies that permit, or those that forbid; none when no policy says anything.
    pub policies: Vec<String>,
    /// Policies that could not be evaluated.
    pub failing: Vec<String>,
}

impl Policies {
    /// These policies, behind this list: both have to allow.
    ///
    /// # Errors
    /// `Config`, with the place of each mistake, when one can't be read, speaks of what there is not, or has the id of
    /// another one; or when there is none at all.
    pub fn new(sources: &[PolicySource], fence: AllowList, clock: Arc<dyn Clock>) -> Result<Self> {
        let schema = schema()?;
        let Read { all, plain, scopes, tag_permits, lasting } = source::read(sources, &schema)?;
        Ok(Self {
            fence,
            all,
            plain,
            scopes,
            tag_permits,
            lasting,
            cedar: Cedar::new(),
            clock,
            remembered: Mutex::new(Recent::new(REMEMBERED)),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.policies().count()
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The decision anew, with everything that led to it.
    pub fn explain(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Explanation {
        let listed = self.fence.decide(who, action, resource);
        if !listed.allowed {
            return Explanation { decision: listed, policies: Vec::new(), failing: Vec::new() };
        }
        // The same secret under the names that an ARN stands for: what is forbidden under one of them is forbidden.
        for name in spelling::others(resource.name) {
            let other = self.evaluate(who, action, Resource { name: &name, ..resource });
            if !other.decision.allowed && (!other.policies.is_empty() || !other.failing.is_empty()) {
                return other;
            }
        }
        self.evaluate(who, action, resource)
    }

    fn evaluate(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Explanation {
        let facts = match Facts::new(who, action, resource, self.clock.wall()) {
            Ok(facts) => facts,
            // What Cedar can't even hold is nobody's.
            Err(reason) => {
                tracing::warn!(reason, "a caller or a secret can't be put before the policies");
                let decision = Decision::new(false, "policy: not evaluated");
                return Explanation { decision, policies: Vec::new(), failing: vec![reason.to_owned()] };
            }
        };
        if resource.tags.is_some() || !self.reads_tags() {
            return explained(&facts.ask(&self.cedar, &self.all));
        }
        let plain = explained(&facts.ask(&self.cedar, &self.plain));
        let is_forbidden = !plain.decision.allowed && (!plain.policies.is_empty() || !plain.failing.is_empty());
        let scopes = facts.ask(&self.cedar, &self.scopes);
        let fitting: Vec<&PolicyId> = scopes.diagnostics().reason().collect();
        let may_permit = plain.decision.allowed || fitting.iter().any(|id| self.tag_permits.contains(*id));
        if is_forbidden || fitting.is_empty() || !may_permit {
            return plain;
        }
        let names = names(fitting.into_iter());
        // A list is no secret: what is under its prefix is decided on one by one, by its own tags.
        let allowed = action == Action::List;
        let policy = format!("policy: by the tags of each ({})", names.join(", "));
        Explanation {
            decision: Decision { wants_tags: !allowed, ..Decision::new(allowed, policy) },
            policies: names,
            failing: Vec::new(),
        }
    }

    /// What a decision hangs on, as a digest. It ends where Cedar would begin: all that policies can see is in it.
    fn mark(who: &Principal, action: Action, resource: Resource<'_>) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(bytes);
        };
        part(who.id.as_bytes());
        part(who.login.as_str().as_bytes());
        part(action.as_str().as_bytes());
        part(resource.provider.as_str().as_bytes());
        part(resource.name.as_bytes());
        // One token has its claims in one order; the same claims in another are decided on once more.
        part(&who.claims.as_deref().and_then(|claims| serde_json::to_vec(claims).ok()).unwrap_or_default());
        match resource.tags {
            None => part(b"unknown"),
            Some(tags) => tags.iter().for_each(|(name, value)| {
                part(name.as_bytes());
                part(value.as_bytes());
            }),
        }
        digest.finalize().into()
    }
}

impl Authorizer for Policies {
    fn decide(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Decision {
        if !self.lasting {
            return self.explain(who, action, resource).decision;
        }
        let mark = Self::mark(who, action, resource);
        let remembered = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decision) = remembered().get(&mark) {
            return decision.clone();
        }
        let decision = self.explain(who, action, resource).decision;
        remembered().put(mark, decision.clone());
        decision
    }

    fn reads_tags(&self) -> bool {
        self.scopes.policies().next().is_some()
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.policies().map(|policy| policy.id().to_string())).finish()
    }
}

/// The schema, parsed.
fn schema() -> Result<Schema> {
    let parsed = Schema::from_cedarschema_str(POLICY_SCHEMA).map(|(schema, _)| schema);
    parsed.map_err(|error| {
        let message = format!("the schema of this program can't be read: {error}");
        lockstep_core::Error::new(lockstep_core::ErrorKind::Internal, message)
    })
}

fn names<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    ids.map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What Cedar says, as a decision of ours.
fn explained(response: &Response) -> Explanation {
    let policies = names(response.diagnostics().reason());
    let failing: Vec<String> = names(response.diagnostics().errors().map(failed));
    if !failing.is_empty() {
        // What went wrong may quote a claim.
        tracing::warn!(policies = failing.join(", "), "policies can't be evaluated; what they are about is denied");
        let policy = format!("policy: not evaluated ({})", failing.join(", "));
        return Explanation { decision: Decision::new(false, policy), policies: Vec::new(), failing };
    }
    let allowed = response.decision() == cedar_policy::Decision::Allow;
    let policy = if policies.is_empty() {
        "policy: none permits it".to_owned()
    } else {
        format!("policy: {}", policies.join(", "))
    };
    Explanation { decision: Decision::new(allowed, policy), policies, failing }
}

/// The policy that could not be evaluated.
fn failed(error: &AuthorizationError) -> &PolicyId {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}

/// Whether a policy permits.
fn permits(policy: &cedar_policy::Policy) -> bool {
    policy.effect() == Effect::Permit
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
