//! Entra ID's token endpoint ("OAuth 2.0 client credentials flow on the Microsoft identity platform").

use lockstep_core::{Call, Result, SecretValue};

use super::Login;
use crate::login::Granted;
use crate::oauth::TokenEndpoint;

/// What an assertion of the client is, in the form.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The path of the token endpoint of a tenant.
pub(super) fn path(tenant: &str) -> String {
    format!("/{tenant}/oauth2/v2.0/token")
}

/// What proves who the client is.
pub(super) enum Proof<'a> {
    /// Its secret.
    Secret(&'a str),
    /// A JWT.
    Assertion(&'a str),
}

/// A token for the client.
pub(super) async fn token(
    login: &Login,
    call: &Call,
    tenant: &str,
    client_id: &str,
    proof: Proof<'_>,
) -> Result<Granted<SecretValue>> {
    let scope = format!("{}/.default", login.resource());
    let mut fields = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", &scope)];
    match proof {
        Proof::Secret(secret) => fields.push(("client_secret", secret)),
        Proof::Assertion(assertion) => {
            fields.extend([("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)]);
        }
    }
    let claims = login.claimed();
    if let Some(claims) = &claims {
        fields.push(("claims", claims));
    }
    let uri = login.authority.uri(&path(tenant))?;
    TokenEndpoint { who: "Entra ID", transport: &*login.ports.transport, uri }.token(call, &fields).await
}
