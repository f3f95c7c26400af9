//! What needs no cached value: metadata, versions, lists, rotation, invalidation and checks. Each goes the same way:
//! authorize, ask, record.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Described, Invalidation, Resolver};
use crate::target::Target;
use crate::{
    Action, Alias, Call, Error, ErrorKind, Filter, Metadata, Mount, Operation, Page, Paged, Principal, Result,
    Rotation, SecretName, VersionInfo,
};

impl Resolver {
    /// Reads metadata.
    pub async fn describe(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
    ) -> Result<Described> {
        self.on_first(
            call,
            who,
            Action::Describe,
            (alias, name),
            |call, mount, name| {
                Box::pin(async move {
                    let metadata = mount.provider.describe(call, name).await?;
                    Ok(Described { provider: mount.alias.clone(), metadata })
                })
            },
            |described: &Described| Some(described.metadata.name.clone()),
        )
        .await
    }

    /// Lists versions.
    pub async fn versions(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
        page: Page,
    ) -> Result<Paged<VersionInfo>> {
        self.on_first(
            call,
            who,
            Action::Describe,
            (alias, name),
            |call, mount, name| mount.provider.versions(call, name, page.clone()),
            |_| None,
        )
        .await
    }

    /// Asks the provider to rotate, and drops what is cached of the secret.
    pub async fn rotate(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
    ) -> Result<Rotation> {
        let span = call.access_span("secrets.rotate");
        let rotated = self
            .on_first(
                span.of(call),
                who,
                Action::Rotate,
                (alias, name),
                |call, mount, name| mount.provider.rotate(call, name),
                |_| None,
            )
            .await;
        span.ended(&rotated);
        let rotated = rotated?;
        let mounts = self.0.planner.mounts().iter().filter(|mount| alias.is_none_or(|alias| mount.alias == *alias));
        for mount in mounts {
            // What a template can't make a name of is not held under one.
            if let Ok(what) = Invalidation::Name(name.clone()).at(mount) {
                self.0.drop_matching(who, mount, &what);
            }
        }
        Ok(rotated)
    }

    /// Lists secrets of one provider. What the caller may not see is left out; the page token still moves on.
    pub async fn list(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        prefix: &str,
        filter: &Filter,
        page: Page,
    ) -> Result<Paged<Described>> {
        let span = call.access_span("secrets.list");
        let call = span.of(call);
        let access = self.access(call.request_id(), who, Action::List, prefix, alias);
        let (mount, prefix, policy) = match self.listed_mount(alias).map_err(|error| (error, None)).and_then(|mount| {
            let prefix = mount.template.as_ref().map_or(Cow::Borrowed(prefix), |made| Cow::Owned(made.prefix(prefix)));
            let policy = self.0.allow(who, Action::List, mount, &prefix)?;
            Ok((mount, prefix, policy))
        }) {
            Ok(found) => found,
            Err((error, policy)) => {
                let refused = self.0.ledger.record(&access, Err(error.during(Operation::List)), policy);
                span.ended(&refused);
                return refused;
            }
        };
        let filter = Filter { tags: filter.tags.iter().chain(&mount.reach.tags).cloned().collect() };
        let result = match mount.provider.list(call, &prefix, &filter, page).await {
            Ok(listed) => Ok(self.shown(call, who, mount, listed).await),
            Err(error) => Err(error),
        };
        let result = self.0.ledger.record(&access, result, Some(policy));
        span.ended(&result);
        result
    }

    /// What of a list the caller may see.
    async fn shown(
        &self,
        call: &Call,
        who: &Principal,
        mount: &Arc<Mount>,
        listed: Paged<Metadata>,
    ) -> Paged<Described> {
        let learned = self.0.learn_listed(call, who, mount, &listed.items).await;
        let shown = |mut metadata: Metadata| {
            self.0.allow_learned(who, Action::Describe, mount, &metadata.name, &learned).ok()?;
            if let Some(template) = &mount.template {
                // It goes by the name that it can be asked for.
                metadata.name = template.key(metadata.name.as_str())?;
            }
            Some(Described { provider: mount.alias.clone(), metadata })
        };
        Paged { items: listed.items.into_iter().filter_map(shown).collect(), next: listed.next }
    }

    /// Drops what is cached, and what is being fetched right now. Says how many entries went.
    pub fn invalidate(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        what: &Invalidation,
    ) -> Result<usize> {
        let (Invalidation::Name(name) | Invalidation::Prefix(name)) = what;
        let access = self.access(call.request_id(), who, Action::Invalidate, name.as_str(), alias);
        let mounts = self.0.planner.mounts();
        let named = || mounts.iter().filter(|mount| alias.is_none_or(|alias| mount.alias == *alias));
        if named().next().is_none() {
            let unknown = Error::new(ErrorKind::InvalidReference, "there is no provider of this alias");
            return self.0.ledger.record(&access, Err(unknown.during(Operation::Invalidate)), None);
        }
        let (mut policy, mut asked, mut unnamed) = (None, Vec::new(), None);
        let allowed = named().try_for_each(|mount| {
            match what.at(mount) {
                Ok(what) => {
                    let (Invalidation::Name(name) | Invalidation::Prefix(name)) = &what;
                    policy = Some(self.0.allow(who, Action::Invalidate, mount, name.as_str())?);
                    asked.push((mount, what));
                }
                // What a template can't make a name of is not held under one.
                Err(error) => unnamed = Some(error),
            }
            Ok(())
        });
        let allowed = match unnamed {
            Some(error) if asked.is_empty() => allowed.and(Err((error, None))),
            _ => allowed,
        };
        if let Err((error, policy)) = allowed {
            return self.0.ledger.record(&access, Err(error.during(Operation::Invalidate)), policy);
        }
        let dropped = asked.iter().map(|(mount, what)| self.0.drop_matching(who, mount, what)).sum();
        self.tidy(call);
        self.0.ledger.record(&access, Ok(dropped), policy)
    }

