//! [`Region`] and [`Partition`]: where in AWS something is.
//!
//! A region can come from a caller's ARN and becomes part of a host name, so it is checked here, once. Partitions and
//! their DNS names are those of AWS's endpoint rule sets.

use std::fmt;
use std::sync::Arc;

/// A region such as `eu-west-1`: lower-case letters, digits and `-`, ending in `-` and a digit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Region(Arc<str>);

impl Region {
    /// Reads a region, or `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fits = (4..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.rsplit_once('-').is_some_and(|(head, tail)| {
                head.contains('-') && !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit())
            });
        fits.then(|| Self(Arc::from(text)))
    }

    /// The region as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the region belongs to. An unknown region is one of `aws`.
    pub(crate) fn partition(&self) -> &'static Partition {
        let region = self.as_str();
        PARTITIONS.iter().find(|partition| partition.prefixes.iter().any(|p| region.starts_with(p))).unwrap_or(&AWS)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A partition of AWS: its id, as ARNs have it, and its DNS suffixes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    pub(crate) dns: &'static str,
    /// The suffix of hosts that IPv6 reaches too.
    pub(crate) dual_stack: &'static str,
    prefixes: &'static [&'static str],
}

const AWS: Partition = Partition { id: "aws", dns: "amazonaws.com", dual_stack: "api.aws", prefixes: &[] };

/// Each prefix ends in `-`, so that none is the beginning of another.
const PARTITIONS: [Partition; 7] = [
    Partition { id: "aws-us-gov", dns: "amazonaws.com", dual_stack: "api.aws", prefixes: &["us-gov-"] },
    Partition { id: "aws-cn", dns: "amazonaws.com.cn", dual_stack: "api.amazonwebservices.com.cn", prefixes: &["cn-"] },
    Partition { id: "aws-eusc", dns: "amazonaws.eu", dual_stack: "api.amazonwebservices.eu", prefixes: &["eusc-"] },
    Partition { id: "aws-iso-b", dns: "sc2s.sgov.gov", dual_stack: "api.aws.scloud", prefixes: &["us-isob-"] },
    Partition {
        id: "aws-iso-f",
        dns: "csp.hci.ic.gov",
        dual_stack: "api.aws.hci.ic.gov",
        prefixes: &["us-isof-", "eu-isof-"],
    },
    Partition { id: "aws-iso-e", dns: "cloud.adc-e.uk", dual_stack: "api.cloud-aws.adc-e.uk", prefixes: &["eu-isoe-"] },
    Partition { id: "aws-iso", dns: "c2s.ic.gov", dual_stack: "api.aws.ic.gov", prefixes: &["us-iso-"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_checked_before_it_becomes_a_host() {
        for good in ["eu-west-1", "us-gov-east-1", "eusc-de-east-1", "ap-southeast-12"] {
            assert!(Region::parse(good).is_some(), "{good}");
        }
        for bad in ["", "eu", "eu-west", "EU-WEST-1", "eu-west-1.evil.example", "eu-west-1/", "-eu-west-1", "eu--", "1"]
        {
            assert!(Region::parse(bad).is_none(), "{bad}");
        }
    }
}
