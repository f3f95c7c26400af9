//! [`Arn`]: the parts of an Amazon resource name that decide where a call goes.

use lockstep_core::{Error, ErrorKind, Result};

use super::endpoint::Service;
use super::region::Region;

/// A parsed `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) region: Region,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads the ARN of a resource of this service; `None` when the text is a plain name.
    ///
    /// # Errors
    /// `InvalidName` when it is an ARN, but a malformed one, or one of another service or partition.
    pub(crate) fn parse(text: &'a str, service: Service) -> Result<Option<Self>> {
        if !text.starts_with("arn:") {
            return Ok(None);
        }
        let wrong = |what: &str| Error::new(ErrorKind::InvalidName, format!("the name is an ARN, but {what}"));
        let mut parts = text.splitn(6, ':').skip(1);
        let mut next = || parts.next().unwrap_or_default();
        let (partition, of, region, account, resource) = (next(), next(), next(), next(), next());
        if of != service.name() {
            return Err(wrong(&format!("not one of `{}`; ask the provider that it belongs to", service.name())));
        }
        let Some(region) = Region::parse(region) else {
            return Err(wrong("its region is not one; copy the whole ARN"));
        };
        if region.partition().id != partition {
            return Err(wrong("its partition has no such region; copy the whole ARN"));
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) || resource.is_empty() {
            return Err(wrong("its account is not 12 digits or its resource is missing; copy the whole ARN"));
        }
        Ok(Some(Self { region, account, resource }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_gives_region_account_and_resource() {
        let arn = Arn::parse("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b", Service::Ssm).unwrap().unwrap();
        assert_eq!((arn.region.as_str(), arn.account, arn.resource), ("eu-west-1", "123456789012", "parameter/a/b"));
        assert!(Arn::parse("db/creds", Service::Ssm).unwrap().is_none());
    }

    #[test]
    fn a_wrong_arn_is_refused_before_any_call() {
        for text in [
            "arn:aws:s3:::bucket",
            "arn:aws:ssm:evil.example:123456789012:parameter/a",
            "arn:aws:ssm:eu-west-1:1234:parameter/a",
            "arn:aws-cn:ssm:eu-west-1:123456789012:parameter/a",
            "arn:aws:ssm:eu-west-1:123456789012:",
            "arn:aws:ssm:eu-west-1:123456789012",
            "arn:",
        ] {
            assert_eq!(Arn::parse(text, Service::Ssm).unwrap_err().kind(), ErrorKind::InvalidName, "{text}");
        }
    }
}
