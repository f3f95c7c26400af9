//! Many parameters in one call: `GetParameters`, ten at a time, versions and labels included.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;
use lockstep_core::{
    Call, Error, ErrorKind, GET_MANY_CONCURRENCY, Operation, Provider, Result, Secret, SecretName, Selector,
};

use super::super::region::Region;
use super::wire::{GetParameters, ManyParameters, Parameter};
use super::{ParameterStore, checked, region_of, spelled};

/// Names in one call.
const SIZE: usize = 10;

/// One that is asked for.
struct Item<'a> {
    at: usize,
    name: &'a SecretName,
    selector: &'a Selector,
    spelled: String,
}

pub(super) async fn get_many(
    provider: &ParameterStore,
    call: &Call,
    wanted: &[(SecretName, Selector)],
) -> Vec<Result<Secret>> {
    let mut answers: Vec<Option<Result<Secret>>> = wanted.iter().map(|_| None).collect();
    let mut was_denied = false;
    for (region, group) in groups(provider, wanted) {
        for chunk in group.chunks(SIZE) {
            // One alone is read with the one permission that everyone has.
            if chunk.len() > 1 && !provider.batch_denied.load(Ordering::Acquire) {
                was_denied |= read_chunk(provider, call, region.as_ref(), chunk, &mut answers).await;
            }
        }
    }
    let rest: Vec<usize> = (0..wanted.len()).filter(|at| answers[*at].is_none()).collect();
    let reads = rest.iter().map(|at| provider.get(call, &wanted[*at].0, &wanted[*at].1)).collect::<Vec<_>>();
    let reads = stream::iter(reads).buffered(GET_MANY_CONCURRENCY).collect::<Vec<_>>().await;
    // One name that is denied denies the whole call. Only when no single read is, it was the call itself.
    if was_denied && reads.iter().all(Result::is_ok) {
        provider.batch_denied.store(true, Ordering::Release);
    }
    let mut reads = reads.into_iter();
    let missing = || Err(Error::new(ErrorKind::Internal, "a read of many values lost one"));
    answers.into_iter().map(|answer| answer.or_else(|| reads.next()).unwrap_or_else(missing)).collect()
}

/// What can be asked for in one call, by region. Wrong names, and the previous version, whose number has to be asked
/// first, are left to the single read.
fn groups<'a>(
    provider: &ParameterStore,
    wanted: &'a [(SecretName, Selector)],
) -> impl Iterator<Item = (Option<Region>, Vec<Item<'a>>)> {
    let home = provider.client.session().region.clone();
    let mut groups: BTreeMap<String, (Option<Region>, Vec<Item<'a>>)> = BTreeMap::new();
    for (at, (name, selector)) in wanted.iter().enumerate() {
        if *selector == Selector::Previous {
            continue;
        }
        let Ok(region) = region_of(name) else { continue };
        let key = region.as_ref().unwrap_or(&home).as_str().to_owned();
        let item = Item { at, name, selector, spelled: spelled(name, selector) };
        groups.entry(key).or_insert_with(|| (region, Vec::new())).1.push(item);
    }
    groups.into_values()
}

/// Reads one chunk; true when AWS denies it. What it can't tell stays open, for a single read.
async fn read_chunk(
    provider: &ParameterStore,
    call: &Call,
    region: Option<&Region>,
    chunk: &[Item<'_>],
    answers: &mut [Option<Result<Secret>>],
) -> bool {
    let mut names: Vec<&str> = chunk.iter().map(|item| &*item.spelled).collect();
    names.sort_unstable();
    names.dedup();
    let input = GetParameters { names, with_decryption: provider.decrypt };
    let read = async {
        let body = provider.client.send(call, "GetParameters", region, &input).await?;
        take(provider, &body.json()?, chunk, answers);
        Ok::<_, Error>(())
    };
    let Err(error) = read.await else { return false };
    match error.kind() {
        ErrorKind::Denied => return true,
        // One wrong name refuses the whole call; the single read says which.
        ErrorKind::InvalidName | ErrorKind::Decrypt | ErrorKind::VersionNotFound | ErrorKind::TooLarge => {}
        _ => {
            for item in chunk {
                answers[item.at].get_or_insert_with(|| Err(error.clone().during(Operation::GetMany).on(item.name)));
            }
        }
    }
    false
}

/// Takes the answer over. It is sorted by AWS, and a name comes back without its selector.
fn take(
    provider: &ParameterStore,
    answer: &ManyParameters<'_>,
    chunk: &[Item<'_>],
    answers: &mut [Option<Result<Secret>>],
) {
    for item in chunk {
        if let Some(parameter) = answer.parameters.iter().find(|parameter| is_asked_for(parameter, item)) {
            let secret = checked(parameter, item.selector, &provider.scope);
            answers[item.at] = Some(secret.map_err(|error| error.during(Operation::GetMany).on(item.name)));
        } else if *item.selector == Selector::Current && answer.invalid_parameters.contains(&item.spelled) {
            let error = Error::new(ErrorKind::NotFound, "there is no such parameter in this account and region");
            let error = error.upstream("ParameterNotFound", 400);
            answers[item.at] = Some(Err(error.during(Operation::GetMany).on(item.name)));
        }
    }
}

fn is_asked_for(parameter: &Parameter<'_>, item: &Item<'_>) -> bool {
    let name = item.name.as_str();
    let selector = parameter.selector.as_deref().map(|text| text.trim_start_matches(':'));
    let of_version = match item.selector {
        Selector::Current | Selector::Previous => selector.is_none(),
        Selector::Id(text) | Selector::Label(text) => selector == Some(&**text),
    };
    of_version && (parameter.name == name || parameter.arn.as_deref() == Some(name))
}
