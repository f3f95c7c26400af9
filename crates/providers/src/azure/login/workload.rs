//! The token of somebody whom the application trusts, such as the one that Kubernetes projects into a pod. It is renewed
//! by others, so it is read at each login and never kept.

use lockstep_core::{Call, Result, SecretValue};

use super::Login;
use super::entra::{self, Proof};
use crate::Credential;
use crate::login::Granted;
use crate::oauth::shown;

pub(super) async fn token(
    login: &Login,
    call: &Call,
    tenant: &str,
    client_id: &str,
    token: &Credential,
) -> Result<Granted<SecretValue>> {
    let token = token.read(&*login.ports.env, &*login.ports.files)?;
    let text = shown(&token, "token")?;
    entra::token(login, call, tenant, client_id, Proof::Assertion(text)).await
}
