//! Logins, roles and regions of AWS, as they are written.

use super::{load, problems};
use crate::settings::{AwsExternalId, Credential, Provider};

const SM: &str = "[providers.a]\ntype = \"aws-secrets-manager\"\n";
const APP: &str = "arn:aws:iam::123456789012:role/app";

/// Break: any check in `checks/aws.rs`.
#[test]
fn a_role_or_region_that_is_wrong_says_what_to_write_where_it_stands() {
    let roles = |entries: &str| format!("roles = [{entries}]");
    let good = format!("{{ arn = \"{APP}\" }}");
    for (text, expected) in [
        (
            "role = \"app\"".to_owned(),
            "lockstep.toml:3:8: `providers.a.role`: this is not the ARN of a role; write it like \
             `arn:aws:iam::123456789012:role/name`",
        ),
        (
            format!("role = \"{APP}\"\nroles = [{good}]"),
            "lockstep.toml:3:8: `providers.a.role`: one role is here and several are in `roles`; write one of the two",
        ),
        (
            roles("{ arn = \"arn:aws:iam::1:role/x\" }"),
            "lockstep.toml:3:18: `providers.a.roles.0.arn`: this is not the ARN of a role; write it like \
             `arn:aws:iam::123456789012:role/name`",
        ),
        (
            roles(&format!("{{ arn = \"{APP}\", session_name = \"a b\" }}")),
            "lockstep.toml:3:71: `providers.a.roles.0.session_name`: a session name has 2 to 64 letters, digits and \
             `_+=,.@-`",
        ),
        (
            roles(&format!("{{ arn = \"{APP}\", external_id = \"a b\" }}")),
            "lockstep.toml:3:70: `providers.a.roles.0.external_id`: an external id has 2 to 1224 letters, digits and \
             `_+=,.@:/-`",
        ),
        (
            roles(&format!("{{ arn = \"{APP}\", external_id = 7 }}")),
            "lockstep.toml:3:70: `providers.a.roles.0.external_id`: a number is written here; write a text, `{ env = \
             \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            roles(&format!("{{ arn = \"{APP}\", duration = \"5m\" }}")),
            "lockstep.toml:3:67: `providers.a.roles.0.duration`: a role's session lasts from 15 min to 12 h",
        ),
        (
            roles(&format!("{good}, {{ arn = \"{APP}\", duration = \"2h\" }}")),
            "lockstep.toml:3:115: `providers.a.roles.1.duration`: a role that is assumed with another role's \
             credentials lasts 1 h at most; write less",
        ),
        (
            "region = \"eu-west-1\"\nregions = [\"eu-west-1\"]".to_owned(),
            "lockstep.toml:3:10: `providers.a.region`: one region is here and several are in `regions`; write one of \
             the two",
        ),
        (
            "regions = [\"eu-west-1\", \"eu-west-1\"]".to_owned(),
            "lockstep.toml:3:25: `providers.a.regions.1`: this region is there twice; remove one",
        ),
        (
            "use_fips = true\nendpoint = \"https://a.example\"".to_owned(),
            "lockstep.toml:3:12: `providers.a.use_fips`: `endpoint` names a host, and FIPS asks for AWS's own; remove \
             one of them",
        ),
    ] {
        assert_eq!(problems(&format!("{SM}{text}"), &[]), expected, "{text}");
    }
    let six = std::iter::repeat_n(good.as_str(), 6).collect::<Vec<_>>().join(", ");
    assert!(problems(&format!("{SM}{}", roles(&six)), &[]).contains("`providers.a.roles.5`: there are more than five"));
}

#[test]
fn what_is_written_of_roles_and_regions_is_shown_and_means_the_same() {
    let text = format!(
        "{SM}regions = [\"eu-west-1\", \"eu-central-1\"]\nuse_dualstack = true\nroles = [\n{{ arn = \"{APP}\", external_id = \
         \"tenant/7\", duration = \"12h\" }},\n{{ arn = \"{APP}\", external_id = {{ env = \"ID\" }}, session_name = \"me\" \
         }},\n]\n"
    );
    let config = load(&text, &[]).unwrap();
    let shown = config.to_toml();
    assert_eq!(load(&shown, &[]).unwrap().settings().providers, config.settings().providers, "{shown}");
    let Some(Provider::AwsSecretsManager(settings)) = config.settings().providers.values().next() else {
        panic!("{shown}")
    };
    assert_eq!(settings.login().region, Some("eu-west-1"));
    assert_eq!(settings.roles[0].external_id, Some(AwsExternalId::Text("tenant/7".into())));
    assert_eq!(settings.roles[1].external_id, Some(AwsExternalId::From(Credential::Env("ID".into()))));
}
