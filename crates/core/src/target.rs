//! [`Target`]: which secrets an invalidation or a Change is about. The one place that says when a name in a
//! notification means a secret that we hold.

use crate::{Alias, Change, ChangedName, Invalidation, Scope, Secret, SecretName, Source};

/// Which secrets are meant.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    alias: Option<Alias>,
    source: Source,
    names: Names,
}

#[derive(Debug, Clone)]
enum Names {
    All,
    One(Box<str>),
    Under(Box<str>),
}

impl Target {
    /// Every secret of every provider.
    pub(crate) fn everything() -> Self {
        Self { alias: None, source: Source::default(), names: Names::All }
    }

    /// What an operator wants dropped.
    pub(crate) fn invalidation(alias: Option<&Alias>, what: &Invalidation) -> Self {
        let names = match what {
            Invalidation::Name(name) => Names::One(name.as_str().into()),
            Invalidation::Prefix(prefix) => Names::Under(prefix.as_str().into()),
        };
        Self { alias: alias.cloned(), source: Source::default(), names }
    }

    /// The secret that a Change names.
    pub(crate) fn change(change: &Change) -> Self {
        let names = match &change.name {
            ChangedName::All => Names::All,
            ChangedName::One(name) => Names::One(name.clone()),
        };
        Self { alias: None, source: change.source.clone(), names }
    }

    /// Whether it names one secret, and not a set of them.
    pub(crate) fn names_one(&self) -> bool {
        matches!(self.names, Names::One(_))
    }

    /// Whether it means this secret, by its canonical or friendly name or as it was asked for.
    pub(crate) fn matches(&self, alias: &Alias, secret: &Secret, asked: Option<&SecretName>) -> bool {
        let known = [secret.id.name.as_str(), secret.name.as_str()];
        self.matches_name(alias, &secret.id.scope, &known)
            || asked.is_some_and(|asked| self.matches_name(alias, &secret.id.scope, &[asked.as_str()]))
    }

    /// The same for a target that names no alias, as that of a Change does not.
    pub(crate) fn matches_any_alias(&self, secret: &Secret) -> bool {
        self.alias.is_none() && self.fits(&secret.id.scope, &[secret.id.name.as_str(), secret.name.as_str()])
    }

    /// Whether it means a secret of this scope that goes by one of these names.
    pub(crate) fn matches_name(&self, alias: &Alias, scope: &Scope, names: &[&str]) -> bool {
        self.alias.as_ref().is_none_or(|wanted| wanted == alias) && self.fits(scope, names)
    }

    fn fits(&self, scope: &Scope, names: &[&str]) -> bool {
        let parts = scope.parts();
        // An empty side is unknown, and what is unknown is not told apart: one refetch too many does no harm.
        let fits = |wanted: &str, held: &str| wanted.is_empty() || held.is_empty() || wanted == held;
        fits(&self.source.provider, &parts.provider)
            && fits(&self.source.account, &parts.account)
            && fits(&self.source.region, &parts.region)
            && match &self.names {
                Names::All => true,
                Names::One(wanted) => names.contains(&&**wanted),
                Names::Under(prefix) => names.iter().any(|name| {
                    name.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                }),
            }
    }
}
