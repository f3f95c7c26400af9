//! Where tokens are given: OAuth's endpoint, the security token service, IAM's credentials and the metadata server.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use lockstep_core::UnixMillis;
use serde_json::{Value, json};

use super::tokens::{SCOPE, SECONDS, TOKEN_URI};
use super::wire::{Refusal, Target, answer, fields};
use super::{ACCOUNT, AUDIENCE, All, IMPERSONATED};

/// Enough for IAM itself.
const IAM_SCOPE: &str = "https://www.googleapis.com/auth/iam";
/// The metadata server gives its token again while it lives longer than this, in milliseconds.
const KEPT: u64 = 300_000;

type Answered = Result<Response<Bytes>, Refusal>;

fn form(request: &Request<Bytes>) -> std::collections::BTreeMap<String, String> {
    fields(&String::from_utf8_lossy(request.body()))
}

impl All {
    /// RFC 7523: an assertion for a token.
    pub(super) fn oauth2(&mut self, request: &Request<Bytes>, now: UnixMillis) -> Answered {
        let form = form(request);
        if request.method() != Method::POST
            || form.get("grant_type").is_none_or(|kind| kind != "urn:ietf:params:oauth:grant-type:jwt-bearer")
        {
            return Err(Refusal::oauth("unsupported_grant_type", "Invalid grant_type"));
        }
        let assertion = form.get("assertion").map_or("", String::as_str);
        let claims = self.tokens.verified(assertion, now).map_err(|_| Refusal::oauth("invalid_grant", "c4n4ry"))?;
        let scope = claims["scope"].as_str().unwrap_or_default();
        if claims["aud"] != TOKEN_URI || !scope.contains(SCOPE) {
            return Err(Refusal::oauth("invalid_grant", "Invalid JWT: c4n4ry"));
        }
        let (token, _) = self.tokens.give(ACCOUNT, scope, now);
        Ok(answer(200, &json!({ "access_token": token, "expires_in": SECONDS, "token_type": "Bearer" })))
    }

    /// RFC 8693: somebody else's token for one of ours.
    pub(super) fn sts(&mut self, request: &Request<Bytes>, now: UnixMillis) -> Answered {
        let form = form(request);
        let is = |name: &str, value: &str| form.get(name).is_some_and(|have| have == value);
        if request.method() != Method::POST || !is("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange") {
            return Err(Refusal::oauth("unsupported_grant_type", "Invalid grant_type"));
        }
        if !is("audience", AUDIENCE) {
            return Err(Refusal::oauth("invalid_target", "The target service indicated is invalid"));
        }
        if !is("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            || !is("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
        {
            return Err(Refusal::oauth("invalid_request", "Invalid token type"));
        }
        let scope = form.get("scope").cloned().unwrap_or_default();
        if ![SCOPE, IAM_SCOPE].iter().any(|known| scope.split(' ').any(|asked| asked == *known)) {
            return Err(Refusal::oauth("invalid_scope", "Invalid scope"));
        }
        if self.tokens.subject.is_empty() || !is("subject_token", &self.tokens.subject) {
            return Err(Refusal::oauth("invalid_grant", "The subject token c4n4ry is not accepted"));
        }
        let (token, _) = self.tokens.give("principal://pool/subject", &scope, now);
        Ok(answer(
            200,
            &json!({
                "access_token": token,
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": SECONDS,
            }),
        ))
    }

    /// `projects.serviceAccounts.generateAccessToken`.
    pub(super) fn impersonate(&mut self, request: &Request<Bytes>, account: &str, now: UnixMillis) -> Answered {
        self.bearer(request, &[SCOPE, IAM_SCOPE], now)?;
        let body: Value = serde_json::from_slice(request.body()).map_err(|_| Refusal::invalid("no JSON"))?;
        let scopes: Vec<&str> = body["scope"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let lifetime = body["lifetime"].as_str().unwrap_or("3600s").strip_suffix('s').and_then(|s| s.parse().ok());
        if scopes.is_empty() || !lifetime.is_some_and(|seconds: u64| (1..=3600).contains(&seconds)) {
            return Err(Refusal::invalid("Request contains an invalid argument."));
        }
        if account != IMPERSONATED {
            let message = format!("Permission 'iam.serviceAccounts.getAccessToken' denied on {account}");
            return Err(Refusal::new(403, "PERMISSION_DENIED", message).reason("IAM_PERMISSION_DENIED"));
        }
        let (token, end) = self.tokens.give(account, &scopes.join(" "), now);
        // Whole seconds: google-auth reads no fraction.
        let end = UnixMillis(end.seconds() * 1000);
        Ok(answer(200, &json!({ "accessToken": token, "expireTime": end.to_rfc3339() })))
    }

    /// What a machine of Google asks.
    pub(super) fn metadata(&mut self, request: &Request<Bytes>, target: &Target, now: UnixMillis) -> Answered {
        let asked = request.headers().get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
        if !asked || request.headers().contains_key("x-forwarded-for") {
            return Err(Refusal::new(403, "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header."));
        }
        let body = match target.path.strip_prefix("/computeMetadata/v1/instance/service-accounts/default/") {
            Some("token") => {
                let kept = self.tokens.metadata.clone().filter(|(_, end)| end.0 > now.0 + KEPT);
                let (token, end) = kept.unwrap_or_else(|| {
                    let scopes = self.tokens.metadata_scopes.clone();
                    self.tokens.give(ACCOUNT, &scopes, now)
                });
                self.tokens.metadata = Some((token.clone(), end));
                let left = end.saturating_since(now).as_secs();
                json!({ "access_token": token, "expires_in": left, "token_type": "Bearer" })
            }
            Some("") => json!({ "aliases": ["default"], "email": ACCOUNT, "scopes": [SCOPE] }),
            _ => return Err(Refusal::not_found("no such metadata")),
        };
        let mut response = answer(200, &body);
        if !self.flavorless {
            response.headers_mut().insert("metadata-flavor", HeaderValue::from_static("Google"));
        }
        Ok(response)
    }

    /// Who asks, by the token of the request.
    pub(super) fn bearer(&self, request: &Request<Bytes>, scopes: &[&str], now: UnixMillis) -> Result<String, Refusal> {
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| super::tokens::unauthenticated("CREDENTIALS_MISSING"))?;
        self.tokens.look_at(token, scopes, now)
    }
}
