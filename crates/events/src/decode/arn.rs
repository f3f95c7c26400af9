//! [`Arn`]: whose secret an Amazon resource name in a notification is.

use lockstep_core::Source;

/// `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads one; `None` when the text is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
        let is_word = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=63).contains(&text.len()) && text.bytes().all(allowed)
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let fits = arn == "arn" && [partition, service, region].into_iter().all(is_word) && is_account;
        (fits && !resource.is_empty()).then_some(Self { service, region, account, resource })
    }

    /// What Secrets Manager calls the secret, with the six characters that it appends.
    pub(super) fn secret(self) -> Option<Suffixed<'a>> {
        let rest = self.resource.strip_prefix("secret:").filter(|rest| !rest.is_empty())?;
        (self.service == "secretsmanager").then_some(Suffixed(rest))
    }

    /// Where it is.
    pub(super) fn source(self, provider: &str) -> Source {
        Source { provider: provider.into(), account: self.account.into(), region: self.region.into() }
    }
}

/// A name with `-` and six characters behind it, or without: a caller may leave them out, and then nobody can tell a
/// name that ends like that from one that something was appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suffixed<'a>(&'a str);

impl<'a> Suffixed<'a> {
    /// The text as it stands.
    pub(super) fn whole(self) -> &'a str {
        self.0
    }

    /// The text without what was appended, if something may have been.
    pub(super) fn name(self) -> Option<&'a str> {
        let (name, suffix) = self.0.rsplit_once('-')?;
        let fits = suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !name.is_empty();
        fits.then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: any check of `parse`, `secret` or `name`.
    #[test]
    fn an_arn_tells_whose_secret_it_is_and_everything_else_tells_nothing() {
        let name = |text: &'static str| Arn::parse(text).and_then(Arn::secret).map(|s| (s.whole(), s.name()));
        let whole = "arn:aws:secretsmanager:us-west-2:012345678901:secret:";
        assert_eq!(Arn::parse(&format!("{whole}a-a1b2c3")).unwrap().account, "012345678901");
        assert_eq!(
            name("arn:aws:secretsmanager:us-west-2:012345678901:secret:db/mySecret-a1b2c3"),
            Some(("db/mySecret-a1b2c3", Some("db/mySecret")))
        );
        assert_eq!(name("arn:aws-cn:secretsmanager:cn-north-1:012345678901:secret:plain"), Some(("plain", None)));
        assert_eq!(
            name("arn:aws:secretsmanager:us-west-2:012345678901:secret:rds!cluster-9f-a1b2c3"),
            Some(("rds!cluster-9f-a1b2c3", Some("rds!cluster-9f")))
        );
        // What was appended is a `-` and six letters or digits; anything else belongs to the name.
        for whole in ["a-a1b2c", "a-a1b2c3d", "a-a1b2c!", "-a1b2c3", "a_a1b2c3"] {
            assert_eq!(Suffixed(whole).name(), None, "{whole}");
        }
        for none in [
            "",
            "db/creds",
            "arn:aws:secretsmanager:us-west-2:012345678901:secret:",
            "arn:aws:secretsmanager:us-west-2:012345678901:other:a-a1b2c3",
            "arn:aws:ssm:us-west-2:012345678901:secret:a-a1b2c3",
            "arn:aws:secretsmanager:us-west-2:01234567890:secret:a-a1b2c3",
            "arn:aws:secretsmanager:us-west-2:0123456789ab:secret:a-a1b2c3",
            "arn:aws:secretsmanager:US WEST:012345678901:secret:a-a1b2c3",
            "urn:aws:secretsmanager:us-west-2:012345678901:secret:a-a1b2c3",
        ] {
            assert_eq!(name(none), None, "{none}");
        }
    }
}
