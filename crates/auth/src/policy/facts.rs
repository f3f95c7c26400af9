//! A caller, a secret and the moment, as Cedar has them.
//!
//! Ids and attributes are data: no character in them means anything. A name that can't be a name of a secret is still put
//! before the policies, which find it equal to nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request, Response,
    RestrictedExpression,
};
use lockstep_core::{Action, Claims, Principal, Resource, UnixMillis};
use serde_json::Value;

/// Levels of claims inside claims that are looked at.
const MAX_DEPTH: usize = 4;

pub(super) struct Facts {
    request: Request,
    entities: Entities,
}

impl Facts {
    /// What is known; a word when Cedar does not take it.
    pub(super) fn new(
        who: &Principal,
        action: Action,
        resource: Resource<'_>,
        now: UnixMillis,
    ) -> Result<Self, &'static str> {
        let caller = uid("Caller", &who.id)?;
        let secret = uid("Secret", &format!("{}://{}", resource.provider, resource.name))?;
        let action = uid("Action", action.as_str())?;
        let mut entities = above(resource)?;
        let parents: Vec<EntityUid> = entities.iter().map(Entity::uid).collect();
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let issuer = who.issuer().map(|issuer| ("issuer".to_owned(), text(issuer)));
        let attributes = [("id".to_owned(), text(&who.id)), ("login".to_owned(), text(who.login.as_str()))];
        let attributes = attributes.into_iter().chain(issuer);
        let claims = who.claims.as_deref().map(claims).unwrap_or_default();
        let tags = claims.into_iter().map(|(name, texts)| {
            (name, RestrictedExpression::new_set(texts.into_iter().map(RestrictedExpression::new_string)))
        });
        let refused = |_| "the facts about it are refused";
        entities.push(Entity::new_with_tags(caller.clone(), attributes, [], tags).map_err(refused)?);
        let attributes =
            [("name".to_owned(), text(resource.name)), ("provider".to_owned(), text(resource.provider.as_str()))];
        let tags = resource.tags.into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
        entities.push(Entity::new_with_tags(secret.clone(), attributes, parents, tags).map_err(refused)?);
        let context = context(who, now)?;
        let request = Request::new(caller, action, secret, context, None).map_err(|_| "the request is refused")?;
        let entities = Entities::from_entities(entities, None).map_err(|_| "the facts contradict each other")?;
        Ok(Self { request, entities })
    }

    pub(super) fn ask(&self, cedar: &Authorizer, policies: &PolicySet) -> Response {
        cedar.is_authorized(&self.request, policies, &self.entities)
    }
}

/// The provider, and each prefix of the name that ends before a slash, innermost last.
fn above(resource: Resource<'_>) -> Result<Vec<Entity>, &'static str> {
    let provider = uid("Provider", resource.provider.as_str())?;
    let mut above = provider.clone();
    let mut entities = vec![Entity::new_no_attrs(provider, std::collections::HashSet::new())];
    for (at, _) in resource.name.match_indices('/') {
        let prefix = uid("Prefix", &format!("{}://{}", resource.provider, &resource.name[..at]))?;
        if prefix != above {
            entities.push(Entity::new_no_attrs(prefix.clone(), [above].into()));
            above = prefix;
        }
    }
    Ok(entities)
}

fn context(who: &Principal, now: UnixMillis) -> Result<Context, &'static str> {
    let mut pairs = vec![
        ("now".to_owned(), RestrictedExpression::new_datetime(datetime(now))),
        ("mtls".to_owned(), RestrictedExpression::new_bool(who.mtls)),
    ];
    if let Some(address) = who.peer.as_deref().and_then(ip) {
        pairs.push(("address".to_owned(), RestrictedExpression::new_ip(address.to_string())));
    }
    Context::from_pairs(pairs).map_err(|_| "the context is refused")
}

/// As Cedar reads it: with three digits of a second, always.
fn datetime(now: UnixMillis) -> String {
    let whole = UnixMillis(now.0 - now.0 % 1000).to_rfc3339();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), now.0 % 1000)
}

fn ip(peer: &str) -> Option<IpAddr> {
    let socket = peer.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| peer.parse::<IpAddr>()).ok().map(|ip| ip.to_canonical())
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, &'static str> {
    let kind: EntityTypeName = kind.parse().map_err(|_| "a kind of Cedar's has another name")?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// Claims as sets of texts. What is inside another claim goes by both names with a slash between them, unless a claim has
/// that very name itself.
fn claims(claims: &Claims) -> HashMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<usize, Vec<(String, BTreeSet<String>)>> = BTreeMap::new();
    flatten(claims, "", 0, &mut found);
    let mut all = HashMap::new();
    for (name, texts) in found.into_values().flatten() {
        all.entry(name).or_insert(texts);
    }
    all
}

fn flatten(claims: &Claims, above: &str, depth: usize, found: &mut BTreeMap<usize, Vec<(String, BTreeSet<String>)>>) {
    for (name, value) in claims {
        let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        match value {
            Value::Object(inner) if depth + 1 < MAX_DEPTH => flatten(inner, &name, depth + 1, found),
            Value::Array(items) => {
                let texts = items.iter().filter_map(text).collect();
                found.entry(depth).or_default().push((name, texts));
            }
            one => {
                if let Some(text) = text(one) {
                    found.entry(depth).or_default().push((name, [text].into()));
                }
            }
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: leave the zeros out, as RFC 3339 may.
    #[test]
    fn a_moment_has_three_digits_of_a_second() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_790_000_000_010, "2026-09-21T14:13:20.010Z"),
            (1_790_000_000_100, "2026-09-21T14:13:20.100Z"),
            (1_790_000_000_116, "2026-09-21T14:13:20.116Z"),
        ] {
            assert_eq!(datetime(UnixMillis(millis)), text);
        }
    }
}
