//! [`Identity`]: whom an ARN names. [`AwsAccounts`]: whose identities count, those that Lambda has found out among them.

use std::sync::Arc;

use lockstep_core::{AwsCaller, Claims, Error, ErrorKind, Login, Principal, Result};

use crate::refused::Refused;
use crate::subject::escaped;

/// The accounts whose identities are let in, by their 12 digits. At least one: there is no way to mean all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAccounts(Vec<Box<str>>);

impl AwsAccounts {
    /// These accounts.
    ///
    /// # Errors
    /// `Config`, with what to write, when there is none, or one is not 12 digits.
    pub fn parse<T: AsRef<str>>(accounts: impl IntoIterator<Item = T>) -> Result<Self> {
        let wrong = |what: &str| {
            let message = format!("{what}; write each account of AWS whose identities are let in, like `123456789012`");
            Error::new(ErrorKind::Config, message)
        };
        let accounts: Vec<Box<str>> = accounts.into_iter().map(|account| account.as_ref().into()).collect();
        if accounts.is_empty() {
            return Err(wrong("there is no account"));
        }
        match accounts.iter().find(|account| !is_account(account)) {
            None => Ok(Self(accounts)),
            Some(bad) => Err(wrong(&format!("`{}` is no account", bad.escape_debug()))),
        }
    }

    /// The caller that AWS has verified in front of us, if its account is one of these. It has the claims of
    /// [`IamLogin`](super::IamLogin)'s callers, and `organization`.
    ///
    /// ```
    /// use lockstep_auth::AwsAccounts;
    /// use lockstep_core::AwsCaller;
    /// let caller = AwsCaller {
    ///     account_id: "123456789012".into(),
    ///     caller_id: "AIDAEXAMPLE".into(),
    ///     user_arn: "arn:aws:iam::123456789012:user/alice".into(),
    ///     user_id: "AIDAEXAMPLE".into(),
    ///     principal_org_id: None,
    /// };
    /// let principal = AwsAccounts::parse(["123456789012"])?.principal(&caller).unwrap();
    /// assert_eq!(&*principal.id, "iam:arn:aws:iam::123456789012:user/alice");
    /// # Ok::<(), lockstep_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `iam_identity_malformed`, `iam_wrong_account`, `iam_identity_refused`.
    pub fn principal(&self, caller: &AwsCaller) -> Result<Principal, Refused> {
        if caller.caller_id != caller.user_id || caller.user_id.is_empty() {
            let detail = "the event names two identities, or none";
            return Err(Refused::credential("iam_identity_malformed", detail));
        }
        let identity = Identity { arn: &caller.user_arn, account: &caller.account_id, user_id: &caller.user_id };
        let mut principal = identity.principal(self, None)?;
        if let (Some(organization), Some(claims)) = (&caller.principal_org_id, &mut principal.claims) {
            Arc::make_mut(claims).insert("organization".to_owned(), organization.as_ref().into());
        }
        Ok(principal)
    }
}

/// An identity, as STS or Lambda tells it.
pub(crate) struct Identity<'a> {
    pub(crate) arn: &'a str,
    pub(crate) account: &'a str,
    pub(crate) user_id: &'a str,
}

impl Identity<'_> {
    /// The caller that this is. It has the claims `arn`, `account`, `user_id`, and, where a role was assumed, `role`, its
    /// ARN without a path, which assumed roles have lost, and `session`, the name that the caller has given itself.
    ///
    /// # Errors
    /// `iam_identity_malformed`; `iam_wrong_account`; `iam_identity_refused` for what is neither a user nor a role, the
    /// root of an account among it.
    pub(crate) fn principal(&self, accounts: &AwsAccounts, partition: Option<&str>) -> Result<Principal, Refused> {
        let malformed = || {
            Refused::credential("iam_identity_malformed", "the identity is no ARN of a user or a role in its account")
        };
        let mut parts = self.arn.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(malformed);
        let (prefix, of, service, region, account, resource) = (next()?, next()?, next()?, next()?, next()?, next()?);
        let is_partition = of == "aws" || of.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty());
        if prefix != "arn"
            || !is_partition
            || partition.is_some_and(|expected| expected != of)
            || !region.is_empty()
            || !is_account(account)
            || account != self.account
            || !self.arn.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-/:".contains(&byte))
        {
            return Err(malformed());
        }
        if !accounts.0.iter().any(|known| **known == *account) {
            let detail = "the identity is of an account that is not listed here";
            return Err(Refused::credential("iam_wrong_account", detail));
        }
        let mut claims = Claims::new();
        let mut claim = |name: &str, value: &str| claims.insert(name.to_owned(), value.into());
        claim("arn", self.arn);
        claim("account", account);
        claim("user_id", self.user_id);
        match (service, resource.split_once('/')) {
            ("iam", Some(("user", name))) if !name.is_empty() => {}
            ("sts", Some(("federated-user", name))) if !name.is_empty() => {}
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.split_once('/').ok_or_else(malformed)?;
                if role.is_empty() || session.is_empty() || session.contains('/') {
                    return Err(malformed());
                }
                claim("role", &format!("arn:{of}:iam::{account}:role/{role}"));
                claim("session", session);
            }
            _ => {
                let detail = "only users and roles are let in, and not the root of an account";
                return Err(Refused::credential("iam_identity_refused", detail));
            }
        }
        let id = escaped(self.arn).ok_or_else(malformed)?;
        Ok(Principal {
            id: Arc::from(format!("iam:{id}")),
            login: Login::AwsIam,
            claims: Some(Arc::new(claims)),
            peer: None,
            mtls: false,
        })
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
