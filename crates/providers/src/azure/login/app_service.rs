//! The identity of an app: App Service, Functions, Container Apps ("REST endpoint reference" of managed identities).

use http::{HeaderValue, Uri};
use lockstep_core::{Call, Env, Error, ErrorKind, Operation, Result, SecretValue};
use zeroize::Zeroizing;

use super::{Login, Machine};
use crate::azure::address::Address;
use crate::azure::errors;
use crate::azure::settings::Identity;
use crate::login::Granted;

/// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
pub(super) struct Endpoint {
    address: Address,
    path: String,
    header: HeaderValue,
}

impl Endpoint {
    /// The endpoint of the environment; `None` where there is none.
    ///
    /// # Errors
    /// `Config` when the variables are of another kind of host, or would send the header in the clear elsewhere.
    pub(super) fn of(env: &dyn Env) -> Result<Option<Self>> {
        let wrong = |what: &str| Error::new(ErrorKind::Config, what).during(Operation::Login);
        let Some(text) = env.var("IDENTITY_ENDPOINT") else { return Ok(None) };
        let header = env.var("IDENTITY_HEADER").map(Zeroizing::new);
        let Some(header) = header.filter(|_| env.var("IDENTITY_SERVER_THUMBPRINT").is_none()) else {
            return Err(wrong(
                "the identities of Azure Arc and Service Fabric are not supported; write `auth` for another way to log in",
            ));
        };
        let uri: Uri = text.parse().map_err(|_| wrong("IDENTITY_ENDPOINT is no URL"))?;
        let address = Address::of(&uri).ok_or_else(|| wrong("IDENTITY_ENDPOINT has no scheme or no host"))?;
        if address.is_plain() && !address.is_loopback() && !address.is_link_local() {
            return Err(wrong("IDENTITY_ENDPOINT is plain http to another machine, and gets no credential"));
        }
        let is_visible = header.bytes().all(|byte| byte.is_ascii_graphic());
        let mut header = HeaderValue::from_str(&header)
            .ok()
            .filter(|_| is_visible)
            .ok_or_else(|| wrong("IDENTITY_HEADER can't stand in a header"))?;
        header.set_sensitive(true);
        Ok(Some(Self { address, path: uri.path().to_owned(), header }))
    }

    pub(super) async fn token(
        self,
        login: &Login,
        call: &Call,
        identity: Option<&Identity>,
    ) -> Result<Granted<SecretValue>> {
        let source = Machine {
            who: "the app's identity endpoint",
            address: &self.address,
            path: &self.path,
            api_version: "2019-08-01",
            resource_id: "mi_res_id",
            table: errors::APP_SERVICE,
        };
        login.machine(call, &source, ("x-identity-header", self.header.clone()), identity).await
    }
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::TestEnv;

    use super::*;

    /// O5. Break: the check for plain http in `Endpoint::of`.
    #[test]
    fn o5_the_identity_header_goes_to_this_machine_or_over_tls() {
        for (endpoint, header, expected) in [
            ("http://169.254.129.2:8081/msi/token", "h", Ok(true)),
            ("http://localhost:42356/msi/token", "h", Ok(true)),
            ("https://identity.internal/msi/token", "h", Ok(true)),
            ("http://10.0.0.1/msi/token", "h", Err("plain http")),
            ("http://169.254.129.2.evil.test/msi/token", "h", Err("plain http")),
            ("http://127.0.0.1/msi/token", "c4n4ry\r\nx: y", Err("header")),
            ("no url", "h", Err("no URL")),
            ("http://127.0.0.1/msi/token", "", Err("Arc")),
            ("", "h", Ok(false)),
        ] {
            let env = TestEnv::of(&[("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header)]);
            match (Endpoint::of(&*env), expected) {
                (Ok(found), Ok(there)) => assert_eq!(found.is_some(), there, "{endpoint}"),
                (Err(error), Err(part)) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.message().contains(part) && !error.message().contains("c4n4ry"), "{error}");
                }
                _ => panic!("{endpoint}"),
            }
        }
    }
}
