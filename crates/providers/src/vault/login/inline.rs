//! Logins within a request (OpenBao 2.4 and later, "inline auth"): the fields of a login in headers, no token anywhere.
//!
//! `X-Vault-Inline-Auth-Path`, `-Operation`, `-Namespace`, and `-Parameter-<n>`: URL-safe base64 without padding of
//! `{"key": …, "value": …}`. A login that failed is told by `X-Vault-Inline-Auth-Failed` in the answer,
//! or, where the method refuses by an error of its own, in words alone.

use ::http::{HeaderName, HeaderValue, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use lockstep_core::{Error, ErrorKind, Operation, Result};
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::http::body;
use super::super::status::says_inline_failed;
use super::{Form, refused};
use crate::refusal::Row;

const PATH: HeaderName = HeaderName::from_static("x-vault-inline-auth-path");
const OPERATION: HeaderName = HeaderName::from_static("x-vault-inline-auth-operation");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-inline-auth-namespace");
const FAILED: HeaderName = HeaderName::from_static("x-vault-inline-auth-failed");

/// The headers of a login. All of them are sensitive.
pub(super) fn headers(form: &Form, namespace: Option<&HeaderValue>) -> Result<Vec<(HeaderName, HeaderValue)>> {
    #[derive(Serialize)]
    struct Parameter<'a> {
        key: &'a str,
        value: Option<&'a str>,
    }
    let mut headers = vec![
        (PATH, HeaderValue::from_str(&form.path).map_err(|_| unwritten())?),
        (OPERATION, HeaderValue::from_static("update")),
    ];
    headers.extend(namespace.map(|namespace| (NAMESPACE, namespace.clone())));
    for (number, (key, value)) in form.fields.iter().enumerate() {
        let name = format!("x-vault-inline-auth-parameter-{}", number + 1);
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unwritten())?;
        let json = body(&Parameter { key, value: value.expose_text() }, 32 + key.len() + 6 * value.len())?;
        let mut text = Zeroizing::new(vec![0; json.len().div_ceil(3) * 4]);
        let length = URL_SAFE_NO_PAD.encode_slice(&*json, &mut text).map_err(|_| unwritten())?;
        text.truncate(length);
        headers.push((name, HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| unwritten())?));
    }
    for (_, value) in &mut headers {
        value.set_sensitive(true);
    }
    Ok(headers)
}

/// An error when the login within the request failed.
pub(super) fn judged(response: &Response<Bytes>, refusals: &[Row]) -> Result<()> {
    let is_refusal = !response.status().is_success();
    let failed = response.headers().contains_key(FAILED) || (is_refusal && says_inline_failed(response.body()));
    if !failed {
        return Ok(());
    }
    Err(refused(response, refusals).during(Operation::Login))
}

fn unwritten() -> Error {
    Error::new(ErrorKind::Internal, "the login can't be written into headers")
}
