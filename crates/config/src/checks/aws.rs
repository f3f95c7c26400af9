//! What can be said of an AWS login before AWS is asked.

use super::Checks;
use crate::settings::{AwsLogin, AwsSecretsManager};

impl Checks<'_> {
    /// A login, and where it is asked.
    pub(super) fn aws_login(&mut self, key: &str, login: &AwsLogin<'_>) {
        self.address(&format!("{key}.endpoint"), login.endpoint, login.insecure);
        self.tls(key, login.tls);
        if login.use_fips == Some(true) && login.endpoint.is_some() {
            let message = "`endpoint` names a host, and FIPS asks for AWS's own; remove one of them";
            self.wrong(&format!("{key}.use_fips"), message);
        }
        if login.role.is_some() && !login.roles.is_empty() {
            self.wrong(&format!("{key}.role"), "one role is here and several are in `roles`; write one of the two");
        }
        self.aws_roles(key, login);
    }

    /// One region, or several.
    pub(super) fn aws_regions(&mut self, key: &str, settings: &AwsSecretsManager) {
        if settings.region.is_some() && !settings.regions.is_empty() {
            self.wrong(
                &format!("{key}.region"),
                "one region is here and several are in `regions`; write one of the two",
            );
        }
        for (index, region) in settings.regions.iter().enumerate() {
            if settings.regions[..index].contains(region) {
                self.wrong(&format!("{key}.regions.{index}"), "this region is there twice; remove one");
            }
        }
    }

    #[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
    fn aws_roles(&mut self, key: &str, login: &AwsLogin<'_>) {
        use lockstep_providers::aws::{ExternalId, Role};

        use crate::settings::AwsExternalId;

        if let Some(Err(error)) = login.role.map(Role::new) {
            self.wrong(&format!("{key}.role"), error.message());
        }
        for (index, settings) in login.roles.iter().enumerate() {
            let key = format!("{key}.roles.{index}");
            let role = match Role::new(&settings.arn) {
                Ok(role) => role,
                Err(error) => {
                    self.wrong(&format!("{key}.arn"), error.message());
                    continue;
                }
            };
            if let Some(Err(error)) = settings.session_name.as_ref().map(|name| role.clone().session_name(name)) {
                self.wrong(&format!("{key}.session_name"), error.message());
            }
            if let Some(AwsExternalId::Text(text)) = &settings.external_id
                && let Err(error) = role.clone().external_id(ExternalId::Text(text.as_str().into()))
            {
                self.wrong(&format!("{key}.external_id"), error.message());
            }
            let lasting = match settings.duration {
                Some(duration) => role.duration(duration.get()),
                None => Ok(role),
            };
            if let Err(error) = lasting.and_then(|role| role.stands_at(index)) {
                let part = if settings.duration.is_some() { ".duration" } else { "" };
                self.wrong(&format!("{key}{part}"), error.message());
            }
        }
    }

    #[cfg(not(any(feature = "aws-secrets-manager", feature = "aws-parameter-store")))]
    #[expect(clippy::unused_self, reason = "a build without AWS says so, and nothing of its roles")]
    fn aws_roles(&mut self, _key: &str, _login: &AwsLogin<'_>) {}
}
