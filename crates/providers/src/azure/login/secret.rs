//! An application with a secret.

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
    secret: &Credential,
) -> Result<Granted<SecretValue>> {
    let secret = secret.read(&*login.ports.env, &*login.ports.files)?;
    let text = shown(&secret, "secret")?;
    entra::token(login, call, tenant, client_id, Proof::Secret(text)).await
}
