//! [`Service`] and [`Endpoint`]: where a call goes. Hosts are those of AWS's endpoint rule sets.
//!
//! What an operator has set instead is found by [`Addresses`](super::addresses::Addresses).

use std::fmt;

use http::Uri;
use lockstep_core::{Error, ErrorKind, Result, is_loopback};

use super::region::Region;

/// A service that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    SecretsManager,
    Ssm,
    Sts,
    #[cfg(feature = "aws-dynamodb")]
    DynamoDb,
}

impl Service {
    /// The name in host names, signatures and ARNs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
            #[cfg(feature = "aws-dynamodb")]
            Self::DynamoDb => "dynamodb",
        }
    }

    /// What `X-Amz-Target` begins with; STS has no JSON protocol.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager.",
            Self::Ssm => "AmazonSSM.",
            Self::Sts => "",
            #[cfg(feature = "aws-dynamodb")]
            Self::DynamoDb => "DynamoDB_20120810.",
        }
    }

    /// The variable with an address of this service.
    pub(crate) fn endpoint_variable(self) -> &'static str {
        match self {
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::Ssm => "AWS_ENDPOINT_URL_SSM",
            Self::Sts => "AWS_ENDPOINT_URL_STS",
            #[cfg(feature = "aws-dynamodb")]
            Self::DynamoDb => "AWS_ENDPOINT_URL_DYNAMODB",
        }
    }

    /// The media type of its JSON protocol: its version is part of it.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            #[cfg(feature = "aws-dynamodb")]
            Self::DynamoDb => "application/x-amz-json-1.0",
            _ => "application/x-amz-json-1.1",
        }
    }

    /// The name in a `services` section of the shared config file.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::SecretsManager => "secrets_manager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
            #[cfg(feature = "aws-dynamodb")]
            Self::DynamoDb => "dynamodb",
        }
    }

    /// The host in this region. What looks odd is odd in the rule sets: hosts that were reached by IPv6, or by FIPS
    /// modules, before there was a name for it have kept their names.
    fn host(self, region: &Region, variant: Variant) -> String {
        let (name, partition, at) = (self.name(), region.partition(), region.as_str());
        let kept_dual_stack = self == Self::SecretsManager && ["aws", "aws-us-gov", "aws-cn"].contains(&partition.id);
        let dns = match variant {
            Variant { dual_stack: true, fips } if kept_dual_stack && !(fips && partition.id == "aws-cn") => {
                partition.dns
            }
            Variant { dual_stack: true, .. } => partition.dual_stack,
            Variant { dual_stack: false, .. } => partition.dns,
        };
        let kept_fips = self != Self::SecretsManager && partition.id == "aws-us-gov" && !variant.dual_stack;
        let fips = if variant.fips && !kept_fips { "-fips" } else { "" };
        format!("{name}{fips}.{at}.{dns}")
    }
}

/// Which of the hosts of a service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Variant {
    /// One that uses validated cryptographic modules.
    pub(crate) fips: bool,
    /// One that IPv6 reaches too.
    pub(crate) dual_stack: bool,
}

/// The base address of a service: scheme, host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

impl Endpoint {
    /// AWS's own address of the service in this region.
    pub(crate) fn of(service: Service, region: &Region, variant: Variant) -> Result<Self> {
        Self::at(&service.host(region, variant))
    }

    /// The address of STS that serves every region of `aws`, as it was before the regions had their own.
    pub(crate) fn global_sts() -> Result<Self> {
        Self::at("sts.amazonaws.com")
    }

    fn at(host: &str) -> Result<Self> {
        let uri = format!("https://{host}/").parse();
        uri.map(Self).map_err(|_| Error::new(ErrorKind::Internal, "a region makes no host name"))
    }

    /// Reads an address that the operator has written at this place.
    pub(crate) fn parse(text: &str, place: &str, insecure: bool) -> Result<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [&str; 8] = [
        "eu-west-1",
        "us-gov-west-1",
        "cn-north-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
    ];

