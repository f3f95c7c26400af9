//! Many values in one call.
//!
//! `BatchGetSecretValue` reads current versions only, 20 at a time, and is a permission of its own: once it is denied,
//! values are read one by one.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;
use lockstep_core::{
    Call, Error, ErrorKind, GET_MANY_CONCURRENCY, Operation, Provider, Result, Secret, SecretName, Selector,
};

use super::super::endpoint::Service;
use super::super::errors::verdict;
use super::super::region::Region;
use super::regions::spelled;
use super::wire::{Batch, BatchGetSecretValue};
use super::{SecretsManager, region_of};

/// Ids in one call.
const SIZE: usize = 20;

/// Values asked for, and where in the answer each one stands.
type Wanted<'a> = Vec<(usize, &'a SecretName)>;

pub(super) async fn get_many(
    provider: &SecretsManager,
    call: &Call,
    wanted: &[(SecretName, Selector)],
) -> Vec<Result<Secret>> {
    let mut answers: Vec<Option<Result<Secret>>> = wanted.iter().map(|_| None).collect();
    for (region, group) in groups(provider, wanted) {
        for chunk in group.chunks(SIZE) {
            // One alone is read with the one permission that everyone has.
            if chunk.len() > 1 && !provider.batch_denied.load(Ordering::Acquire) {
                read_chunk(provider, call, region.as_ref(), chunk, &mut answers).await;
            }
        }
    }
    let rest: Vec<usize> = (0..wanted.len()).filter(|at| answers[*at].is_none()).collect();
    let reads = rest.iter().map(|at| provider.get(call, &wanted[*at].0, &wanted[*at].1)).collect::<Vec<_>>();
    let mut reads = stream::iter(reads).buffered(GET_MANY_CONCURRENCY).collect::<Vec<_>>().await.into_iter();
    let missing = || Err(Error::new(ErrorKind::Internal, "a read of many values lost one"));
    answers.into_iter().map(|answer| answer.or_else(|| reads.next()).unwrap_or_else(missing)).collect()
}

/// Current versions by region. Names that are wrong are left to the single read, which says why.
fn groups<'a>(
    provider: &SecretsManager,
    wanted: &'a [(SecretName, Selector)],
) -> impl Iterator<Item = (Option<Region>, Wanted<'a>)> {
    let home = provider.client.session().region.clone();
    let mut groups: BTreeMap<String, (Option<Region>, Wanted<'a>)> = BTreeMap::new();
    for (at, (name, selector)) in wanted.iter().enumerate() {
        if *selector != Selector::Current {
            continue;
        }
        let Ok(region) = region_of(name) else { continue };
        let key = region.as_ref().unwrap_or(&home).as_str().to_owned();
        groups.entry(key).or_insert_with(|| (region, Vec::new())).1.push((at, name));
    }
    groups.into_values()
}

/// Reads one chunk. What it can't tell stays open, for a single read.
async fn read_chunk(
    provider: &SecretsManager,
    call: &Call,
    region: Option<&Region>,
    chunk: &[(usize, &SecretName)],
    answers: &mut [Option<Result<Secret>>],
) {
    let mut ids: Vec<&str> = chunk.iter().map(|(_, name)| name.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut next_token: Option<String> = None;
    // Each page has one value at least, or the chunk is done.
    for _ in 0..ids.len() {
        let token = next_token.take();
        let input = |region: &Region| BatchGetSecretValue {
            secret_id_list: ids.iter().map(|id| spelled(id, region)).collect(),
            next_token: token.as_deref(),
        };
        let page = async {
            let ask = provider.regions.ask(&provider.client, call, "BatchGetSecretValue", region, input);
            let answer = ask.await?;
            let mut page: Batch<'_> = answer.body.json()?;
            if answer.instead_of.is_some() {
                // That a replica is missing says nothing of the secret: the single read asks on. So it does for what
                // is on another page, whose token is good in that region alone.
                page.errors.clear();
                page.next_token = None;
            }
            page.secret_values.iter_mut().for_each(|entry| entry.stands_for(answer.instead_of.as_ref()));
            Ok::<_, Error>(take(provider, &page, chunk, answers))
        };
        match page.await {
            Ok(Some(token)) => next_token = Some(token),
            Ok(None) => return,
            Err(error) if error.kind() == ErrorKind::Denied => {
                provider.batch_denied.store(true, Ordering::Release);
                return;
            }
            // Twenty values of 64 KiB can be more than one answer may have.
            Err(error) if error.kind() == ErrorKind::TooLarge => return,
            Err(error) => {
                for (at, name) in chunk {
                    answers[*at].get_or_insert_with(|| Err(error.clone().during(Operation::GetMany).on(name)));
                }
                return;
            }
        }
    }
}

/// Takes one page's values and errors over. AWS promises no order, and an id may be a name or an ARN.
fn take(
    provider: &SecretsManager,
    page: &Batch<'_>,
    chunk: &[(usize, &SecretName)],
    answers: &mut [Option<Result<Secret>>],
) -> Option<String> {
    for (at, name) in chunk {
        if answers[*at].is_some() {
            continue;
        }
        if let Some(entry) = page.secret_values.iter().find(|entry| entry.answers(name.as_str())) {
            answers[*at] = Some(entry.secret(&provider.scope));
        } else if let Some(error) = page.errors.iter().find(|error| error.secret_id == name.as_str()) {
            // This code has several meanings, and the single read tells them apart.
            if error.error_code != "InvalidRequestException" {
                let error = verdict(Service::SecretsManager, &error.error_code, &error.message, 400, None).error;
                answers[*at] = Some(Err(error.during(Operation::GetMany).on(name)));
            }
        }
    }
    page.next_token.clone()
}
