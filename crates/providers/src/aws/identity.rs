//! [`Proof`]: a `GetCallerIdentity` that is signed here and sent by somebody else, who learns from STS's answer who we
//! are (the form of Vault's AWS method). The secret key stays here; the request is good for 15 minutes.
//!
//! Where it would go is our configuration's alone: nothing that is answered gets in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request};
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue};
use zeroize::Zeroizing;

use super::endpoint::{Endpoint, Service, Variant};
use super::region::Region;
use super::session::Session;
use super::sign::signed;

/// The request itself, as STS's query protocol has it.
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Ties a proof to one server, so that it is of no use at another one.
const SERVER_ID: &str = "x-vault-aws-iam-server-id";

/// The STS that a proof is for.
pub(crate) struct Sts {
    endpoint: Endpoint,
    region: Region,
}

impl Sts {
    /// The STS of a region; without one the global one, which signs for `us-east-1`.
    ///
    /// # Errors
    /// `Config` when the region is none.
    pub(crate) fn of(region: Option<&str>) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::Config, "`region` of the login is not one; write it like `eu-west-1`");
        let parsed = Region::parse(region.unwrap_or("us-east-1")).ok_or_else(wrong)?;
        let endpoint = match region {
            Some(_) => Endpoint::of(Service::Sts, &parsed, Variant::default())?,
            None => Endpoint::global_sts()?,
        };
        Ok(Self { endpoint, region: parsed })
    }

    /// What it signs for.
    pub(crate) fn region(&self) -> &str {
        self.region.as_str()
    }
}

/// The header that ties a proof to one server.
///
/// # Errors
/// `Config` when it is empty or can't stand in a header.
pub(crate) fn server_id(text: &str) -> Result<HeaderValue> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    HeaderValue::from_str(text).ok().filter(|_| is_plain).ok_or_else(|| {
        let message = "`server_id` is printable text without spaces; write what the mount's \
                       `iam_server_id_header_value` says";
        Error::new(ErrorKind::Config, message)
    })
}

/// A signed request, its parts in base64. Who has it is us for 15 minutes.
pub(crate) struct Proof {
    pub(crate) url: SecretValue,
    pub(crate) body: SecretValue,
    pub(crate) headers: SecretValue,
}

impl Session {
    /// Signs a proof with the credentials of this session.
    ///
    /// # Errors
    /// Those of the credentials' source.
    pub(crate) async fn proof(&self, call: &Call, sts: &Sts, server_id: Option<&HeaderValue>) -> Result<Proof> {
        let loaded = self.credentials.get(call).await?;
        let mut request = Request::post(sts.endpoint.uri().clone())
            .header(HOST, sts.endpoint.host())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
        if let Some(server_id) = server_id {
            request = request.header(SERVER_ID, server_id);
        }
        let request = request
            .body(Bytes::from_static(BODY.as_bytes()))
            .map_err(|_| Error::new(ErrorKind::Internal, "a request to STS could not be built"))?;
        let request = signed(request, &loaded.credential, Service::Sts.name(), sts.region.as_str(), self.clock.now())?;
        let url = request.uri().to_string();
        Ok(Proof { url: base64(url.as_bytes()), body: base64(request.body()), headers: base64(&headers(&request)?) })
    }
}

/// The headers as a JSON object of lists. Each stands once, and none needs escaping but by its quotes.
fn headers(request: &Request<Bytes>) -> Result<Zeroizing<Vec<u8>>> {
    let room: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + 2 * value.len() + 16).sum();
    let unwritten = || Error::new(ErrorKind::Internal, "a request to STS could not be written down");
    let mut json = Zeroizing::new(Vec::with_capacity(room + 2));
    for (name, value) in request.headers() {
        let before = if json.is_empty() { b'{' } else { b',' };
        json.push(before);
        let text = value.to_str().map_err(|_| unwritten())?;
        serde_json::to_writer(&mut *json, name.as_str()).map_err(|_| unwritten())?;
        json.extend_from_slice(b":[");
        serde_json::to_writer(&mut *json, text).map_err(|_| unwritten())?;
        json.push(b']');
    }
    json.push(b'}');
    Ok(json)
}

fn base64(bytes: &[u8]) -> SecretValue {
    SecretValue::from(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// O2, O4. Break: `Region::parse` in `Sts::of`, or the check in `server_id`.
    #[test]
    fn o4_neither_region_nor_server_id_leads_elsewhere() {
        for region in ["evil.example/", "eu-west-1.evil.example", "EU-WEST-1", "", "@evil-1", "eu-west-1\r\nx: y"] {
            assert_eq!(Sts::of(Some(region)).err().map(|error| error.kind()), Some(ErrorKind::Config), "{region:?}");
        }
        for id in ["", "a b", "a\r\nX-Vault-Token: y", "é", "a\0"] {
            assert_eq!(server_id(id).unwrap_err().kind(), ErrorKind::Config, "{id:?}");
        }
        for (region, address, signs) in [
            (None, "https://sts.amazonaws.com/", "us-east-1"),
            (Some("us-east-1"), "https://sts.us-east-1.amazonaws.com/", "us-east-1"),
            (Some("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        ] {
            let sts = Sts::of(region).unwrap();
            assert_eq!((sts.endpoint.uri().to_string().as_str(), sts.region()), (address, signs));
        }
    }
}
