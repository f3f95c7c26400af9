//! [`Callers`]: everybody who may be let in, and the one way from what a request shows to who it is.
//!
//! The order is fixed. What stands in a header counts before what the connection says of itself, since who sends it means
//! it. What is shown is looked at by one login alone, the one that its form belongs to: whatever that one says is the
//! answer, and a credential that is not accepted never leads to a weaker one. Two credentials in headers are none.

use std::sync::Arc;

use lockstep_core::{Call, Login, Peer, Principal, UnixMillis};

use crate::api_keys::ApiKeys;
use crate::local_token::LocalToken;
use crate::refused::Refused;

/// What the headers of a request show of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown<'a> {
    /// Nothing. What the connection says of itself counts then.
    #[default]
    Nothing,
    /// A token: the local one, an API key or a signed one.
    Token(&'a [u8]),
    /// A proof of an identity of AWS.
    Proof(&'a [u8]),
    /// More than one of them: none is better than another.
    Several,
}

/// Everybody who may be let in. Without anything, nobody is.
#[derive(Default)]
pub struct Callers {
    /// The token of this machine.
    pub token: Option<LocalToken>,
    /// Users (uids, as the kernel says them) who need no token on a Unix socket.
    pub socket_users: Vec<u32>,
    /// Keys that the operator has handed out.
    pub keys: Option<ApiKeys>,
    /// Issuers of signed tokens.
    #[cfg(feature = "jwt")]
    pub jwt: Option<crate::JwtLogin>,
    /// Proofs of identities of AWS.
    #[cfg(feature = "aws-iam")]
    pub iam: Option<crate::IamLogin>,
    /// Accounts whose identities are let in when AWS has verified them in front of this endpoint.
    #[cfg(feature = "aws-iam")]
    pub aws_accounts: Option<crate::AwsAccounts>,
    /// Certificates that TLS has verified.
    #[cfg(feature = "mtls")]
    pub certificates: Option<crate::CertificateLogin>,
}

impl Callers {
    /// Whether all of them are callers of this machine: a token made for it, or its users.
    pub fn are_local(&self) -> bool {
        let remote = self.keys.is_some();
        #[cfg(feature = "mtls")]
        let remote = remote || self.certificates.is_some();
        #[cfg(feature = "jwt")]
        let remote = remote || self.jwt.is_some();
        #[cfg(feature = "aws-iam")]
        let remote = remote || self.iam.is_some() || self.aws_accounts.is_some();
        !remote
    }

    /// Who this is, if that can be told without waiting. `None` says nothing: [`identify`](Self::identify) does. The time is
    /// asked for only where a credential ends.
    pub fn at_once(
        &self,
        shown: Shown<'_>,
        peer: &Peer,
        now: impl Fn() -> UnixMillis,
    ) -> Option<Result<Principal, Refused>> {
        let found = match shown {
            Shown::Token(token) => self.token_at_once(token, now)?,
            Shown::Proof(proof) => self.proof_at_once(proof)?,
            Shown::Nothing => self.connection(peer, now),
            Shown::Several => {
                Err(Refused::credential("credential_doubled", "the request shows more than one credential; send one"))
            }
        };
        Some(found.map(|who| at(peer, who)))
    }

    /// Who this is. Keys of an issuer may have to be fetched first, or AWS to be asked.
    ///
    /// # Errors
    /// Why nobody is let in; of kind [`NotNow`](crate::RefusedKind::NotNow) when that can't be told now.
    pub async fn identify(
        &self,
        call: &Call,
        shown: Shown<'_>,
        peer: &Peer,
        now: impl Fn() -> UnixMillis,
    ) -> Result<Principal, Refused> {
        match self.at_once(shown, peer, now) {
            Some(told) => told,
            None => self.wait_for(call, shown).await.map(|who| at(peer, who)),
        }
    }

    /// The logins that may have to ask somebody.
    #[cfg_attr(not(any(feature = "jwt", feature = "aws-iam")), expect(clippy::unused_async, reason = "none is built"))]
    async fn wait_for(&self, call: &Call, shown: Shown<'_>) -> Result<Principal, Refused> {
        #[cfg(feature = "jwt")]
        if let (Shown::Token(token), Some(jwt)) = (shown, &self.jwt) {
            return jwt.verify(call, token).await;
        }
        #[cfg(feature = "aws-iam")]
        if let (Shown::Proof(proof), Some(iam)) = (shown, &self.iam) {
            return iam.verify(call, proof).await;
        }
        let _ = (call, shown);
        Err(unknown())
    }

    #[cfg_attr(not(feature = "jwt"), expect(clippy::unnecessary_wraps, reason = "a signed token may have to wait"))]
    fn token_at_once(&self, token: &[u8], now: impl Fn() -> UnixMillis) -> Option<Result<Principal, Refused>> {
        // The local token may have any form, a signed token's too.
        if let Some(local) = self.token.as_ref().filter(|local| local.verify(token)) {
            return Some(Ok(local.holder()));
        }
        if let Some(keys) = self.keys.as_ref().filter(|_| ApiKeys::is_one(token)) {
            return Some(keys.verify(token, now()));
        }
        #[cfg(feature = "jwt")]
        if let Some(jwt) = self.jwt.as_ref().filter(|_| token.contains(&b'.')) {
            return jwt.verify_at_once(token).map(Ok);
        }
        Some(Err(unknown()))
    }

    #[cfg_attr(
        not(feature = "aws-iam"),
        expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "a proof may have to wait")
    )]
    fn proof_at_once(&self, proof: &[u8]) -> Option<Result<Principal, Refused>> {
        #[cfg(feature = "aws-iam")]
        if let Some(iam) = &self.iam {
            return iam.verify_at_once(proof).map(Ok);
        }
        let _ = proof;
        Some(Err(Refused::credential("iam_not_configured", "no identities of AWS are let in here; see `auth.aws_iam`")))
    }

    /// Who this is by its connection: its certificate, AWS's word, or its user.
    fn connection(&self, peer: &Peer, now: impl Fn() -> UnixMillis) -> Result<Principal, Refused> {
        #[cfg(feature = "mtls")]
        if let (Some(login), Some(der)) = (&self.certificates, &peer.certificate) {
            return login.verify(&crate::CertificateFacts::from_der(der)?, now());
        }
        #[cfg(feature = "aws-iam")]
        if let (Some(accounts), Some(caller)) = (&self.aws_accounts, &peer.aws) {
            return accounts.principal(caller);
        }
        let _ = now;
        match peer.uid.filter(|uid| self.socket_users.contains(uid)) {
            Some(uid) => Ok(Principal {
                id: Arc::from(format!("uid:{uid}")),
                login: Login::Socket,
                claims: None,
                peer: None,
                mtls: false,
            }),
            None => Err(Refused::credential("credential_missing", "the request shows no credential")),
        }
    }
}

/// A caller at the other end of this connection.
fn at(peer: &Peer, who: Principal) -> Principal {
    Principal { peer: peer.address.clone(), mtls: peer.certificate.is_some(), ..who }
}

fn unknown() -> Refused {
    Refused::credential("token_unknown", "the token is neither the local one nor of a form that is let in here")
}
