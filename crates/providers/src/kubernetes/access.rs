//! [`Access`]: what a login has led to: where the server is, how to reach it, and what to show it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use lockstep_core::{Error, ErrorKind, Result, SecretValue, TlsProfile, Transport};

use crate::address::Address;
use crate::login::End;
use crate::oauth::bearer;

/// A Secret with its values.
pub(super) const WHOLE: &str = "application/json";
/// One object without what it holds, and a list of them (API: "Metadata-only" responses).
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
pub(super) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// What a source of logins has found, before there is a way out.
pub(super) struct Found {
    pub(super) address: Address,
    /// Where names without one are, if the source says so.
    pub(super) namespace: Option<String>,
    pub(super) tls: TlsProfile,
    /// None for who shows a certificate.
    pub(super) token: Option<SecretValue>,
    /// Until when it may be used without another look.
    pub(super) end: End,
    /// Who logs in, where the source could lead to somebody else another time.
    pub(super) who: String,
}

/// A way to the server, and a login there.
pub(super) struct Access {
    pub(super) address: Address,
    pub(super) namespace: Option<String>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) token: Option<SecretValue>,
}

impl Access {
    /// A request with the login. `path` has no `/` at its beginning.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Request<Bytes>> {
        let mut request = Request::builder().method(method).uri(self.address.uri(path)?).header(ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(body).map_err(|_| Error::new(ErrorKind::Internal, "the request can't be built"))
    }
}
