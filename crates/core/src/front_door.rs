//! [`FrontDoor`]: what stands behind a listener. A host brings requests to it and carries its answers back.
//!
//! Only the contract lives here. The listener counts connections, bytes and time; routes, tokens and every other
//! decision belong to who implements it.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

/// What a listener knows of the other end of a connection, from the socket, or from the platform that runs it. Nothing here
/// comes from a header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// The address at the other end; a Unix socket has none.
    pub address: Option<Arc<str>>,
    /// The user at the other end of a Unix socket, as the kernel says.
    pub uid: Option<u32>,
    /// The certificate that the other end has shown in TLS (DER, its own one alone), verified up to a root that the
    /// listener trusts.
    pub certificate: Option<Arc<[u8]>>,
    /// The identity that AWS has verified before it passed the request on, as a function URL with `AWS_IAM` does.
    pub aws: Option<Arc<AwsCaller>>,
    /// The name under which a platform has taken the request in, where it and not a listener of ours decides which names
    /// lead here.
    pub host: Option<Arc<str>>,
    /// The listener holds more connections than its cap: answer 429. The connection closes after it.
    pub crowded: bool,
}

/// What Lambda has found out of a caller in front of a function URL with `AuthType: AWS_IAM`: the fields of
/// `requestContext.authorizer.iam`. It may be trusted where the event came from Lambda, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCaller {
    /// `accountId`.
    pub account_id: Box<str>,
    /// `callerId`, which is the identity's unique id.
    pub caller_id: Box<str>,
    /// `userArn`.
    pub user_arn: Box<str>,
    /// `userId`, the same as `callerId`.
    pub user_id: Box<str>,
    /// `principalOrgId`, where the account belongs to an organization.
    pub principal_org_id: Option<Box<str>>,
}

/// Answers the requests of a listener. One per process, shared by all connections.
pub trait FrontDoor: Send + Sync + 'static {
    /// Answers what needs neither a body nor waiting: a refusal, or what is at hand. It sees the head of a request
    /// before a byte of the body is read; when a body was announced, the connection closes after the answer. `None`
    /// lets the body in, and nothing has happened yet.
    ///
    /// Absolute-form targets, CONNECT and Upgrade arrive here as they were sent, and so do doubled headers.
    fn at_once(&self, peer: &Peer, head: &http::request::Parts) -> Option<http::Response<Bytes>>;

    /// Answers a request that was let in. Its body is whole and within the listener's cap.
    ///
    /// The future is dropped when the caller goes away; what must go on is spawned.
    fn call(&self, peer: &Peer, request: http::Request<Bytes>) -> impl Future<Output = http::Response<Bytes>> + Send;
}