    const HOSTS: [&str; 96] = [
        "secretsmanager.eu-west-1.amazonaws.com",
        "secretsmanager-fips.eu-west-1.amazonaws.com",
        "secretsmanager.eu-west-1.amazonaws.com",
        "secretsmanager-fips.eu-west-1.amazonaws.com",
        "secretsmanager.us-gov-west-1.amazonaws.com",
        "secretsmanager-fips.us-gov-west-1.amazonaws.com",
        "secretsmanager.us-gov-west-1.amazonaws.com",
        "secretsmanager-fips.us-gov-west-1.amazonaws.com",
        "secretsmanager.cn-north-1.amazonaws.com.cn",
        "secretsmanager-fips.cn-north-1.amazonaws.com.cn",
        "secretsmanager.cn-north-1.amazonaws.com.cn",
        "secretsmanager-fips.cn-north-1.api.amazonwebservices.com.cn",
        "secretsmanager.eusc-de-east-1.amazonaws.eu",
        "secretsmanager-fips.eusc-de-east-1.amazonaws.eu",
        "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu",
        "secretsmanager-fips.eusc-de-east-1.api.amazonwebservices.eu",
        "secretsmanager.us-iso-east-1.c2s.ic.gov",
        "secretsmanager-fips.us-iso-east-1.c2s.ic.gov",
        "secretsmanager.us-iso-east-1.api.aws.ic.gov",
        "secretsmanager-fips.us-iso-east-1.api.aws.ic.gov",
        "secretsmanager.us-isob-east-1.sc2s.sgov.gov",
        "secretsmanager-fips.us-isob-east-1.sc2s.sgov.gov",
        "secretsmanager.us-isob-east-1.api.aws.scloud",
        "secretsmanager-fips.us-isob-east-1.api.aws.scloud",
        "secretsmanager.eu-isoe-west-1.cloud.adc-e.uk",
        "secretsmanager-fips.eu-isoe-west-1.cloud.adc-e.uk",
        "secretsmanager.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "secretsmanager-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "secretsmanager.us-isof-south-1.csp.hci.ic.gov",
        "secretsmanager-fips.us-isof-south-1.csp.hci.ic.gov",
        "secretsmanager.us-isof-south-1.api.aws.hci.ic.gov",
        "secretsmanager-fips.us-isof-south-1.api.aws.hci.ic.gov",
        "ssm.eu-west-1.amazonaws.com",
        "ssm-fips.eu-west-1.amazonaws.com",
        "ssm.eu-west-1.api.aws",
        "ssm-fips.eu-west-1.api.aws",
        "ssm.us-gov-west-1.amazonaws.com",
        "ssm.us-gov-west-1.amazonaws.com",
        "ssm.us-gov-west-1.api.aws",
        "ssm-fips.us-gov-west-1.api.aws",
        "ssm.cn-north-1.amazonaws.com.cn",
        "ssm-fips.cn-north-1.amazonaws.com.cn",
        "ssm.cn-north-1.api.amazonwebservices.com.cn",
        "ssm-fips.cn-north-1.api.amazonwebservices.com.cn",
        "ssm.eusc-de-east-1.amazonaws.eu",
        "ssm-fips.eusc-de-east-1.amazonaws.eu",
        "ssm.eusc-de-east-1.api.amazonwebservices.eu",
        "ssm-fips.eusc-de-east-1.api.amazonwebservices.eu",
        "ssm.us-iso-east-1.c2s.ic.gov",
        "ssm-fips.us-iso-east-1.c2s.ic.gov",
        "ssm.us-iso-east-1.api.aws.ic.gov",
        "ssm-fips.us-iso-east-1.api.aws.ic.gov",
        "ssm.us-isob-east-1.sc2s.sgov.gov",
        "ssm-fips.us-isob-east-1.sc2s.sgov.gov",
        "ssm.us-isob-east-1.api.aws.scloud",
        "ssm-fips.us-isob-east-1.api.aws.scloud",
        "ssm.eu-isoe-west-1.cloud.adc-e.uk",
        "ssm-fips.eu-isoe-west-1.cloud.adc-e.uk",
        "ssm.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "ssm-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "ssm.us-isof-south-1.csp.hci.ic.gov",
        "ssm-fips.us-isof-south-1.csp.hci.ic.gov",
        "ssm.us-isof-south-1.api.aws.hci.ic.gov",
        "ssm-fips.us-isof-south-1.api.aws.hci.ic.gov",
        "sts.eu-west-1.amazonaws.com",
        "sts-fips.eu-west-1.amazonaws.com",
        "sts.eu-west-1.api.aws",
        "sts-fips.eu-west-1.api.aws",
        "sts.us-gov-west-1.amazonaws.com",
        "sts.us-gov-west-1.amazonaws.com",
        "sts.us-gov-west-1.api.aws",
        "sts-fips.us-gov-west-1.api.aws",
        "sts.cn-north-1.amazonaws.com.cn",
        "sts-fips.cn-north-1.amazonaws.com.cn",
        "sts.cn-north-1.api.amazonwebservices.com.cn",
        "sts-fips.cn-north-1.api.amazonwebservices.com.cn",
        "sts.eusc-de-east-1.amazonaws.eu",
        "sts-fips.eusc-de-east-1.amazonaws.eu",
        "sts.eusc-de-east-1.api.amazonwebservices.eu",
        "sts-fips.eusc-de-east-1.api.amazonwebservices.eu",
        "sts.us-iso-east-1.c2s.ic.gov",
        "sts-fips.us-iso-east-1.c2s.ic.gov",
        "sts.us-iso-east-1.api.aws.ic.gov",
        "sts-fips.us-iso-east-1.api.aws.ic.gov",
        "sts.us-isob-east-1.sc2s.sgov.gov",
        "sts-fips.us-isob-east-1.sc2s.sgov.gov",
        "sts.us-isob-east-1.api.aws.scloud",
        "sts-fips.us-isob-east-1.api.aws.scloud",
        "sts.eu-isoe-west-1.cloud.adc-e.uk",
        "sts-fips.eu-isoe-west-1.cloud.adc-e.uk",
        "sts.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "sts-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "sts.us-isof-south-1.csp.hci.ic.gov",
        "sts-fips.us-isof-south-1.csp.hci.ic.gov",
        "sts.us-isof-south-1.api.aws.hci.ic.gov",
        "sts-fips.us-isof-south-1.api.aws.hci.ic.gov",
    ];

