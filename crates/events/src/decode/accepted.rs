//! [`Accepted`]: whose notifications are taken in.

use lockstep_core::{ScopeParts, Source};

/// Whose notifications are taken in. What the configuration knows comes in here; nothing here reads one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Where secrets live that this deployment reads. An empty field stands for any. `None` takes every Change.
    pub sources: Option<Vec<Source>>,
    /// The accounts of AWS whose events count, by their 12 digits. `None` takes every one: a provider of AWS is configured
    /// without its account.
    pub accounts: Option<Vec<String>>,
    /// The topics of SNS (their ARNs) and of Event Grid (their resource ids) that may deliver. `None` takes every one.
    pub topics: Option<Vec<String>>,
    /// The subscriptions of Pub/Sub (`projects/…/subscriptions/…`) and of Event Grid (their names) that may deliver.
    /// `None` takes every one.
    pub subscriptions: Option<Vec<String>>,
    /// The namespaces of Vault whose events count, without `/` at their ends; the root is empty. `None` takes every one.
    pub namespaces: Option<Vec<String>>,
    /// Which Vault sends its events. Its events do not say it in a way that is known here; who subscribed knows.
    pub vault: Source,
}

impl Accepted {
    /// Everything, for looking at a notification. An endpoint says what it expects.
    pub fn anything() -> Self {
        Self::default()
    }

    /// What is about secrets of these scopes, from any topic and subscription.
    ///
    /// A scope says the account where it is configured alone, and an ARN leads to other accounts and regions: whoever lets
    /// callers read by ARN adds those to [`sources`](Self::sources).
    ///
    /// ```
    /// use lockstep_core::ScopeParts;
    /// use lockstep_events::decode::Accepted;
    /// let vault = ScopeParts {
    ///     provider: "azure-key-vault".into(),
    ///     region: "sample-kv.vault.azure.net".into(),
    ///     ..ScopeParts::default()
    /// };
    /// assert_eq!(Accepted::of([&vault]).sources.unwrap()[0].provider, "azure-key-vault");
    /// ```
    pub fn of<'s>(scopes: impl IntoIterator<Item = &'s ScopeParts>) -> Self {
        let (mut sources, mut namespaces) = (Vec::new(), Vec::new());
        for scope in scopes {
            let (provider, account, region) = (scope.provider.clone(), scope.account.clone(), scope.region.clone());
            sources.push(Source { provider, account, region });
            if scope.provider == "vault" {
                namespaces.push(scope.namespace.clone());
            }
        }
        Self { sources: Some(sources), namespaces: Some(namespaces), ..Self::default() }
    }

    /// Whether secrets that live there are read here.
    pub(super) fn knows(&self, source: &Source) -> bool {
        if let (Some(accounts), true) = (&self.accounts, source.provider.starts_with("aws-"))
            && !accounts.iter().any(|account| *account == *source.account)
        {
            return false;
        }
        let Some(known) = &self.sources else { return true };
        known.iter().any(|known| {
            known.provider == source.provider
                && fits_account(&known.account, &source.account)
                && fits(&known.region, &source.region)
        })
    }

    /// Whether this topic or this subscription, to the letter, may deliver.
    pub(super) fn expects_topic(&self, topic: &str) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.iter().any(|known| known == topic))
    }

    pub(super) fn expects_subscription(&self, name: &str) -> bool {
        self.subscriptions.as_ref().is_none_or(|known| known.iter().any(|known| known == name))
    }

    /// The same for Event Grid. To Azure, names that differ in case alone are one, and it writes them as it likes.
    pub(super) fn expects_azure(&self, topic: &str, subscription: &str) -> bool {
        let has = |known: &Option<Vec<String>>, name: &str| {
            known.as_ref().is_none_or(|known| known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        };
        has(&self.topics, topic) && has(&self.subscriptions, subscription)
    }

    pub(super) fn expects_namespace(&self, namespace: &str) -> bool {
        let known = self.namespaces.as_ref();
        known.is_none_or(|known| known.iter().any(|known| known.trim_matches('/') == namespace.trim_matches('/')))
    }
}

/// What one side does not know can't be told apart.
fn fits(known: &str, told: &str) -> bool {
    known.is_empty() || told.is_empty() || known == told
}

/// A project of Google has an id and a number, and nothing here knows which belong together.
fn fits_account(known: &str, told: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    fits(known, told) || is_number(known) != is_number(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(provider: &str, account: &str, region: &str) -> Source {
        Source { provider: provider.into(), account: account.into(), region: region.into() }
    }

    /// Break: any of the four comparisons in `knows`, or the second half of `fits_account`.
    #[test]
    fn e8_a_place_that_is_not_known_is_foreign_and_an_empty_field_stands_for_any() {
        let aws = source("aws-secrets-manager", "111111111111", "eu-west-1");
        let gcp = source("gcp-secret-manager", "acme-prod", "");
        let accepted = Accepted { sources: Some(vec![aws.clone(), gcp]), ..Accepted::default() };
        for (told, expected) in [
            (aws.clone(), true),
            (source("aws-secrets-manager", "", "eu-west-1"), true),
            (source("aws-secrets-manager", "111111111111", ""), true),
            (source("aws-secrets-manager", "222222222222", "eu-west-1"), false),
            (source("aws-secrets-manager", "111111111111", "us-east-1"), false),
            (source("aws-parameter-store", "111111111111", "eu-west-1"), false),
            (source("gcp-secret-manager", "acme-prod", "europe-west3"), true),
            (source("gcp-secret-manager", "other", ""), false),
            // The number of a project may be that of the one whose id is known.
            (source("gcp-secret-manager", "123456", ""), true),
        ] {
            assert_eq!(accepted.knows(&told), expected, "{told:?}");
        }
        assert!(Accepted::anything().knows(&source("anything", "", "")));
        // Accounts of AWS are looked at by themselves, and one that is not told is none of them.
        let of_accounts = Accepted { accounts: Some(vec!["111111111111".to_owned()]), ..Accepted::anything() };
        for (told, expected) in [
            (aws.clone(), true),
            (source("aws-parameter-store", "222222222222", "eu-west-1"), false),
            (source("aws-secrets-manager", "", "eu-west-1"), false),
            (source("vault", "", ""), true),
        ] {
            assert_eq!(of_accounts.knows(&told), expected, "{told:?}");
        }
        assert!(!Accepted { sources: Some(Vec::new()), ..Accepted::default() }.knows(&aws));
    }

    /// Break: either comparison, in `expects_topic` or in `expects_azure`.
    #[test]
    fn topics_and_subscriptions_are_compared_whole_and_in_any_case_for_azure_alone() {
        let names = || Some(vec!["arn:aws:sns:eu-west-1:1:Rotations".to_owned()]);
        let accepted = Accepted { topics: names(), subscriptions: names(), ..Accepted::default() };
        let (same, cased) = ("arn:aws:sns:eu-west-1:1:Rotations", "arn:aws:sns:eu-west-1:1:rotations");
        assert!(accepted.expects_topic(same) && accepted.expects_subscription(same));
        assert!(!accepted.expects_topic(cased) && !accepted.expects_subscription(cased));
        assert!(accepted.expects_azure(cased, cased));
        for other in ["", "Rotations", "arn:aws:sns:eu-west-1:1:Rotations2"] {
            assert!(!accepted.expects_topic(other) && !accepted.expects_subscription(other), "{other}");
            assert!(!accepted.expects_azure(other, same) && !accepted.expects_azure(same, other), "{other}");
        }
    }
}
