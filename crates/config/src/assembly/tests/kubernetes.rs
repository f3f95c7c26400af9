//! Kubernetes: logins that it can't have, and its watch.

use super::bench;
use crate::tests::load;

/// Break: `missing` of Kubernetes, or a branch of `Checks::kubernetes`.
#[test]
fn a_login_that_kubernetes_can_not_have_is_said_at_start_with_its_place_and_what_to_write() {
    let provider = "[providers.k]\ntype = \"kubernetes\"\n";
    for (more, variables, place, advice) in [
        ("", &[][..], "lockstep.toml:1:1: `providers.k.auth`: ", "set KUBECONFIG"),
        ("", &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], "lockstep.toml:1:1: `providers.k.auth`: ", "this is no pod"),
        (
            "",
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "443")],
            "lockstep.toml:1:1: `providers.k.auth`: ",
            "mount the service account's token",
        ),
        ("auth = { method = \"in-cluster\" }", &[], "lockstep.toml:3:8: `providers.k.auth`: ", "run it in the cluster"),
        (
            "auth = { method = \"kubeconfig\", path = \"gone\" }",
            &[],
            "lockstep.toml:3:40: `providers.k.auth.path`: ",
            "there is no file gone",
        ),
        (
            "address = \"https://k\"\nauth = { method = \"token\", token = { env = \"GONE\" } }",
            &[],
            "lockstep.toml:4:36: `providers.k.auth.token`: ",
            "the variable GONE is not set",
        ),
    ] {
        let config = load(&format!("{provider}{more}"), &[]).unwrap();
        let problems = config.assemble(&bench(variables).ports).err().expect(more).to_string();
        assert!(problems.starts_with(place) && problems.contains(advice), "{problems}");
    }
    for (more, place, advice) in [
        ("auth = { method = \"token\", token = { env = \"T\" } }", "providers.k.address", "https://10.0.0.1:6443"),
        ("address = \"https://k\"", "providers.k.address", "method = \"token\""),
        ("watch_names = [\"db\"]", "providers.k.watch_names", "watch = true"),
        (
            "address = \"http://k\"\nauth = { method = \"token\", token = { env = \"T\" } }",
            "providers.k.address",
            "insecure = true",
        ),
        ("auth = { method = \"basic\" }", "providers.k.auth.method", "kubeconfig"),
    ] {
        let problems = load(&format!("{provider}{more}"), &[]).expect_err(more).to_string();
        assert!(problems.contains(&format!("`{place}`")) && problems.contains(advice), "{problems}");
    }
}

/// Break: the source of `kubernetes::make`.
#[test]
fn a_watch_of_kubernetes_is_there_when_it_is_wanted_and_there_is_a_journal() {
    let text = |watch: bool, journal: &str| {
        format!(
            "{journal}[providers.k]\ntype = \"kubernetes\"\nnamespace = \"team\"\naddress = \"https://k\"\n\
             auth = {{ method = \"token\", token = {{ env = \"T\" }} }}\nwatch = {watch}\n"
        )
    };
    let memory = "[freshness]\njournal = \"memory://\"\n";
    for (watch, journal, there, warned) in
        [(true, memory, true, false), (false, memory, false, false), (true, "", false, true), (false, "", false, false)]
    {
        let assembly = load(&text(watch, journal), &[]).unwrap().assemble(&bench(&[("T", "t")]).ports).unwrap();
        assert_eq!(assembly.watch.is_some(), there);
        assert_eq!(assembly.warnings.iter().any(|warning| warning.contains("told to watch")), warned);
    }
    let bad = text(true, memory).replace("\"team\"", "\"Team\"");
    let problems = load(&bad, &[]).unwrap().assemble(&bench(&[("T", "t")]).ports).err().unwrap().to_string();
    assert!(problems.contains("lower-case"), "{problems}");
}
