//! The plan: what was asked for, turned into candidates in the order in which they are asked.
//!
//! It looks at names alone. Nothing is called, and nothing is decided about rights.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::Spelling;
use crate::{
    Alias, Ask, Error, ErrorKind, Fallback, MAX_SELECTOR_BYTES, Mount, Pattern, Result, Route, SecretName, Selector,
    Ttl,
};

/// Routes and mounts, checked.
pub(crate) struct Planner {
    mounts: Vec<Arc<Mount>>,
    routes: Vec<Planned>,
}

struct Planned {
    pattern: Pattern,
    mounts: Vec<Arc<Mount>>,
    rules: Rules,
}

/// What a route says about the names that it matches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub ttl: Option<Ttl>,
    pub max_staleness: Option<Duration>,
    pub fallback: Fallback,
}

/// Who is asked for what, in order.
pub(crate) struct Plan {
    pub candidates: Vec<Candidate>,
    pub rules: Rules,
}

/// One provider to ask, and the name and version to ask it for.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub mount: Arc<Mount>,
    pub spelling: Spelling,
}

impl Planner {
    pub(crate) fn new(mounts: Vec<Mount>, routes: &[Route]) -> Result<Self> {
        let mounts: Vec<_> = mounts.into_iter().map(Arc::new).collect();
        for (at, mount) in mounts.iter().enumerate() {
            if mounts[..at].iter().any(|other| other.alias == mount.alias) {
                return Err(config(format!("two providers are called `{}`; give one another alias", mount.alias)));
            }
        }
        let routes = routes
            .iter()
            .map(|route| {
                let pattern = Pattern::parse(&route.pattern)
                    .map_err(|error| config(format!("the route `{}` has a bad pattern: {error}", route.pattern)))?;
                let mounts = route
                    .providers
                    .iter()
                    .map(|alias| {
                        find(&mounts, alias).cloned().ok_or_else(|| {
                            config(format!("the route `{}` names `{alias}`, which is no provider", route.pattern))
                        })
                    })
                    .collect::<Result<Vec<_>>>()?;
                if mounts.is_empty() {
                    return Err(config(format!("the route `{}` names no provider", route.pattern)));
                }
                let rules = Rules { ttl: route.ttl, max_staleness: route.max_staleness, fallback: route.fallback };
                Ok(Planned { pattern, mounts, rules })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { mounts, routes })
    }

    pub(crate) fn mounts(&self) -> &[Arc<Mount>] {
        &self.mounts
    }

    /// The one provider that names without an alias come to. A provider that no route leads to does not count.
    pub(crate) fn only(&self) -> Option<&Arc<Mount>> {
        if let [only] = &self.mounts[..] {
            return Some(only);
        }
        let mut routed = self.routes.iter().flat_map(|route| &route.mounts);
        let first = routed.next()?;
        routed.all(|mount| Arc::ptr_eq(mount, first)).then_some(first)
    }

    /// The candidates for one ask.
    pub(crate) fn plan(&self, ask: &Ask) -> Result<Plan> {
        let (mounts, rules) = self.mounts_for(ask.alias.as_ref(), &ask.name)?;
        let candidates = mounts
            .iter()
            .map(|mount| {
                let selector = classify(mount, ask.selector.as_deref())?;
                let name = mount.named(&ask.name)?.into_owned();
                let spelling = Spelling { alias: mount.alias.clone(), name, selector };
                Ok(Candidate { mount: mount.clone(), spelling })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Plan { candidates, rules })
    }

    /// The providers for a name: the one asked for, or those of the first route that matches, or the only one there is.
    /// A provider asked for keeps the rules of the route that has it.
    pub(crate) fn mounts_for(&self, alias: Option<&Alias>, name: &SecretName) -> Result<(&[Arc<Mount>], Rules)> {
        let route = self.routes.iter().find(|route| route.pattern.matches(name.as_str()));
        if let Some(alias) = alias {
            let rules =
                route.filter(|r| r.mounts.iter().any(|m| m.alias == *alias)).map(|r| r.rules).unwrap_or_default();
            return Ok((std::slice::from_ref(self.mount(alias)?), rules));
        }
        match (route, &self.mounts[..]) {
            (Some(route), _) => Ok((&route.mounts, route.rules)),
            (None, mounts @ [_]) => Ok((mounts, Rules::default())),
            (None, _) => {
                let message = "no route matches the name; add a route, or name the provider as in `alias://name`";
                Err(Error::new(ErrorKind::InvalidReference, message).on(name))
            }
        }
    }

    /// The provider of this alias.
    pub(crate) fn mount(&self, alias: &Alias) -> Result<&Arc<Mount>> {
        find(&self.mounts, alias).ok_or_else(|| {
            let known: Vec<_> = self.mounts.iter().map(|mount| mount.alias.as_str()).collect();
            let message = format!("there is no provider `{alias}`; the configuration has {}", known.join(", "));
            Error::new(ErrorKind::InvalidReference, message)
        })
    }
}

fn find<'a>(mounts: &'a [Arc<Mount>], alias: &Alias) -> Option<&'a Arc<Mount>> {
    mounts.iter().find(|mount| mount.alias == *alias)
}

pub(crate) fn classify(mount: &Mount, text: Option<&str>) -> Result<Selector> {
    match text {
        None | Some("" | "current") => Ok(Selector::Current),
        Some("previous") => Ok(Selector::Previous),
        Some(text) if text.len() > MAX_SELECTOR_BYTES || text.chars().any(char::is_control) => {
            let message = format!("a version is at most {MAX_SELECTOR_BYTES} bytes of text without control characters");
            Err(Error::new(ErrorKind::InvalidReference, message))
        }
        Some(text) => mount.provider.selector(text),
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
