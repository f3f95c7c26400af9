//! [`Region`], [`Service`] and [`Endpoint`]: where a call goes.
//!
//! A region can come from a caller's ARN and becomes part of a host name, so it is checked here, once. Hosts follow
//! AWS's endpoint rule sets; FIPS and dual-stack hosts are not made yet.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use lockstep_core::{Env, Error, ErrorKind, Result};

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

/// A partition of AWS: its id, as ARNs have it, and its DNS suffix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    dns: &'static str,
    prefixes: &'static [&'static str],
}

const AWS: Partition = Partition { id: "aws", dns: "amazonaws.com", prefixes: &[] };

/// Longer prefixes stand before shorter ones.
const PARTITIONS: [Partition; 7] = [
    Partition { id: "aws-us-gov", dns: "amazonaws.com", prefixes: &["us-gov-"] },
    Partition { id: "aws-cn", dns: "amazonaws.com.cn", prefixes: &["cn-"] },
    Partition { id: "aws-eusc", dns: "amazonaws.eu", prefixes: &["eusc-"] },
    Partition { id: "aws-iso-b", dns: "sc2s.sgov.gov", prefixes: &["us-isob-"] },
    Partition { id: "aws-iso-f", dns: "csp.hci.ic.gov", prefixes: &["us-isof-", "eu-isof-"] },
    Partition { id: "aws-iso-e", dns: "cloud.adc-e.uk", prefixes: &["eu-isoe-"] },
    Partition { id: "aws-iso", dns: "c2s.ic.gov", prefixes: &["us-iso-"] },
];

/// A service that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    SecretsManager,
    Ssm,
    Sts,
}

impl Service {
    /// The name in host names, signatures and ARNs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// What `X-Amz-Target` begins with; STS has no JSON protocol.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager.",
            Self::Ssm => "AmazonSSM.",
            Self::Sts => "",
        }
    }

    fn endpoint_variable(self) -> &'static str {
        match self {
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::Ssm => "AWS_ENDPOINT_URL_SSM",
            Self::Sts => "AWS_ENDPOINT_URL_STS",
        }
    }
}

/// The base address of a service: scheme, host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

impl Endpoint {
    /// AWS's own address of the service in this region.
    pub(crate) fn of(service: Service, region: &Region) -> Result<Self> {
        let text = format!("https://{}.{}.{}/", service.name(), region.as_str(), region.partition().dns);
        text.parse().map(Self).map_err(|_| Error::new(ErrorKind::Internal, "a region makes no host name"))
    }

    /// The STS of the partition `aws` that belongs to no region. It signs for `us-east-1`.
    #[cfg(feature = "vault")]
    pub(crate) fn global_sts() -> Self {
        Self(Uri::from_static("https://sts.amazonaws.com/"))
    }

    /// The address that the operator has set: in the configuration, else in the environment. `None` is AWS's own.
    pub(crate) fn configured(
        service: Service,
        setting: Option<&str>,
        insecure: bool,
        env: &dyn Env,
    ) -> Result<Option<Self>> {
        if let Some(text) = setting {
            return Self::parse(text, "endpoint", insecure).map(Some);
        }
        if env.var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        [service.endpoint_variable(), "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|variable| env.var(variable).map(|text| Self::parse(&text, variable, insecure)))
            .transpose()
    }

    fn parse(text: &str, place: &str, insecure: bool) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::Config, format!("`{place}` {what}"));
        let uri: Uri = text
            .trim_end_matches('/')
            .parse()
            .map_err(|_| wrong("is no URL; write it like `https://secretsmanager.eu-west-1.amazonaws.com`"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("is no URL; write it with its scheme, like `https://host:port`"));
        };
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("has a user, path or query; write scheme, host and port only"));
        }
        match scheme {
            "https" => {}
            "http" if insecure || is_loopback(authority.host()) => {}
            "http" => {
                return Err(wrong("sends secrets over plain http; write `https://`, or set `insecure = true`"));
            }
            _ => return Err(wrong("is neither http nor https; write `https://…`")),
        }
        Ok(Self(uri))
    }

    /// The address.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// What the `Host` header has to say: the authority, without a default port.
    pub(crate) fn host(&self) -> &str {
        let authority = self.0.authority().map_or("", http::uri::Authority::as_str);
        let default = if self.0.scheme_str() == Some("http") { ":80" } else { ":443" };
        authority.strip_suffix(default).unwrap_or(authority)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

/// `localhost` and loopback addresses, IPv6 with or without brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::TestEnv;

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

    #[test]
    fn each_partition_has_its_own_dns_name() {
        for (region, host) in [
            ("eu-west-1", "https://ssm.eu-west-1.amazonaws.com/"),
            ("us-gov-west-1", "https://ssm.us-gov-west-1.amazonaws.com/"),
            ("cn-north-1", "https://ssm.cn-north-1.amazonaws.com.cn/"),
            ("eusc-de-east-1", "https://ssm.eusc-de-east-1.amazonaws.eu/"),
            ("us-iso-east-1", "https://ssm.us-iso-east-1.c2s.ic.gov/"),
            ("us-isob-east-1", "https://ssm.us-isob-east-1.sc2s.sgov.gov/"),
            ("xx-new-9", "https://ssm.xx-new-9.amazonaws.com/"),
        ] {
            let endpoint = Endpoint::of(Service::Ssm, &Region::parse(region).unwrap()).unwrap();
            assert_eq!(endpoint.uri().to_string(), host);
        }
    }

    #[test]
    fn the_setting_comes_before_the_services_variable_before_the_common_one() {
        let find = |setting: Option<&str>, vars: &[(&str, &str)]| {
            let env = TestEnv::of(vars);
            Endpoint::configured(Service::Ssm, setting, false, &*env).unwrap().map(|e| e.to_string())
        };
        let common = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let own = ("AWS_ENDPOINT_URL_SSM", "http://localhost:2/");
        assert_eq!(find(Some("https://a.example"), &[own, common]).as_deref(), Some("https://a.example"));
        assert_eq!(find(None, &[own, common]).as_deref(), Some("http://localhost:2"));
        assert_eq!(find(None, &[common]).as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(find(None, &[own, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]), None);
        assert_eq!(find(None, &[]), None);
    }

    #[test]
    fn an_endpoint_is_refused_with_what_to_write_instead() {
        for (text, hint) in [
            ("http://10.0.0.1:4566", "insecure = true"),
            ("ftp://a.example", "https://"),
            ("a.example", "scheme"),
            ("https://user@a.example", "user"),
            ("https://a.example/path", "path"),
            ("https://a.example?x=1", "query"),
        ] {
            let error = Endpoint::parse(text, "endpoint", false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.message().contains(hint), "{text}: {error}");
        }
        assert!(Endpoint::parse("http://10.0.0.1:4566", "endpoint", true).is_ok());
    }
}