    /// Every partition, service and variant, as botocore 1.44 resolves them from AWS's rule sets.
    /// Break: any condition in `Service::host`, or any row of `PARTITIONS`.
    #[test]
    fn every_partition_service_and_variant_has_the_host_of_the_rule_sets() {
        let mut hosts = HOSTS.iter();
        for service in [Service::SecretsManager, Service::Ssm, Service::Sts] {
            for region in REGIONS {
                for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
                    let endpoint =
                        Endpoint::of(service, &Region::parse(region).unwrap(), Variant { fips, dual_stack }).unwrap();
                    let expected = hosts.next().unwrap();
                    assert_eq!(endpoint.host(), *expected, "{region} {fips} {dual_stack}");
                    // DynamoDB's rule set is that of Parameter Store with another name in it.
                    if service == Service::Ssm {
                        let region = Region::parse(region).unwrap();
                        let twin = Endpoint::of(Service::DynamoDb, &region, Variant { fips, dual_stack }).unwrap();
                        assert_eq!(twin.host(), expected.replacen("ssm", "dynamodb", 1));
                    }
                }
            }
        }
        assert_eq!(hosts.next(), None);
        let unknown = Region::parse("xx-new-9").unwrap();
        let endpoint = Endpoint::of(Service::Ssm, &unknown, Variant::default()).unwrap();
        assert_eq!(endpoint.uri().to_string(), "https://ssm.xx-new-9.amazonaws.com/");
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
