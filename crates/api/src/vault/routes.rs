//! The route table of the listener for Vault's clients. Tests walk it; a route that is not here does not exist there.

use crate::routes::{Methods, Row, Spelling, Where};

/// What a row of [`VAULT_TABLE`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VaultRoute {
    /// Whether the server answers.
    Health,
    /// That there is nothing to set up.
    Init,
    /// That it is not sealed: `bao status` asks.
    SealStatus,
    /// That it is alone: `bao status` asks.
    Leader,
    /// The mounts.
    Mounts,
    /// The mount that a path is in: `bao kv` asks before it reads.
    Mount,
    /// Who calls.
    Token,
    /// What is below a mount.
    Kv,
}

const fn open(path: &'static str, to: Where) -> Row {
    Row { path: Spelling::Exact(path), methods: Methods::GetHead, token: false, value: false, aws: false, to }
}

const fn vault(path: Spelling, methods: Methods, value: bool, to: VaultRoute) -> Row {
    Row { path, methods, token: true, value, aws: false, to: Where::Vault(to) }
}

/// Every route of the listener for Vault's clients. An exact path comes before a prefix that would cover it.
///
/// ```
/// // Whatever can answer with a value asks for the token.
/// assert!(lockstep_api::VAULT_TABLE.iter().all(|row| row.token || !row.value));
/// ```
pub const VAULT_TABLE: &[Row] = &[
    open("/v1/sys/health", Where::Vault(VaultRoute::Health)),
    open("/v1/sys/init", Where::Vault(VaultRoute::Init)),
    open("/v1/sys/seal-status", Where::Vault(VaultRoute::SealStatus)),
    open("/v1/sys/leader", Where::Vault(VaultRoute::Leader)),
    vault(Spelling::Exact("/v1/sys/internal/ui/mounts"), Methods::Get, false, VaultRoute::Mounts),
    vault(Spelling::Rest("/v1/sys/internal/ui/mounts/"), Methods::Get, false, VaultRoute::Mount),
    vault(Spelling::Exact("/v1/auth/token/lookup-self"), Methods::Get, false, VaultRoute::Token),
    vault(Spelling::Rest("/v1/"), Methods::GetList, true, VaultRoute::Kv),
    open("/health/live", Where::Live),
    open("/health/ready", Where::Ready),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// L1. Break: set `token: false` on a row.
    #[test]
    fn l1_only_health_and_the_state_of_the_server_need_no_token_and_they_give_no_value() {
        let open: Vec<Where> = VAULT_TABLE.iter().filter(|row| !row.token).map(|row| row.to).collect();
        let state =
            [VaultRoute::Health, VaultRoute::Init, VaultRoute::SealStatus, VaultRoute::Leader].map(Where::Vault);
        assert_eq!(open, [&state[..], &[Where::Live, Where::Ready]].concat());
        assert!(VAULT_TABLE.iter().all(|row| row.token || !row.value));
    }

    /// L6. Break: give a row `Methods::Post`.
    #[test]
    fn l6_nothing_takes_a_method_that_writes() {
        for row in VAULT_TABLE {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                assert!(!row.methods.allow(&method.parse().unwrap()), "{row:?} {method}");
            }
        }
    }
}
