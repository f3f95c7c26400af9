//! What a caller may do: asked before any call, for each candidate of a plan, and again before anything is released.

use std::sync::Arc;

use super::tags::Learned;
use super::{Ask, Inner, Refused};
use crate::plan::{Candidate, Plan};
use crate::{Action, Call, Error, ErrorKind, Mount, Operation, Principal, Resource, Result, SecretName};

/// The refusal of what the configuration lets nobody touch.
fn out_of_reach(what: &str) -> Refused {
    let message = format!("{what} is outside of what this provider may be asked for; look at its `only`");
    (Error::new(ErrorKind::Denied, message), Some(Arc::from("only")))
}

impl Inner {
    /// Learns the tags of what these reads would ask for, where decisions hang on them.
    pub(super) async fn learn_plans(&self, call: &Call, who: &Principal, asks: &[&Ask]) -> Learned {
        if !self.authorizer.reads_tags() {
            return Learned::default();
        }
        // What can't be planned is said when it is planned in earnest.
        let plans: Vec<Plan> = asks.iter().filter_map(|ask| self.planner.plan(ask).ok()).collect();
        let candidates = plans.iter().flat_map(|plan| &plan.candidates);
        self.learn(call, who, Action::Get, candidates.map(|found| (&found.mount, found.spelling.name.clone()))).await
    }

    /// The plan, if every candidate of it is allowed. One that is not refuses the whole: what may not be read does not
    /// become readable while another provider is down.
    pub(super) fn plan_allowed(
        &self,
        who: &Principal,
        ask: &Ask,
        learned: &Learned,
    ) -> Result<(Plan, Arc<str>), Refused> {
        let plan = self.planner.plan(ask).map_err(|error| (error.during(Operation::Get).on(&ask.name), None))?;
        let mut policy = None;
        for Candidate { mount, spelling } in &plan.candidates {
            // It may be at the next provider. If it is here after all, it is decided on before it is released.
            let allowed = if learned.is_absent(mount, &spelling.name) {
                Ok(Arc::from("tags of what is not there"))
            } else {
                self.allow_learned(who, Action::Get, mount, &spelling.name, learned)
            };
            policy = Some(allowed.map_err(|(error, by)| (error.during(Operation::Get).on(&ask.name), by))?);
        }
        Ok((plan, policy.unwrap_or_else(|| Arc::from(""))))
    }

    /// The same as [`allow`](Self::allow), after what was learned of tags.
    pub(super) fn allow_learned(
        &self,
        who: &Principal,
        action: Action,
        mount: &Mount,
        name: &SecretName,
        learned: &Learned,
    ) -> Result<Arc<str>, Refused> {
        learned.failure(mount, name)?;
        self.allow(who, action, mount, name.as_str())
    }

    /// Asks the authorizer; the policy that allowed, or the refusal.
    pub(super) fn allow(
        &self,
        who: &Principal,
        action: Action,
        mount: &Mount,
        name: &str,
    ) -> Result<Arc<str>, Refused> {
        if !mount.reach.has_name(action, name) {
            return Err(out_of_reach("the name"));
        }
        let known =
            if self.authorizer.reads_tags() { self.tags.of(&mount.alias, name, self.timeline.now()) } else { None };
        let resource = Resource { provider: mount.ruled(), name, tags: known.as_deref() };
        let decision = self.authorizer.decide(who, action, resource);
        if decision.allowed {
            return Ok(decision.policy);
        }
        let message = format!("{} may not {} this secret; ask for a rule that allows it", who.id, action.as_str());
        Err((Error::new(ErrorKind::Denied, message), Some(decision.policy)))
    }

    /// Looks at the tags of a secret, where the reach has some, before anything else is asked about it.
    pub(super) async fn within(&self, call: &Call, mount: &Mount, name: &SecretName) -> Result<()> {
        if mount.reach.tags.is_empty() {
            return Ok(());
        }
        let metadata = mount.provider.describe(call, name).await?;
        if metadata.has_tags(&mount.reach.tags) { Ok(()) } else { Err(out_of_reach("a tag").0.on(name)) }
    }
}
