//! Entra's token endpoint: client credentials with a secret, with a signed assertion, and with the token of a workload.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use rustls::pki_types::alg_id;
use serde_json::{Value, json};

use super::state::{State, Token};
use super::wire::{Query, answer, refused};
use super::{CLIENT_ID, TENANT, registered};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest that an assertion may live.
const ASSERTION_SECONDS: f64 = 86_400.0;
/// How long a token lives.
const TOKEN_SECONDS: u64 = 3599;
/// How far the clocks of two hosts may differ.
const SKEW: f64 = 300.0;

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn discovery(state: &State, path: &str) -> Response<Bytes> {
    let tenant = path.split('/').nth(1).unwrap_or_default();
    if tenant != TENANT {
        return refused(400, "invalid_tenant", 90002, "there is no such tenant");
    }
    let base = format!("{}/{tenant}", state.login_url);
    let body = json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
    });
    answer(200, &body)
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(super) fn token(state: &mut State, now: u64, request: &Request<Bytes>) -> Response<Bytes> {
    let is_form = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    if request.method() != http::Method::POST
        || !is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        || request.uri().query().is_some()
    {
        return refused(400, "invalid_request", 900_144, "a form has to be posted");
    }
    let path = request.uri().path();
    let tenant = path.trim_start_matches('/').trim_end_matches("/oauth2/v2.0/token");
    if tenant != TENANT {
        return refused(400, "invalid_request", 90002, "there is no such tenant");
    }
    let Some(form) = std::str::from_utf8(request.body()).ok().and_then(|text| Query::parse(text).ok()) else {
        return refused(400, "invalid_request", 900_144, "the form can't be read");
    };
    if form.get("grant_type") != Some("client_credentials") {
        return refused(400, "unsupported_grant_type", 70003, "the grant is not known");
    }
    if form.get("client_id") != Some(CLIENT_ID) {
        return refused(400, "unauthorized_client", 700_016, "there is no such application");
    }
    let Some(resource) = form.get("scope").and_then(|scope| scope.strip_suffix("/.default")) else {
        return refused(400, "invalid_scope", 1_002_012, "a scope of client credentials ends in /.default");
    };
    if !resource.starts_with("https://") {
        return refused(400, "invalid_scope", 70011, "there is no such resource");
    }
    let claims = form.get("claims").map(str::to_owned);
    if claims.as_deref().is_some_and(|text| serde_json::from_str::<Value>(text).is_err()) {
        return refused(400, "invalid_request", 50154, "the claims are no JSON");
    }
    let endpoint = format!("{}{path}", state.login_url);
    let shown = match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), None) if secret == state.client_secret => Ok(()),
        (Some(_), None) => Err((7_000_215, "the client secret is not valid")),
        (None, Some(_)) if form.get("client_assertion_type") != Some(ASSERTION_TYPE) => {
            Err((50027, "the kind of the assertion is not known"))
        }
        (None, Some(text)) if text == state.federated_token => Ok(()),
        (None, Some(text)) => assertion(state, now, text, &endpoint).map_err(|what| (700_027, what)),
        _ => Err((7_000_216, "either a secret or an assertion has to be shown")),
    };
    if let Err((number, what)) = shown {
        return refused(401, "invalid_client", number, what);
    }
    let given = state.give(Token { claims, ..Token::of(CLIENT_ID, resource, now, TOKEN_SECONDS) });
    answer(
        200,
        &json!({ "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": given }),
    )
}

/// Checks a JWT of the application: its header, its claims, and its signature with the registered certificate.
fn assertion(state: &mut State, now: u64, text: &str, endpoint: &str) -> Result<(), &'static str> {
    let mut parts = text.split('.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the assertion is no JWT");
    };
    let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (Some(head), Some(said)) = (json(header), json(claims)) else { return Err("the assertion is no JWT") };
    let (thumbprint, public_key) = registered();
    let scheme = match head["alg"].as_str() {
        // MSAL for Python pads what RFC 7515 does not pad.
        Some("PS256") if head["x5t#S256"].as_str().is_some_and(|text| text.trim_end_matches('=') == thumbprint) => {
            alg_id::RSA_PSS_SHA256
        }
        Some("PS256") => return Err("the certificate is not one of the application's"),
        // The thumbprint by SHA-1 is not looked at: there is only one certificate.
        Some("RS256") if state.old_assertions && head["x5t"].is_string() => alg_id::RSA_PKCS1_SHA256,
        _ => return Err("the assertion is not signed with PS256"),
    };
    if head["typ"] != "JWT" {
        return Err("the assertion is no JWT");
    }
    if said["aud"] != endpoint {
        return Err("the audience is not this endpoint");
    }
    if said["iss"] != CLIENT_ID || said["sub"] != CLIENT_ID {
        return Err("issuer and subject are not the application");
    }
    // Microsoft's clients write fractions of seconds, and leave `nbf` out.
    let seconds = |claim: &str| said[claim].as_f64();
    let (Some(begins), Some(ends)) = (seconds("nbf").or_else(|| seconds("iat")), seconds("exp")) else {
        return Err("the assertion has no beginning or no end");
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far from where it begins")]
    let now = now as f64;
    if begins > now + SKEW || ends <= now || ends > now + ASSERTION_SECONDS + SKEW {
        return Err("the assertion is not valid at this time");
    }
    let id = said["jti"].as_str().unwrap_or_default().to_owned();
    if id.is_empty() || (!state.old_assertions && state.used.contains(&id)) {
        return Err("the assertion has no id of its own");
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the signature can't be read")?;
    let message = format!("{header}.{claims}");
    let verifiers = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let is_good = verifiers
        .iter()
        .filter(|verifier| verifier.signature_alg_id() == scheme)
        .any(|verifier| verifier.verify_signature(&public_key, message.as_bytes(), &signature).is_ok());
    if !is_good {
        return Err("the signature is not of this certificate");
    }
    state.used.push(id);
    Ok(())
}
