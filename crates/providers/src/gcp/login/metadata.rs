//! The metadata server of Compute Engine, GKE, Cloud Run and the rest (AIP-4115): the token of the machine's own service
//! account. It is link-local and speaks plain HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, SecretValue};

use crate::Ports;
use crate::login::Granted;
use crate::oauth::{ask_within, granted, not_given};

const HOST: &str = "metadata.google.internal";
/// The host's own word on where it is.
const HOST_VARIABLE: &str = "GCE_METADATA_HOST";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// Both sides say it, so that nobody takes another server for this one.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
/// It is beside the machine, or not there at all.
const TIME: Duration = Duration::from_secs(3);
/// For messages.
const WHO: &str = "the metadata server";

/// The token of the machine.
pub(super) async fn log_in(ports: &Ports, call: &Call) -> Result<Granted<SecretValue>> {
    let variable = ports.env.var(HOST_VARIABLE);
    let uri = Uri::builder()
        .scheme("http")
        .authority(variable.as_deref().unwrap_or(HOST))
        .path_and_query(PATH)
        .build()
        .ok()
        .filter(|uri| !uri.authority().is_some_and(|authority| authority.as_str().contains('@')))
        .ok_or_else(|| {
            let message = format!("the variable {HOST_VARIABLE} is no host; write `host` or `host:port`, or unset it");
            Error::new(ErrorKind::Config, message)
        })?;
    let request = Request::get(uri)
        .header(FLAVOR.0, FLAVOR.1)
        .body(Bytes::new())
        .map_err(|_| Error::new(ErrorKind::Internal, "the request for a token can't be built"))?;
    let response = ask_within(TIME, &*ports.transport, call, request).await.map_err(|error| match error.kind() {
        ErrorKind::Network | ErrorKind::Timeout => Error::new(
            error.kind(),
            "there is no metadata server here; off Google's machines write `auth`, or set \
             GOOGLE_APPLICATION_CREDENTIALS",
        )
        .during(Operation::Login)
        .because(error),
        _ => error,
    })?;
    if response.headers().get(FLAVOR.0).is_none_or(|flavor| flavor != FLAVOR.1) {
        let message = "what answers in the place of the metadata server does not say that it is Google's; look at the \
                       network, and at GCE_METADATA_HOST";
        return Err(Error::new(ErrorKind::Unauthenticated, message));
    }
    if response.status() != StatusCode::OK {
        return Err(not_given(WHO, response.status(), response.headers()));
    }
    granted(WHO, response)
}
