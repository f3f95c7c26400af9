use std::path::Path;

use lockstep_core::{FileContent, FileStamp};
use lockstep_testkit::{TestEnv, TestFiles};

use super::*;

const CONFIG: &str = "[default]\nendpoint_url = https://default.example\n\n[profile team]\nservices = ours # a name\n\
                      endpoint_url = https://team.example\n\n[services ours]\nsecrets_manager =\n  retries = 3\n  \
                      endpoint_url = https://sm.example\nsts =\n  max = 1\n[services other]\nssm =\n  endpoint_url = x\n";

fn find(vars: &[(&str, &str)], config: &str, wanted: Wanted<'_>) -> Result<Addresses> {
    let files = TestFiles::new();
    files.write("/c", config);
    let vars: Vec<(&str, &str)> = vars.iter().copied().chain([("AWS_CONFIG_FILE", "/c")]).collect();
    Addresses::find(&wanted, &*TestEnv::of(&vars), &*files)
}

/// Break: swap any two steps of `Addresses::find`, or the one of `setting` in `configured`.
#[test]
fn an_address_comes_from_setting_variables_services_section_and_profile_in_this_order() {
    let team = ("AWS_PROFILE", "team");
    let own = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://localhost:2/");
    let common = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let sm = Service::SecretsManager;
    for (service, setting, vars, expected) in [
        (sm, Some("https://a.example"), &[team, own, common][..], Some("https://a.example")),
        (sm, Some("https://a.example"), &[team, own, common, ignore][..], Some("https://a.example")),
        (sm, None, &[team, own, common][..], Some("http://localhost:2")),
        (Service::Ssm, None, &[team, own, common][..], Some("http://127.0.0.1:1")),
        (sm, None, &[team, common][..], Some("http://127.0.0.1:1")),
        (sm, None, &[team][..], Some("https://sm.example")),
        (Service::Ssm, None, &[team][..], Some("https://team.example")),
        (Service::Sts, None, &[team][..], Some("https://team.example")),
        (sm, None, &[][..], Some("https://default.example")),
        (sm, None, &[team, own, common, ignore][..], None),
        (sm, None, &[("AWS_PROFILE", "none")][..], None),
    ] {
        let addresses = find(vars, CONFIG, Wanted::default()).unwrap();
        let found = addresses.configured(service, setting).unwrap().map(|endpoint| endpoint.to_string());
        assert_eq!(found.as_deref(), expected, "{vars:?}");
    }
    let ignoring =
        format!("{CONFIG}[profile quiet]\nignore_configured_endpoint_urls = true\nendpoint_url = https://x\n");
    let addresses = find(&[("AWS_PROFILE", "quiet")], &ignoring, Wanted::default()).unwrap();
    assert_eq!(addresses.configured(sm, None).unwrap(), None);
}

/// Break: the order of setting, variable and profile key in either half of `variant`.
#[test]
fn fips_and_dual_stack_come_from_setting_variable_and_profile_in_this_order() {
    let profile = "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n";
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let no_fips = ("AWS_USE_FIPS_ENDPOINT", "false");
    let dual = ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE");
    let no_dual = ("AWS_USE_DUALSTACK_ENDPOINT", "false");
    for (vars, config, set, host) in [
        (&[][..], "", (None, None), "ssm.eu-west-1.amazonaws.com"),
        (&[fips][..], "", (None, None), "ssm-fips.eu-west-1.amazonaws.com"),
        (&[dual][..], "", (None, None), "ssm.eu-west-1.api.aws"),
        (&[][..], profile, (None, None), "ssm-fips.eu-west-1.api.aws"),
        (&[no_fips, no_dual][..], profile, (None, None), "ssm.eu-west-1.amazonaws.com"),
        (&[fips, dual][..], profile, (Some(false), Some(false)), "ssm.eu-west-1.amazonaws.com"),
        (&[no_fips, no_dual][..], "", (Some(true), Some(true)), "ssm-fips.eu-west-1.api.aws"),
    ] {
        let wanted = Wanted { fips: set.0, dual_stack: set.1, ..Wanted::default() };
        let addresses = find(vars, config, wanted).unwrap();
        let endpoint = addresses.of(Service::Ssm, &Region::parse("eu-west-1").unwrap()).unwrap();
        assert_eq!(endpoint.host(), host, "{vars:?} {config}");
    }
}

