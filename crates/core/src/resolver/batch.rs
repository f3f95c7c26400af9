//! Many reads at once. What is not cached goes to each provider in one call; all else goes the way of single reads.

use std::collections::HashMap;

use futures_util::StreamExt;

use super::fetch::Settled;
use super::{Answer, Ask, Resolver};
use crate::cache::{Leader, Outcome, Role, Spelling};
use crate::freshness::Standing;
use crate::plan::{Candidate, Plan};
use crate::{Action, Alias, Call, Error, ErrorKind, GET_MANY_CONCURRENCY, Operation, Principal, Result, SecretRef};

/// One read that leads its flight, on its way into a batch.
struct Led<'a> {
    at: usize,
    plan: &'a Plan,
    leader: Leader<Spelling, Outcome>,
}

impl Resolver {
    /// Reads what is to be there before anybody asks, as the principal `prefetch`. What fails is only told: whoever asks
    /// gets the error, and a provider that is down keeps nothing from starting.
    pub async fn prefetch(&self, call: &Call, references: &[SecretRef]) {
        let asks: Vec<_> = references.iter().map(Ask::from).collect();
        let answers = self.get_many(call, &Principal::new("prefetch"), &asks).await;
        for (ask, answer) in asks.iter().zip(answers) {
            if let Err(error) = answer {
                tracing::warn!(name = %ask.name, %error, "can't prefetch");
            }
        }
    }

    /// Reads many; the answers stand in the order asked for.
    pub async fn get_many(&self, call: &Call, who: &Principal, asks: &[Ask]) -> Vec<Result<Answer>> {
        let span = call.access_span("secrets.get");
        let call = span.of(call);
        let mut waiting = Vec::new();
        let mut answers = Vec::with_capacity(asks.len());
        for (at, ask) in asks.iter().enumerate() {
            let answer = self.get_at_once(call.request_id(), who, ask, || call.clone());
            if answer.is_none() {
                waiting.push((at, ask));
            }
            answers.push(answer.ok_or_else(unanswered));
        }
        if !waiting.is_empty() {
            let asks: Vec<_> = waiting.iter().map(|(_, ask)| *ask).collect();
            let read = Box::pin(self.get_many_in_time(call, who, &asks)).await;
            for ((at, _), answer) in waiting.into_iter().zip(read) {
                answers[at] = answer;
            }
        }
        span.answered_many(&answers);
        answers
    }

    async fn get_many_in_time(&self, call: &Call, who: &Principal, asks: &[&Ask]) -> Vec<Result<Answer>> {
        let learned = self.0.learn_plans(call, who, asks).await;
        let plans: Vec<_> = asks.iter().map(|ask| self.0.plan_allowed(who, ask, &learned)).collect();
        let mut standings = Vec::with_capacity(asks.len());
        for plan in &plans {
            standings.push(match plan {
                Ok((plan, _)) => self.0.standing(call, plan.rules).await,
                Err(_) => Standing::Unjournaled,
            });
        }
        let mut batches: HashMap<Alias, Vec<Led<'_>>> = HashMap::new();
        for (at, (ask, plan)) in asks.iter().zip(&plans).enumerate() {
            if let Ok((plan, _)) = plan
                && let Some(led) = self.lead_in_batch(at, ask, plan, &standings[at])
            {
                batches.entry(plan.candidates[0].mount.alias.clone()).or_default().push(led);
            }
        }
        // A lone read gives its lead back at once: it goes the way of single reads.
        batches.retain(|_, batch| batch.len() > 1);
        let batches = batches.into_values().map(|batch| self.fetch_batch(call, batch));
        let mut outcomes: HashMap<usize, Outcome> =
            futures_util::future::join_all(batches).await.into_iter().flatten().collect();
        let reads: Vec<_> = asks
            .iter()
            .zip(plans)
            .enumerate()
            .map(|(at, (ask, plan))| {
                let fetched = outcomes.remove(&at);
                async move {
                    let access =
                        self.access(call.request_id(), who, Action::Get, ask.name.as_str(), ask.alias.as_ref());
                    let (result, policy) = match plan {
                        Err((error, policy)) => (Err(error), policy),
                        Ok((plan, policy)) => self.read(call, who, ask, &plan, policy, fetched).await,
                    };
                    let result = self.0.ledger.release(&access, result, policy);
                    self.0.count(Operation::Get, &access, result.as_ref());
                    result
                }
            })
            .collect();
        futures_util::stream::iter(reads).buffered(GET_MANY_CONCURRENCY).collect().await
    }

    /// Takes the lead for a read whose first provider has a batch call and has to be asked.
    fn lead_in_batch<'a>(&self, at: usize, ask: &Ask, plan: &'a Plan, standing: &Standing) -> Option<Led<'a>> {
        let Candidate { mount, spelling } = &plan.candidates[0];
        let capabilities = mount.provider.capabilities();
        // A read that may make a secret runs detached, on its own.
        // What depends on a secret's tags is looked at before each of them is read.
        let may_share = mount.reach.tags.is_empty() && !ask.skip_cache && self.0.settings.single_flight;
        let fits = capabilities.batch && !capabilities.leased && may_share;
        if !fits || !self.must_fetch(spelling, plan.rules, standing) {
            return None;
        }
        match self.0.cache.flights.join(spelling) {
            Role::Leader(leader) => Some(Led { at, plan, leader }),
            Role::Follower(_) => None,
        }
    }

    /// One call for all of them. What can't be settled at once (a fence, a lagging replica) is left to a single read:
    /// its leader is dropped, and hands over.
    async fn fetch_batch(&self, call: &Call, batch: Vec<Led<'_>>) -> Vec<(usize, Outcome)> {
        let mount = batch[0].plan.candidates[0].mount.clone();
        let wanted: Vec<_> = batch
            .iter()
            .map(|led| {
                let spelling = &led.plan.candidates[0].spelling;
                (spelling.name.clone(), spelling.selector.clone())
            })
            .collect();
        let attempts: Vec<_> = batch.iter().map(|led| self.attempt(led.plan.rules, false)).collect();
        let answers = mount.provider.get_many(call, &wanted).await;
        let mut outcomes = Vec::with_capacity(batch.len());
        for ((led, attempt), answer) in batch.into_iter().zip(attempts).zip(answers) {
            if let Settled::Done(outcome) = self.settle(call, &led.plan.candidates[0], attempt, answer).await {
                led.leader.land_in_time(call, &outcome);
                outcomes.push((led.at, outcome));
            }
        }
        self.tidy(call);
        outcomes
    }
}

/// Stands in a place of the answers until that is filled.
fn unanswered() -> Error {
    Error::new(ErrorKind::Internal, "the read ended without an outcome; try again")
}
