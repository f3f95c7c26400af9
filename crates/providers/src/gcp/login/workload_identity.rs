//! Workload identity federation (AIP-4117): somebody else's token, exchanged for one of Google's (RFC 8693).

use std::borrow::Cow;
use std::collections::BTreeMap;

use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue};
use serde_json::value::RawValue;

use super::super::hosts::Hosts;
use super::{GOOGLE, SCOPE, Subject};
use crate::Ports;
use crate::body::text;
use crate::login::Granted;
use crate::oauth::{TokenEndpoint, shown};

/// A pool that knows the issuer of the token.
pub(super) struct Federated {
    pub(super) audience: String,
    /// As RFC 8693 names it.
    pub(super) token_type: String,
    /// What a credentials file says of the address; see [`Hosts::sts`].
    pub(super) token_url: Option<String>,
    pub(super) subject: Subject,
}

/// A token of Google's for the one that stands in a file now: whoever writes it rotates it.
pub(super) async fn log_in(
    ports: &Ports,
    hosts: &Hosts,
    call: &Call,
    federated: &Federated,
) -> Result<Granted<SecretValue>> {
    let uri = hosts.sts(federated.token_url.as_deref())?;
    let subject = federated.subject.read(ports)?;
    let endpoint = TokenEndpoint { who: GOOGLE, transport: &*ports.transport, uri };
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", federated.audience.as_str()),
        ("scope", SCOPE),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", shown(&subject, "token")?),
        ("subject_token_type", federated.token_type.as_str()),
    ];
    endpoint.token(call, &fields).await
}

impl Subject {
    fn read(&self, ports: &Ports) -> Result<SecretValue> {
        let Some(member) = &self.member else { return self.from.read(&*ports.env, &*ports.files) };
        let document = self.from.document(&*ports.env, &*ports.files)?;
        let members: Option<BTreeMap<Cow<'_, str>, &RawValue>> = serde_json::from_slice(document.expose()).ok();
        let raw = members.and_then(|members| members.get(member.as_str()).copied());
        raw.and_then(|raw| text(raw).ok()).ok_or_else(|| {
            let message = "the file with the token is not JSON with the member that the credentials file names";
            Error::new(ErrorKind::Unauthenticated, message)
        })
    }
}
