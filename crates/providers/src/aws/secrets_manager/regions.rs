//! [`Regions`]: where a secret is asked for when its own region does not answer.
//!
//! Secrets Manager keeps replicas of a secret in other regions, under the same name and suffix. Only a value (or what a
//! description says) of a replica counts: that a replica is missing or denied says nothing of the secret. What a replica
//! answers gets the identity of the secret that was asked for, so that a cache holds one entry and not one per region.

use std::borrow::Cow;
use std::sync::Arc;

use lockstep_core::{Call, Error, ErrorKind, Operation, Result, Timeline};
use serde::Serialize;

use super::super::json::JsonClient;
use super::super::region::Region;
use crate::body::Body;
use crate::resting::Resting;

/// The session's region, those with replicas, and which of them failed a moment ago.
pub(super) struct Regions {
    all: Vec<Region>,
    resting: Resting,
}

/// An answer, and whose it is meant to be.
pub(super) struct Answer {
    pub(super) body: Body,
    /// The region that was asked for, if a replica in another one has answered.
    pub(super) instead_of: Option<Region>,
}

impl Regions {
    /// The session's region and those with replicas, in the order in which they are asked.
    ///
    /// # Errors
    /// `Config` when one of them is none, stands there twice, or is one of another partition, where other credentials
    /// hold.
    pub(super) fn new(home: Region, replicas: &[String], timeline: Arc<Timeline>) -> Result<Self> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what));
        let mut all = vec![home];
        for text in replicas {
            let Some(region) = Region::parse(text) else {
                return wrong("one of the AWS regions is none; write them like `eu-west-1`");
            };
            if all.contains(&region) {
                return wrong("one of the AWS regions is there twice; remove one");
            }
            if region.partition() != all[0].partition() {
                return wrong("the AWS regions are of different partitions, where no secret has replicas");
            }
            all.push(region);
        }
        Ok(Self { resting: Resting::new(all.len(), timeline), all })
    }

    /// What tells a provider with these regions from one without: nothing when there is one region.
    pub(super) fn mark(&self) -> String {
        let replicas: Vec<&str> = self.all[1..].iter().map(Region::as_str).collect();
        if replicas.is_empty() { String::new() } else { format!("replicas in {}", replicas.join(", ")) }
    }

    /// The regions to ask for what is at home in this one, those that failed a moment ago last. A region that is not
    /// listed stands alone: nobody said that there are replicas of what it has.
    pub(super) fn order(&self, home: Option<&Region>) -> Vec<Region> {
        let home = home.unwrap_or(&self.all[0]);
        if !self.all.contains(home) {
            return vec![home.clone()];
        }
        let mut order: Vec<(bool, &Region)> = Vec::with_capacity(self.all.len());
        for (region, left) in self.all.iter().zip(self.resting.left()) {
            let entry = (!left.is_zero(), region);
            order.insert(if region == home { 0 } else { order.len() }, entry);
        }
        order.sort_by_key(|(rests, _)| *rests);
        order.into_iter().map(|(_, region)| region.clone()).collect()
    }

    /// Remembers whether a region has answered.
    pub(super) fn note(&self, region: &Region, answered: bool) {
        if let Some(at) = self.all.iter().position(|of| of == region) {
            self.resting.judge(at, answered);
        }
    }

    /// Asks where the secret is at home, and while regions fail, where its replicas are; all within the time of one
    /// call, which is shared out among the regions that are left. `input` makes the request for a region.
    ///
    /// # Errors
    /// That of the home region.
    pub(super) async fn ask<T: Serialize>(
        &self,
        client: &JsonClient,
        call: &Call,
        operation: &'static str,
        home: Option<&Region>,
        input: impl Fn(&Region) -> T,
    ) -> Result<Answer> {
        let order = self.order(home);
        let home = home.unwrap_or(&self.all[0]);
        let whole = logged_in(client, call).await?;
        let mut failure = None;
        for (at, region) in order.iter().enumerate() {
            let part = share(&whole, order.len() - at);
            let answer = client.send(&part, operation, Some(region), &input(region)).await;
            match answer {
                Ok(body) => {
                    self.note(region, true);
                    return Ok(Answer { body, instead_of: (region != home).then(|| home.clone()) });
                }
                // It can end, or be refused, while regions are asked. The next one would find the same.
                Err(error) if error.operation() == Some(Operation::Login) => return Err(error),
                Err(error) => {
                    let goes_on = is_outage(&error);
                    self.note(region, !goes_on);
                    if region == home {
                        failure = Some(error);
                        if !goes_on {
                            break;
                        }
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(ErrorKind::Internal, "no region was asked")))
    }
}

/// The time of one call for all regions, once it is known who asks. A login is the same for every region: it is not cut
/// to the share of one, and that it fails ends the call.
///
/// # Errors
/// Those of the login.
pub(super) async fn logged_in(client: &JsonClient, call: &Call) -> Result<Call> {
    let whole = call.within(client.time());
    client.session().credentials.get(&whole).await?;
    Ok(whole)
}

/// The share of the next region when so many are left, itself among them. One that hangs leaves the others theirs.
pub(super) fn share(whole: &Call, left: usize) -> Call {
    whole.within(whole.remaining() / u32::try_from(left).unwrap_or(u32::MAX).max(1))
}

/// The region, or the way to it, does not work. To be asked too often is an answer: the next region would be next.
pub(super) fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Unavailable)
}

/// The name as it is in this region: the ARN of a replica differs from the secret's in nothing else.
pub(super) fn spelled<'a>(name: &'a str, region: &Region) -> Cow<'a, str> {
    let mut parts: Vec<&str> = name.splitn(5, ':').collect();
    match parts[..] {
        ["arn", _, _, own, _] if own != region.as_str() => {
            parts[3] = region.as_str();
            Cow::Owned(parts.join(":"))
        }
        _ => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests;
