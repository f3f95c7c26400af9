//! The token of another service account (`projects.serviceAccounts.generateAccessToken`), for an identity that may take
//! its place.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use lockstep_core::{Call, Error, ErrorKind, Result, SecretValue, UnixMillis};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::hosts::Hosts;
use super::super::status::{IAM_TABLE, error_of};
use super::SCOPE;
use crate::Ports;
use crate::body::{Body, text, unexpected};
use crate::form::UNRESERVED;
use crate::login::{End, Granted};
use crate::oauth::{ask, bearer};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given<'a> {
    #[serde(borrow)]
    access_token: &'a RawValue,
    expire_time: String,
}

/// A token of `account`, by the token of who may take its place.
pub(super) async fn log_in(
    ports: &Ports,
    hosts: &Hosts,
    call: &Call,
    token: &SecretValue,
    account: &str,
    delegates: &[String],
) -> Result<Granted<SecretValue>> {
    let account = utf8_percent_encode(account, UNRESERVED);
    let uri = hosts.iam(&format!("/v1/projects/-/serviceAccounts/{account}:generateAccessToken"))?;
    let mut asked = json!({ "scope": [SCOPE], "lifetime": "3600s" });
    if !delegates.is_empty() {
        asked["delegates"] = json!(delegates);
    }
    let request = Request::post(uri)
        .header(AUTHORIZATION, bearer(token)?)
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(asked.to_string()))
        .map_err(|_| Error::new(ErrorKind::Internal, "the request for a token can't be built"))?;
    let response = ask(&*ports.transport, call, request).await?;
    if response.status() != StatusCode::OK {
        return Err(error_of(IAM_TABLE, response.status(), response.headers(), response.body()));
    }
    let body = Body::new(response.into_body());
    let given: Given<'_> = body.json()?;
    let end = UnixMillis::from_rfc3339(&given.expire_time).ok_or_else(|| unexpected("has a token without an end"))?;
    let credential = text(given.access_token)?;
    bearer(&credential)?;
    Ok(Granted { credential, end: End::At(end), beyond: None })
}