/// Break: leave out the refusal in `configured`; secrets would go to a host of which nobody knows whether it has FIPS.
#[test]
fn fips_and_a_host_of_ones_own_exclude_each_other() {
    let wanted = Wanted { fips: Some(true), ..Wanted::default() };
    let addresses = find(&[("AWS_ENDPOINT_URL_STS", "https://sts.example")], "", wanted).unwrap();
    let error = addresses.sts(&Region::parse("eu-west-1").unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("AWS_ENDPOINT_URL_STS") && error.message().contains("FIPS"), "{error}");
    assert!(addresses.configured(Service::Ssm, None).unwrap().is_none());
}

/// Break: any condition of `is_global`, or sign for the region at the global endpoint.
#[test]
fn sts_is_asked_in_the_region_unless_the_legacy_way_is_wanted() {
    let legacy = ("AWS_STS_REGIONAL_ENDPOINTS", "legacy");
    let of_profile = "[default]\nsts_regional_endpoints = legacy\n";
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    for (vars, config, region, host, signed) in [
        (&[][..], "", "eu-west-1", "sts.eu-west-1.amazonaws.com", "eu-west-1"),
        (&[legacy][..], "", "eu-west-1", "sts.amazonaws.com", "us-east-1"),
        (&[][..], of_profile, "us-west-2", "sts.amazonaws.com", "us-east-1"),
        (
            &[("AWS_STS_REGIONAL_ENDPOINTS", "regional")][..],
            of_profile,
            "us-west-2",
            "sts.us-west-2.amazonaws.com",
            "us-west-2",
        ),
        (&[legacy][..], "", "ap-east-1", "sts.ap-east-1.amazonaws.com", "ap-east-1"),
        (&[legacy][..], "", "cn-north-1", "sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        (&[legacy, fips][..], "", "eu-west-1", "sts-fips.eu-west-1.amazonaws.com", "eu-west-1"),
        (&[legacy, ("AWS_ENDPOINT_URL", "https://a.example")][..], "", "eu-west-1", "a.example", "eu-west-1"),
    ] {
        let addresses = find(vars, config, Wanted::default()).unwrap();
        let (endpoint, region) = addresses.sts(&Region::parse(region).unwrap()).unwrap();
        assert_eq!((endpoint.host(), region.as_str()), (host, signed), "{vars:?}");
    }
    let error = find(&[("AWS_STS_REGIONAL_ENDPOINTS", "global")], "", Wanted::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

/// No file may be read.
struct Unreadable;

impl Files for Unreadable {
    fn read(&self, _path: &Path, _limit: usize) -> Result<FileContent> {
        Err(Error::new(ErrorKind::Denied, "told to"))
    }

    fn stamp(&self, _path: &Path) -> Result<FileStamp> {
        Err(Error::new(ErrorKind::Denied, "told to"))
    }

    fn append(&self, _path: &Path, _bytes: &[u8]) -> Result<()> {
        Err(Error::new(ErrorKind::Denied, "told to"))
    }
}

/// In Lambda the home folder may be another user's, and nobody needs a file of it.
/// Break: leave out either half of the condition in `Addresses::find`.
#[test]
fn a_config_file_that_nobody_asked_for_need_not_be_readable() {
    for (vars, profile, works) in [
        (&[("HOME", "/h")][..], None, true),
        (&[("HOME", "/h"), ("AWS_PROFILE", "team")][..], None, false),
        (&[("HOME", "/h")][..], Some("team"), false),
        (&[("AWS_CONFIG_FILE", "/c")][..], None, false),
    ] {
        let wanted = Wanted { profile, ..Wanted::default() };
        let found = Addresses::find(&wanted, &*TestEnv::of(vars), &Unreadable);
        assert_eq!(found.is_ok(), works, "{vars:?} {profile:?}");
    }
}