    /// Asks every provider whether it answers.
    pub async fn check(&self, call: &Call) -> Vec<(Alias, Result<()>)> {
        let checks = self
            .0
            .planner
            .mounts()
            .iter()
            .map(|mount| async { (mount.alias.clone(), mount.provider.check(call).await) });
        futures_util::future::join_all(checks).await
    }

    /// Authorizes, goes along the providers of the name like a read does, and records. `answered` is the name that the
    /// answer is about, where it says one: rights are asked for once more before it is released.
    ///
    /// `ask` answers a boxed future: through an async closure the compiler can't see that what holds it is `Send`, and
    /// every front door needs that.
    async fn on_first<T>(
        &self,
        call: &Call,
        who: &Principal,
        action: Action,
        (alias, name): (Option<&Alias>, &SecretName),
        ask: impl for<'c> Fn(&'c Call, &'c Mount, &'c SecretName) -> BoxFuture<'c, Result<T>>,
        answered: impl Fn(&T) -> Option<SecretName>,
    ) -> Result<T> {
        let access = self.access(call.request_id(), who, action, name.as_str(), alias);
        let mounts = match self.0.planner.mounts_for(alias, name) {
            Ok((mounts, _)) => mounts,
            Err(error) => return self.0.ledger.record(&access, Err(error), None),
        };
        let mut policy = None;
        let named = mounts.iter().filter_map(|mount| Some((mount, mount.named(name).ok()?.into_owned())));
        let learned = self.0.learn(call, who, action, named).await;
        for mount in mounts {
            let allowed = match mount.named(name) {
                Ok(name) if learned.is_absent(mount, &name) => continue,
                Ok(name) => self.0.allow_learned(who, action, mount, &name, &learned),
                Err(error) => Err((error, None)),
            };
            match allowed {
                Ok(by) => policy = Some(by),
                Err((error, by)) => return self.0.ledger.record(&access, Err(error.on(name)), by),
            }
        }
        // A rotation is asked of one provider only: the first, or the one named.
        let asked = if action == Action::Rotate { &mounts[..1] } else { mounts };
        let mut failed: Option<Error> = None;
        for mount in asked {
            let asked = async {
                let name = mount.named(name)?;
                if learned.is_absent(mount, &name) {
                    return Err(Error::new(ErrorKind::NotFound, "there is no such secret").on(&name));
                }
                self.0.within(call, mount, &name).await?;
                ask(call, mount, &name).await
            };
            match asked.await {
                Ok(value) => {
                    let allowed = match answered(&value) {
                        Some(name) => {
                            let learned = self.0.learn(call, who, action, [(mount, name.clone())]).await;
                            self.0.allow_learned(who, action, mount, &name, &learned).map(Some)
                        }
                        None => Ok(policy),
                    };
                    return match allowed {
                        Ok(policy) => self.0.ledger.record(&access, Ok(value), policy),
                        Err((error, policy)) => self.0.ledger.record(&access, Err(error), policy),
                    };
                }
                Err(error) if error.kind() == ErrorKind::NotFound || error.is_transient() => {
                    // What could not be asked weighs more than what was not found.
                    if failed.as_ref().is_none_or(|before| !before.is_transient() && error.is_transient()) {
                        failed = Some(error);
                    }
                }
                Err(error) => return self.0.ledger.record(&access, Err(error), policy),
            }
        }
        let error = failed.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the plan has no provider"));
        self.0.ledger.record(&access, Err(error), policy)
    }

    fn listed_mount(&self, alias: Option<&Alias>) -> Result<&Arc<Mount>> {
        if let Some(alias) = alias {
            return self.0.planner.mount(alias);
        }
        self.0.planner.only().ok_or_else(|| {
            let known: Vec<_> = self.0.planner.mounts().iter().map(|mount| mount.alias.as_str()).collect();
            let message = format!(
                "a list is of one provider, and there are {}; name one: `{first}://` on the command line, \
                 `provider={first}` over HTTP",
                known.join(", "),
                first = known.first().copied().unwrap_or("alias"),
            );
            Error::new(ErrorKind::InvalidReference, message)
        })
    }
}

impl super::Inner {
    /// Drops what `who` may invalidate of it.
    fn drop_matching(&self, who: &Principal, mount: &Mount, what: &Invalidation) -> usize {
        let target = Target::invalidation(Some(&mount.alias), what);
        // The fence first: a fetch that lands in between is refused, not kept.
        self.cache.fence.raise(target.clone());
        // The right to a name is no right to all that begins like it.
        let may = |name: &SecretName| match what {
            Invalidation::Name(_) => true,
            Invalidation::Prefix(_) => self.allow(who, Action::Invalidate, mount, name.as_str()).is_ok(),
        };
        self.cache.remove_matching(&target, may)
    }
}
