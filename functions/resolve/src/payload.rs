//! The event of a function URL or of API Gateway becomes a request and its [`Peer`].
//!
//! Everything about the caller is taken from `requestContext`, which AWS writes; a header says nothing about who sent it.
//! Nothing is decided here but what the request is: routes, hosts and logins are the endpoint's.
//!
//! The events are read by hand and not into the types of `aws_lambda_events`. Those keep the last one of two headers whose
//! names differ in case alone, so that a doubled `Authorization` would look like one; they have neither the certificate of
//! a REST API's caller nor `principalOrgId`; and their errors show the value of a header.
//!
//! **Paths.** A function URL and a REST API pass the path on as it was sent. An HTTP API passes it on decoded. So there it
//! is encoded again, percent signs included, and the endpoint's one parse sees each path once: what it could read in two
//! ways it refuses in all three forms (`tests`, `l7_…`).

mod pairs;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use lockstep_core::{AwsCaller, Peer};
use lockstep_host::lambda::Diagnostic;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use self::pairs::Pairs;

/// What can't stand in a query as it is.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');
/// What can't stand in a path as it is; escapes that are there stay.
const PATH: &AsciiSet = &QUERY.add(b'?').add(b'^').add(b'|');
/// The same of a path that was decoded: it has no escapes, so its percent signs are none.
const DECODED_PATH: &AsciiSet = &PATH.add(b'%');
/// What a form escapes in a name or value.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where an event comes from, as far as it matters for reading and answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A function URL; payload format 2.0.
    FunctionUrl,
    /// An HTTP API of API Gateway; payload format 2.0.
    HttpApi,
    /// A REST API of API Gateway; its proxy format, also called 1.0.
    RestApi,
}

/// A request that came as an event.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) form: Form,
    pub(crate) peer: Peer,
    pub(crate) request: Request<Bytes>,
}

/// Why an event is no request. It shows nothing of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRequest(pub(crate) &'static str);

impl From<NoRequest> for Diagnostic {
    fn from(NoRequest(reason): NoRequest) -> Self {
        Self { error_type: "Lockstep.NoRequest".to_owned(), error_message: reason.to_owned() }
    }
}

const OTHER: NoRequest = NoRequest(
    "this is no event of a function URL, of an HTTP API (payload format 2.0) or of a REST API (Lambda proxy integration): \
     invoke the endpoint through one of them",
);
const FORMAT_1: NoRequest = NoRequest(
    "this HTTP API sends payload format 1.0, in which a path can't be told from another one: set `payloadFormatVersion` of \
     the integration to 2.0",
);
const BROKEN: NoRequest =
    NoRequest("this event of API Gateway or of a function URL is not whole, so nothing is read from it");

/// What is read of an event, whichever form it has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: Option<String>,
    /// Lambda authorizers are told what they decide on in nearly the same form.
    #[serde(rename = "type")]
    kind: Option<IgnoredAny>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    headers: Option<Pairs<String>>,
    multi_value_headers: Option<Pairs<Vec<String>>>,
    query_string_parameters: Option<Pairs<String>>,
    multi_value_query_string_parameters: Option<Pairs<Vec<String>>>,
    #[serde(borrow)]
    request_context: Option<Context<'a>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    api_id: Option<String>,
    domain_name: Option<String>,
    stage: Option<String>,
    http: Option<Http>,
    identity: Option<Identity>,
    authentication: Option<Authentication>,
    /// An authorizer of one's own writes here what it likes.
    #[serde(borrow)]
    authorizer: Option<&'a RawValue>,
    /// A load balancer's event looks like a REST API's, with queries in another form.
    elb: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: Option<String>,
    client_cert: Option<ClientCert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    client_cert: Option<ClientCert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientCert {
    client_cert_pem: Option<String>,
}

