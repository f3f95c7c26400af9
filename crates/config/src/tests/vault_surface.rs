//! `[vault]`: what is wrong with it, and that what is written is meant.

use super::{load, problems};

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n";

#[test]
fn a_mistake_in_the_vault_surface_says_what_to_write_instead() {
    let mount = |entry: &str| format!("{MOCK}[vault]\nenabled = true\nmounts = {{ {entry} }}");
    for (text, expected) in [
        (
            format!("{MOCK}[vault]\nenabled = true"),
            "lockstep.toml:3:1: `vault.mounts`: there is nothing to read without a mount; write for example `mounts = \
             { secret = { provider = \"aws\" } }`",
        ),
        (
            format!("{MOCK}[vault]\naddress = \"0.0.0.0:8200\""),
            "lockstep.toml:4:11: `vault.address`: 0.0.0.0 can be reached from other machines; write `127.0.0.1:8200`, \
             or `listen.allow_remote = true` with `listen.tls`",
        ),
        (
            mount("secret = { provider = \"m\" }") + "\naddress = \"127.0.0.1:2773\"",
            "lockstep.toml:6:11: `vault.address`: `listen.address` is the same, and the paths mean other things there; \
             write another port",
        ),
        (
            mount("secret = { provider = \"n\" }"),
            "lockstep.toml:5:34: `vault.mounts.secret.provider`: there is no provider `n`; did you mean `m`?",
        ),
        (
            mount("secret = { provider = \"m\", kv = 3 }"),
            "lockstep.toml:5:21: `vault.mounts.secret`: there is no such version of KV; write `kv = 1` or `kv = 2`",
        ),
        (
            mount("secret = { provider = \"m\", prefix = \"app\" }"),
            "lockstep.toml:5:21: `vault.mounts.secret`: a prefix is a folder of the provider; write for example `app/`",
        ),
        (
            mount("\"secret/\" = { provider = \"m\" }"),
            "lockstep.toml:5:24: `vault.mounts.secret/`: a mount has letters, digits, `-`, `_` and `.`, and `/` only \
             between them; write for example `secret`",
        ),
        (
            mount("sys = { provider = \"m\" }"),
            "lockstep.toml:5:18: `vault.mounts.sys`: Vault keeps this path for itself; write for example `secret`",
        ),
        (
            mount("team = { provider = \"m\" }, \"team/kv\" = { provider = \"m\" }"),
            "lockstep.toml:5:51: `vault.mounts.team/kv`: this mount stands in the mount `team`; rename one of them",
        ),
    ] {
        assert_eq!(problems(&text, &[]).trim_end(), expected, "{text}");
    }
}

#[test]
fn the_vault_surface_is_off_unless_told_otherwise_and_its_mounts_are_kv_2() {
    let config = load(MOCK, &[]).unwrap();
    assert!(!config.settings().vault.enabled);
    assert_eq!(config.settings().vault.address.to_string(), "127.0.0.1:8200");
    let text = format!(
        "{MOCK}[vault]\nmounts = {{ a = {{ provider = \"m\" }}, b = {{ provider = \"m\", kv = 1, prefix = \"x/\" }} }}"
    );
    let config = load(&text, &[("LOCKSTEP__VAULT__ENABLED", "true"), ("LOCKSTEP__VAULT__ADDRESS", "[::1]:0")]).unwrap();
    let vault = &config.settings().vault;
    assert!(vault.enabled && vault.address.to_string() == "[::1]:0");
    assert_eq!((vault.mounts["a"].kv, vault.mounts["b"].kv, &*vault.mounts["b"].prefix), (2, 1, "x/"));
}
