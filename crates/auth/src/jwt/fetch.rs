//! [`Fetch`]: an issuer's keys, fetched from where its settings, or its discovery document, say that they are.
//!
//! An address that comes from a document is not the operator's word: it leads nowhere but to the issuer's own host and
//! port, or to one that the operator has listed, and never from an encrypted connection to one that is not. Redirects are
//! not followed. No text of an answer gets into a message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::uri::Scheme;
use http::{Request, StatusCode, Uri};
use lockstep_core::{Limits, Structure, Transport};
use serde_json::Value;

use super::issuer::{Issuer, Place, is_plain};
use super::jwks::{KeySet, MAX_SET_BYTES};
use crate::strict_json::object;

/// What is understood. A kube-apiserver gives its keys as nothing but `jwk-set+json`, and refuses (406) who does not name it.
const ACCEPTED: &str = "application/json, application/jwk-set+json";
/// The largest discovery document in bytes.
const MAX_DOCUMENT_BYTES: usize = 64 << 10;
/// Keys, items and levels of a discovery document.
const DOCUMENT: Structure = Structure { members: 2_000, depth: 8 };

/// Why keys could not be fetched: words for whoever operates this, and for the issuer.
pub(crate) type Fault = Arc<str>;

/// Fetches the keys of one issuer.
pub(crate) struct Fetch {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) transport: Arc<dyn Transport>,
    /// What one exchange may take.
    pub(crate) time: Duration,
}

impl Fetch {
    /// The keys, as they are now.
    pub(crate) async fn keys(&self) -> Result<KeySet, Fault> {
        let uri = match &self.issuer.place {
            Place::Static(_) => return Err(Fault::from("its keys stand in the configuration")),
            Place::Url(uri) => uri.clone(),
            Place::Discovery(uri) => {
                let body = self.get(uri.clone(), MAX_DOCUMENT_BYTES, "its discovery document").await?;
                self.discovered(uri, &body)?
            }
        };
        let body = self.get(uri, MAX_SET_BYTES, "its key set").await?;
        KeySet::parse(&body).map_err(|error| Fault::from(format!("its key set can't be used: {error}")))
    }

    async fn get(&self, uri: Uri, response_bytes: usize, what: &str) -> Result<Bytes, Fault> {
        let request = Request::get(uri).header(ACCEPT, ACCEPTED).body(Bytes::new());
        let request = request.map_err(|_| Fault::from(format!("{what} has no address")))?;
        let limits = Limits { time: self.time, response_bytes, members: DOCUMENT.members };
        let response = self.transport.send(request, limits).await.map_err(|error| {
            let code = error.kind().code();
            Fault::from(format!("{what} can't be fetched ({code}); look at the way there"))
        })?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(Fault::from(format!("{what} is answered with {}; look at its address", status.as_u16()))),
        }
    }

    /// The address of the keys, from a discovery document at this address.
    fn discovered(&self, document: &Uri, body: &[u8]) -> Result<Uri, Fault> {
        let members =
            object(body, DOCUMENT).ok_or("its discovery document is no JSON object, or says something twice")?;
        if members.get("issuer").and_then(Value::as_str) != Some(&self.issuer.settings.issuer) {
            return Err(Fault::from("its discovery document is another issuer's; look at `issuer`, to the letter"));
        }
        let keys = members.get("jwks_uri").and_then(Value::as_str).and_then(|text| text.parse::<Uri>().ok());
        let keys = keys.filter(is_plain).ok_or("its discovery document has no address of keys")?;
        if keys.scheme() == Some(&Scheme::HTTP) && document.scheme() == Some(&Scheme::HTTPS) {
            return Err(Fault::from("its discovery document leads to an address that is not encrypted"));
        }
        let hosts = &self.issuer.settings.key_hosts;
        if place(&keys) == place(document) || hosts.iter().any(|host| is_at(&keys, host)) {
            Ok(keys)
        } else {
            Err(Fault::from(
                "its discovery document leads to another host; list that under the hosts of its keys if it is meant",
            ))
        }
    }
}

/// Host and port of an address, the port that its scheme means included.
fn place(uri: &Uri) -> (String, u16) {
    let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    (uri.host().unwrap_or_default().to_ascii_lowercase(), uri.port_u16().unwrap_or(default))
}

/// Whether an address is at `host` or `host:port`.
fn is_at(uri: &Uri, listed: &str) -> bool {
    let (host, port) = place(uri);
    listed.eq_ignore_ascii_case(&format!("{host}:{port}")) || (port == 443 && listed.eq_ignore_ascii_case(&host))
}
