//! [`Endpoint`]: an STS that we ask. Which ones there are is the operator's word alone: a caller can choose among them, by
//! the region that it has signed for, and add none.

use http::Uri;
use lockstep_core::{Error, ErrorKind, Result};

/// An endpoint of STS.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What is signed for there.
    pub(crate) region: Box<str>,
    pub(crate) host: Box<str>,
    pub(crate) uri: Uri,
    /// The partition that its ARNs have.
    pub(crate) partition: &'static str,
}

/// The partition of a region by what its name begins with, and its DNS suffix (AWS's endpoint rule sets). What is not
/// listed is one of `aws`.
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
];

impl Endpoint {
    /// The STS of a region.
    ///
    /// # Errors
    /// `Config` when it is no region: it becomes a part of a host name.
    pub(crate) fn of(region: &str) -> Result<Self> {
        if !is_region(region) {
            let message = format!("`{}` is no region of AWS; write one like `eu-west-1`", region.escape_debug());
            return Err(Error::new(ErrorKind::Config, message));
        }
        let found = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
        let (_, partition, dns) = found.copied().unwrap_or(("", "aws", "amazonaws.com"));
        Self::at(region, &format!("sts.{region}.{dns}"), partition)
    }

    /// The one that serves all regions of `aws`, and is signed for as `us-east-1`.
    pub(crate) fn global() -> Result<Self> {
        Self::at("us-east-1", "sts.amazonaws.com", "aws")
    }

    fn at(region: &str, host: &str, partition: &'static str) -> Result<Self> {
        let uri = format!("https://{host}/").parse();
        let uri = uri.map_err(|_| Error::new(ErrorKind::Internal, "a region makes no host name"))?;
        Ok(Self { region: region.into(), host: host.into(), uri, partition })
    }
}

fn is_region(text: &str) -> bool {
    let is_text = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (4..=32).contains(&text.len())
        && text.bytes().all(is_text)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.rsplit_once('-').is_some_and(|(head, tail)| {
            head.contains('-') && !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o5_a_region_is_checked_before_it_becomes_a_host() {
        for (region, host) in [
            ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
            ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
            ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(&*Endpoint::of(region).unwrap().host, host);
        }
        for bad in
            ["", "eu", "EU-WEST-1", "eu-west-1.evil.test", "evil.test/", "@evil-1", "eu-west-1\r\n", "-eu-west-1"]
        {
            assert_eq!(Endpoint::of(bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
        }
        assert_eq!(Endpoint::global().unwrap().uri, "https://sts.amazonaws.com/");
    }
}
