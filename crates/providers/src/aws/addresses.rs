//! [`Addresses`]: which endpoint of a service is asked, as configuration, environment and shared config file say.
//!
//! The order is that of AWS's SDKs: the setting, `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the `services` section
//! that the profile names, the profile's `endpoint_url`; and else AWS's own host.

use lockstep_core::{Env, Error, ErrorKind, Files, Result};

use super::endpoint::{Endpoint, Service, Variant};
use super::region::Region;
use super::shared::{SharedFiles, chosen};

/// The regions whose calls to STS went to the global endpoint before the regions had endpoints of their own.
const GLOBAL_STS: [&str; 15] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

#[cfg(not(feature = "aws-dynamodb"))]
const SERVICES: [Service; 3] = [Service::SecretsManager, Service::Ssm, Service::Sts];
#[cfg(feature = "aws-dynamodb")]
const SERVICES: [Service; 4] = [Service::SecretsManager, Service::Ssm, Service::Sts, Service::DynamoDb];

/// Where an address was written, and the address.
type Written = Option<(String, String)>;

/// What is asked instead of AWS's own hosts, and which of those.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    insecure: bool,
    /// From environment and profile, in the order of [`SERVICES`].
    found: [Written; SERVICES.len()],
    variant: Variant,
    legacy_sts: bool,
}

/// What the configuration says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) profile: Option<&'a str>,
    pub(crate) insecure: bool,
    pub(crate) fips: Option<bool>,
    pub(crate) dual_stack: Option<bool>,
}

impl Addresses {
    /// Looks at environment and profile.
    ///
    /// # Errors
    /// `Unauthenticated` when the config file of a profile that was asked for can't be read; `Config` when
    /// `AWS_STS_REGIONAL_ENDPOINTS` is wrong.
    pub(crate) fn find(wanted: &Wanted<'_>, env: &dyn Env, files: &dyn Files) -> Result<Self> {
        let (name, asked_for) = chosen(wanted.profile, env);
        let shared = match SharedFiles::config(env, files) {
            Ok(shared) => Some(shared),
            // Nobody asked for a file: keys in the environment need none. Who looks for keys in it says that it can't
            // be read.
            Err(_) if !asked_for && env.var("AWS_CONFIG_FILE").is_none() => None,
            Err(error) => return Err(error),
        };
        let profile = shared.as_ref().map(|shared| shared.profile(&name));
        let of_profile = |key: &str| profile.as_ref().and_then(|profile| profile.get(key));
        let says = |variable: &str, key: &str| {
            let env = env.var(variable).map(|text| text.eq_ignore_ascii_case("true"));
            env.or_else(|| profile.as_ref().and_then(|profile| profile.says(key))).unwrap_or(false)
        };
        let ignored = says("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        let found = SERVICES.map(|service| {
            if ignored {
                return None;
            }
            let variable = |name: &str| env.var(name).map(|text| (name.to_owned(), text));
            let of_section = || {
                let text = profile.as_ref()?.endpoint_of(service.section())?;
                Some((format!("{}.endpoint_url of profile {name}", service.section()), text.to_owned()))
            };
            let common = || Some((format!("endpoint_url of profile {name}"), of_profile("endpoint_url")?.to_owned()));
            variable(service.endpoint_variable())
                .or_else(|| variable("AWS_ENDPOINT_URL"))
                .or_else(of_section)
                .or_else(common)
        });
        let regional = env.var("AWS_STS_REGIONAL_ENDPOINTS");
        let legacy_sts = match regional.as_deref().or_else(|| of_profile("sts_regional_endpoints")) {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("regional") => false,
            Some(text) if text.eq_ignore_ascii_case("legacy") => true,
            Some(_) => {
                let message = "`AWS_STS_REGIONAL_ENDPOINTS` (`sts_regional_endpoints` of a profile) is neither \
                               `regional` nor `legacy`";
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let variant = Variant {
            fips: wanted.fips.unwrap_or_else(|| says("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")),
            dual_stack: wanted
                .dual_stack
                .unwrap_or_else(|| says("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")),
        };
        Ok(Self { insecure: wanted.insecure, found, variant, legacy_sts })
    }

    /// The operator's address of a service, if there is one. It serves every region.
    ///
    /// # Errors
    /// `Config` when the address is wrong, or when FIPS is wanted: nobody can tell whether that host has it.
    pub(crate) fn configured(&self, service: Service, setting: Option<&str>) -> Result<Option<Endpoint>> {
        let found =
            SERVICES.iter().zip(&self.found).find(|(of, _)| **of == service).and_then(|(_, found)| found.as_ref());
        let (place, text) = match (setting, found) {
            (Some(text), _) => ("endpoint", text),
            (None, Some((place, text))) => (place.as_str(), text.as_str()),
            (None, None) => return Ok(None),
        };
        if self.variant.fips {
            let message = format!("`{place}` names a host, and FIPS asks for AWS's own; remove one of them");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Endpoint::parse(text, place, self.insecure).map(Some)
    }

    /// AWS's own address of a service in a region.
    ///
    /// # Errors
    /// `Internal` when the region makes no host name.
    pub(crate) fn of(&self, service: Service, region: &Region) -> Result<Endpoint> {
        Endpoint::of(service, region, self.variant)
    }

    /// Where STS is asked, and the region that is signed for.
    ///
    /// # Errors
    /// As for [`configured`](Self::configured).
    pub(crate) fn sts(&self, region: &Region) -> Result<(Endpoint, String)> {
        let is_global = self.legacy_sts && self.variant == Variant::default() && GLOBAL_STS.contains(&region.as_str());
        match self.configured(Service::Sts, None)? {
            None if is_global => Ok((Endpoint::global_sts()?, "us-east-1".to_owned())),
            _ => self.regional_sts(region),
        }
    }

    /// Where STS of this region is asked: there are calls that the global endpoint does not answer.
    ///
    /// # Errors
    /// As for [`configured`](Self::configured).
    pub(crate) fn regional_sts(&self, region: &Region) -> Result<(Endpoint, String)> {
        let endpoint = match self.configured(Service::Sts, None)? {
            Some(endpoint) => endpoint,
            None => self.of(Service::Sts, region)?,
        };
        Ok((endpoint, region.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests;
