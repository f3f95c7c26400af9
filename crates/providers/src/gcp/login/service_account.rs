//! A service account with a key: a token that is signed here (AIP-4111), or one that an assertion is exchanged for
//! (RFC 7523, section 2.1).

use std::time::Duration;

use lockstep_core::{Call, Result, SecretValue, SignatureAlgorithm};
use serde_json::{Map, Value, json};

use super::super::hosts::Hosts;
use super::{GOOGLE, Key, SCOPE};
use crate::Ports;
use crate::jwt::signed;
use crate::login::{End, Granted};
use crate::oauth::{TokenEndpoint, shown};

/// The longest that Google lets a signed token live, in seconds.
const LIFETIME: u64 = 3600;
/// A clock that is ahead by less than this, in seconds, makes no token from the future.
const SLACK: u64 = 10;
/// The audience of an assertion, wherever it is sent.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// A token that asks nobody. It has a scope instead of an audience, so that it fits every host of Secret Manager.
pub(super) async fn sign(ports: &Ports, call: &Call, key: &Key) -> Result<Granted<SecretValue>> {
    let credential = token(ports, call, key, json!({ "sub": key.email, "scope": SCOPE })).await?;
    Ok(Granted { credential, end: End::In(Duration::from_secs(LIFETIME - SLACK)), beyond: None })
}

/// A token of Google's for an assertion.
pub(super) async fn exchange(ports: &Ports, hosts: &Hosts, call: &Call, key: &Key) -> Result<Granted<SecretValue>> {
    let uri = hosts.oauth(key.token_uri.as_deref())?;
    let assertion = token(ports, call, key, json!({ "aud": AUDIENCE, "scope": SCOPE })).await?;
    let endpoint = TokenEndpoint { who: GOOGLE, transport: &*ports.transport, uri };
    let fields =
        [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", shown(&assertion, "assertion")?)];
    endpoint.token(call, &fields).await
}

async fn token(ports: &Ports, call: &Call, key: &Key, mut claims: Value) -> Result<SecretValue> {
    let issued = call.clock().wall().seconds().saturating_sub(SLACK);
    claims["iss"] = json!(key.email);
    claims["iat"] = json!(issued);
    claims["exp"] = json!(issued + LIFETIME);
    let header = Map::from_iter([("kid".to_owned(), json!(key.id))]);
    signed(&*ports.signer, &key.private, SignatureAlgorithm::Rs256, header, &claims).await
}