#[derive(Deserialize)]
struct Authorizer {
    iam: Option<Iam>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Iam {
    account_id: String,
    caller_id: String,
    user_arn: String,
    user_id: String,
    principal_org_id: Option<String>,
}

/// Reads an event.
///
/// # Errors
/// [`NoRequest`]: it is of another kind, or not whole.
pub(crate) fn take(event: &str) -> Result<Taken, NoRequest> {
    // What serde says may show a value of the event.
    let mut event: Event<'_> = serde_json::from_str(event).map_err(|_| OTHER)?;
    let context = event.request_context.take().ok_or(OTHER)?;
    if event.kind.is_some() || context.elb.is_some() {
        return Err(OTHER);
    }
    match (event.version.as_deref(), &context.http) {
        (Some("2.0"), Some(_)) => format_2(event, context),
        (None, None) if event.http_method.is_some() && event.multi_value_headers.is_some() => rest_api(event, context),
        (Some("1.0"), None) if event.http_method.is_some() => Err(FORMAT_1),
        _ => Err(OTHER),
    }
}

/// A function URL, or an HTTP API.
fn format_2(event: Event<'_>, context: Context<'_>) -> Result<Taken, NoRequest> {
    let http = context.http.ok_or(OTHER)?;
    let raw = event.raw_path.ok_or(BROKEN)?;
    let form = if is_function_url(context.domain_name.as_deref(), context.api_id.as_deref()) {
        Form::FunctionUrl
    } else {
        Form::HttpApi
    };
    let path = match form {
        Form::HttpApi => {
            let path = without_stage(&raw, context.stage.as_deref().ok_or(BROKEN)?)?;
            utf8_percent_encode(path, DECODED_PATH).to_string()
        }
        _ => utf8_percent_encode(&raw, PATH).to_string(),
    };
    let query = utf8_percent_encode(&event.raw_query_string.unwrap_or_default(), QUERY).to_string();
    // Headers that came more than once are one here, with commas in between, which no credential and no host has.
    let headers = event.headers.unwrap_or_default().0.into_iter();
    let headers = read_headers(headers)?;
    let certificate = context.authentication.and_then(|authentication| authentication.client_cert);
    let peer = Peer {
        address: http.source_ip.and_then(address),
        // A function URL asks nobody for a certificate, and an HTTP API's own IAM is not what logins are configured for.
        certificate: certificate.filter(|_| form == Form::HttpApi).and_then(der),
        aws: context.authorizer.filter(|_| form == Form::FunctionUrl).and_then(aws_caller),
        host: context.domain_name.map(Arc::from),
        ..Peer::default()
    };
    let body = read_body(event.body, event.is_base64_encoded)?;
    Ok(Taken { form, peer, request: request(&http.method, &path, &query, headers, body)? })
}

fn rest_api(event: Event<'_>, context: Context<'_>) -> Result<Taken, NoRequest> {
    let many = event.multi_value_query_string_parameters.unwrap_or_default();
    if many.0.is_empty() && !event.query_string_parameters.unwrap_or_default().0.is_empty() {
        // The single form holds the last one of each: what was doubled is lost there.
        return Err(BROKEN);
    }
    let mut query = String::new();
    for (name, value) in many.0.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, FORM));
        query.push('=');
        query.extend(utf8_percent_encode(value, FORM));
    }
    let path = utf8_percent_encode(&event.path.ok_or(BROKEN)?, PATH).to_string();
    let headers = event.multi_value_headers.unwrap_or_default().0.into_iter();
    let headers = headers.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let headers = read_headers(headers)?;
    let identity = context.identity.ok_or(BROKEN)?;
    let peer = Peer {
        address: identity.source_ip.and_then(address),
        certificate: identity.client_cert.and_then(der),
        host: context.domain_name.map(Arc::from),
        ..Peer::default()
    };
    let body = read_body(event.body, event.is_base64_encoded)?;
    let method = event.http_method.ok_or(BROKEN)?;
    Ok(Taken { form: Form::RestApi, peer, request: request(&method, &path, &query, headers, body)? })
}

/// `<id>.lambda-url.<region>.on.aws`, with the id that AWS says too: no name of somebody's own domain is taken for it.
fn is_function_url(domain: Option<&str>, id: Option<&str>) -> bool {
    let mut labels = domain.unwrap_or_default().split('.');
    let (first, second) = (labels.next(), labels.next());
    first.is_some_and(|label| !label.is_empty()) && first == id && second == Some("lambda-url")
}

/// An HTTP API puts the name of its stage in front of every path, but for the stage `$default`.
fn without_stage<'a>(path: &'a str, stage: &str) -> Result<&'a str, NoRequest> {
    if stage == "$default" {
        return Ok(path);
    }
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).ok_or(BROKEN)?;
    // A rest that begins with no slash belongs to a longer word; it is no path, and refused as such.
    Ok(if rest.is_empty() { "/" } else { rest })
}

fn request(
    method: &str,
    path: &str,
    query: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Bytes>, NoRequest> {
    if !path.starts_with('/') {
        return Err(BROKEN);
    }
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let target = PathAndQuery::try_from(target).map_err(|_| BROKEN)?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| BROKEN)?;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    // What is said of the body is what it is: an event holds all of it.
    request.headers_mut().remove(TRANSFER_ENCODING);
    request.headers_mut().remove(CONTENT_LENGTH);
    if !request.body().is_empty() {
        let length = HeaderValue::from(request.body().len());
        request.headers_mut().insert(CONTENT_LENGTH, length);
    }
    Ok(request)
}

/// Every header that is there, the doubled ones too.
fn read_headers(pairs: impl Iterator<Item = (String, String)>) -> Result<HeaderMap, NoRequest> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| BROKEN)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| BROKEN)?;
        value.set_sensitive(true);
        headers.try_append(name, value).map_err(|_| BROKEN)?;
    }
    Ok(headers)
}

fn read_body(body: Option<String>, is_base64: Option<bool>) -> Result<Bytes, NoRequest> {
    let body = body.unwrap_or_default();
    if is_base64 != Some(true) {
        return Ok(Bytes::from(body));
    }
    STANDARD.decode(body).map(Bytes::from).map_err(|_| BROKEN)
}

/// What is no address is none: quotas and audit would take it for one.
fn address(text: String) -> Option<Arc<str>> {
    text.parse::<IpAddr>().ok().map(|_| Arc::from(text))
}

/// The certificate that API Gateway has verified. It is empty where nobody was asked for one. Of several, nothing says
/// which one it was that the caller holds the key of.
fn der(certificate: ClientCert) -> Option<Arc<[u8]>> {
    let pem = certificate.client_cert_pem.filter(|pem| !pem.is_empty())?;
    let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let der = certificates.next()?.ok()?;
    certificates.next().is_none().then(|| Arc::from(&*der))
}

/// The caller of a function URL with `AWS_IAM`. With `NONE`, and with members that are not there, there is none.
fn aws_caller(authorizer: &RawValue) -> Option<Arc<AwsCaller>> {
    let iam = serde_json::from_str::<Authorizer>(authorizer.get()).ok()?.iam?;
    if [&iam.account_id, &iam.caller_id, &iam.user_arn, &iam.user_id].into_iter().any(String::is_empty) {
        return None;
    }
    Some(Arc::new(AwsCaller {
        account_id: iam.account_id.into(),
        caller_id: iam.caller_id.into(),
        user_arn: iam.user_arn.into(),
        user_id: iam.user_id.into(),
        principal_org_id: iam.principal_org_id.filter(|id| !id.is_empty()).map(Into::into),
    }))
}
