//! What a caller may do: asked before any call, for each candidate of a plan, and again before anything is released.

use std::sync::Arc;

use super::tags::Standing;
use super::{Ask, Inner, Refused};
use crate::plan::{Candidate, Plan};
use crate::{Action, Call, Error, ErrorKind, Mount, Operation, Principal, Resource, Result, SecretName};

/// The refusal of what the configuration lets nobody touch.
fn out_of_reach(what: &str) -> Refused {
    let message = format!("{what} is outside of what this provider may be asked for; look at its `only`");
    (Error::new(ErrorKind::Denied, message), Some(Arc::from("only")))
}

impl Inner {
    /// The plan, if every candidate of it is allowed. One that is not refuses the whole: what may not be read does not
    /// become readable while another provider is down.
    pub(super) async fn plan_allowed(
        &self,
        call: &Call,
        who: &Principal,
        ask: &Ask,
    ) -> Result<(Plan, Arc<str>), Refused> {
        let plan = self.planner.plan(ask).map_err(|error| (error.during(Operation::Get).on(&ask.name), None))?;
        let mut policy = None;
        for Candidate { mount, spelling } in &plan.candidates {
            let allowed = match self.learn_tags(call, who, Action::Get, mount, &spelling.name).await {
                // It may be at the next provider. If it is here after all, it is decided on before it is released.
                Ok(Standing::Absent) => Ok(Arc::from("tags of what is not there")),
                Ok(Standing::Open) => self.allow(who, Action::Get, mount, spelling.name.as_str()),
                Err(refused) => Err(refused),
            };
            policy = Some(allowed.map_err(|(error, by)| (error.during(Operation::Get).on(&ask.name), by))?);
        }
        Ok((plan, policy.unwrap_or_else(|| Arc::from(""))))
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
        let resource = Resource { provider: &mount.alias, name, tags: known.as_deref() };
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
