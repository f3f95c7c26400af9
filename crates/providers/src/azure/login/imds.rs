//! The identity of a virtual machine, by its metadata service.

use http::HeaderValue;
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue};

use super::{Login, Machine};
use crate::azure::address::Address;
use crate::azure::errors;
use crate::azure::settings::Identity;
use crate::login::Granted;

/// Where it is on every machine: a link-local address that no router forwards, so plain http stays on the machine.
const ADDRESS: &str = "http://169.254.169.254";

pub(super) async fn token(login: &Login, call: &Call, identity: Option<&Identity>) -> Result<Granted<SecretValue>> {
    let address = Address::parse(ADDRESS, "IMDS", true)?;
    let source = Machine {
        who: "the machine's metadata service",
        address: &address,
        path: "/metadata/identity/oauth2/token",
        api_version: "2018-02-01",
        resource_id: "msi_res_id",
        table: errors::IMDS,
    };
    let answered = login.machine(call, &source, ("metadata", HeaderValue::from_static("true")), identity).await;
    answered.map_err(|error| match error.kind() {
        ErrorKind::Network | ErrorKind::Timeout => {
            let message = "nothing answers as the metadata service of a machine of Azure; write `auth` where there is \
                           none";
            Error::new(error.kind(), message).because(error)
        }
        _ => error,
    })
}
