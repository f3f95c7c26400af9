//! The route table: every path that this crate answers, with its methods, and whether it needs the token and gives out
//! values. Tests walk it; a route that is not here does not exist.
//!
//! Nothing is decided here but which row a path belongs to, and which prefix the path style may have.

use http::Method;
use lockstep_core::{Error, ErrorKind, Result};

/// What a row answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Where {
    /// `healthy`, as the AWS agent says it.
    Ping,
    /// The process runs.
    Live,
    /// Requests can be served.
    Ready,
    /// The numbers.
    Metrics,
    /// A secret, as the AWS agent and the AWS Lambda extension answer it.
    SecretsManager,
    /// A parameter, as the AWS Lambda extension answers it.
    ParameterStore,
    /// A secret by path, as the AWS agent answers it.
    PathStyle,
    /// One secret.
    Secret,
    /// Names of secrets; with `?name=`, one secret.
    Secrets,
    /// Many secrets.
    Batch,
    /// What is known of a secret without its value.
    Metadata,
    /// The versions of a secret.
    Versions,
    /// Ask for a rotation.
    Rotate,
    /// Say that a value no longer works.
    ReportStale,
    /// Drop what is cached.
    Invalidate,
    /// What a provider says by itself.
    #[cfg(feature = "events")]
    Events,
    /// The journal's feed.
    #[cfg(feature = "changes")]
    Changes,
    /// The description of all this.
    #[cfg(feature = "openapi")]
    OpenApi,
    /// What Vault's clients ask, on the listener that is theirs.
    #[cfg(feature = "vault-surface")]
    Vault(crate::VaultRoute),
}

/// How a path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// This path.
    Exact(&'static str),
    /// This prefix, and the name of a secret after it.
    Rest(&'static str),
    /// The configured prefix (`/v1/` unless told otherwise), and the name of a secret after it.
    Prefix,
}

/// Which methods a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// GET alone, as the AWS agent has it.
    Get,
    /// GET and HEAD.
    GetHead,
    /// POST alone.
    Post,
    /// POST, and OPTIONS, by which a sender of notifications asks whether it may.
    #[cfg(feature = "events")]
    PostOptions,
    /// GET, and Vault's LIST.
    #[cfg(feature = "vault-surface")]
    GetList,
}

impl Methods {
    /// Whether requests have a body.
    pub(crate) fn take_body(self) -> bool {
        match self {
            Self::Post => true,
            #[cfg(feature = "events")]
            Self::PostOptions => true,
            _ => false,
        }
    }

    /// Whether the method is one of them.
    pub fn allow(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET,
            Self::GetHead => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
            #[cfg(feature = "events")]
            Self::PostOptions => method == Method::POST || method == Method::OPTIONS,
            #[cfg(feature = "vault-surface")]
            Self::GetList => method == Method::GET || method.as_str() == "LIST",
        }
    }

    /// The `Allow` header.
    pub fn header(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::GetHead => "GET, HEAD",
            Self::Post => "POST",
            #[cfg(feature = "events")]
            Self::PostOptions => "POST, OPTIONS",
            #[cfg(feature = "vault-surface")]
            Self::GetList => "GET, LIST",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The path.
    pub path: Spelling,
    /// The methods.
    pub methods: Methods,
    /// Whether the token is needed.
    pub token: bool,
    /// Whether an answer can hold a value.
    pub value: bool,
    /// Whether it belongs to the AWS drop-in surface: text refusals, and gone when that surface is off.
    pub aws: bool,
    /// What answers.
    pub to: Where,
}

const fn aws(path: Spelling, to: Where) -> Row {
    Row { path, methods: Methods::Get, token: true, value: true, aws: true, to }
}

const fn native(path: Spelling, methods: Methods, value: bool, to: Where) -> Row {
    Row { path, methods, token: true, value, aws: false, to }
}

const fn open(path: &'static str, methods: Methods, aws: bool, to: Where) -> Row {
    Row { path: Spelling::Exact(path), methods, token: false, value: false, aws, to }
}

/// Every route, the hottest first. An exact path comes before a prefix that would cover it.
///
/// ```
/// // Whatever can answer with a value asks for the token.
/// assert!(lockstep_api::TABLE.iter().all(|row| row.token || !row.value));
/// ```
pub const TABLE: &[Row] = &[
    aws(Spelling::Exact("/secretsmanager/get"), Where::SecretsManager),
    aws(Spelling::Exact("/systemsmanager/parameters/get"), Where::ParameterStore),
    aws(Spelling::Exact("/systemsmanager/parameters/get/"), Where::ParameterStore),
    open("/ping", Methods::Get, true, Where::Ping),
    aws(Spelling::Prefix, Where::PathStyle),
    native(Spelling::Rest("/api/v1/secrets/"), Methods::GetHead, true, Where::Secret),
    native(Spelling::Exact("/api/v1/secrets"), Methods::GetHead, true, Where::Secrets),
    native(Spelling::Exact("/api/v1/secrets:batch"), Methods::Post, true, Where::Batch),
    native(Spelling::Exact("/api/v1/metadata"), Methods::GetHead, false, Where::Metadata),
    native(Spelling::Rest("/api/v1/metadata/"), Methods::GetHead, false, Where::Metadata),
    native(Spelling::Exact("/api/v1/versions"), Methods::GetHead, false, Where::Versions),
    native(Spelling::Rest("/api/v1/versions/"), Methods::GetHead, false, Where::Versions),
    native(Spelling::Exact("/api/v1/rotate"), Methods::Post, false, Where::Rotate),
    native(Spelling::Rest("/api/v1/rotate/"), Methods::Post, false, Where::Rotate),
    native(Spelling::Exact("/api/v1/report-stale"), Methods::Post, false, Where::ReportStale),
    native(Spelling::Rest("/api/v1/report-stale/"), Methods::Post, false, Where::ReportStale),
    native(Spelling::Exact("/api/v1/invalidate"), Methods::Post, false, Where::Invalidate),
    #[cfg(feature = "events")]
    native(Spelling::Rest("/api/v1/events/"), Methods::PostOptions, false, Where::Events),
    #[cfg(feature = "changes")]
    native(Spelling::Exact("/api/v1/changes"), Methods::GetHead, false, Where::Changes),
    native(Spelling::Exact("/metrics"), Methods::GetHead, false, Where::Metrics),
    #[cfg(feature = "openapi")]
    native(Spelling::Exact("/openapi.json"), Methods::GetHead, false, Where::OpenApi),
    open("/health/live", Methods::GetHead, false, Where::Live),
    open("/health/ready", Methods::GetHead, false, Where::Ready),
];

/// The listener that a request came in by. Each has routes of its own; everything else is one hall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// [`TABLE`].
    Main,
    /// [`VAULT_TABLE`](crate::VAULT_TABLE).
    #[cfg(feature = "vault-surface")]
    Vault,
}

impl Door {
    pub(crate) fn table(self) -> &'static [Row] {
        match self {
            Self::Main => TABLE,
            #[cfg(feature = "vault-surface")]
            Self::Vault => crate::VAULT_TABLE,
        }
    }
}

/// The row of a table that a decoded path belongs to, and what stands after its prefix. `prefix` is the path style's; without one
/// the AWS surface is off.
pub(crate) fn find<'p>(table: &'static [Row], path: &'p str, prefix: Option<&str>) -> Option<(&'static Row, &'p str)> {
    table.iter().filter(|row| !row.aws || prefix.is_some()).find_map(|row| {
        let rest = match row.path {
            Spelling::Exact(exact) => (path == exact).then_some(""),
            Spelling::Rest(start) => path.strip_prefix(start),
            Spelling::Prefix => path.strip_prefix(prefix?),
        };
        rest.map(|rest| (row, rest))
    })
}

/// Whether refusals on this path are text, as the AWS agent's clients know them. It reads the raw path, since a path
/// that can't be decoded is refused too; nothing but the looks of a refusal hangs on it.
pub(crate) fn speaks_text(raw_path: &str) -> bool {
    !["/api/", "/health/", "/metrics", "/openapi.json"].iter().any(|native| raw_path.starts_with(native))
}

/// Whether the path style may have this prefix.
///
/// # Errors
/// `Config` when it does not begin and end with `/`, or covers another route.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let covers = |row: &Row| match row.path {
        Spelling::Exact(path) | Spelling::Rest(path) => path.starts_with(prefix) || prefix.starts_with("/api/"),
        Spelling::Prefix => false,
    };
    if prefix.len() > 2 && prefix.starts_with('/') && prefix.ends_with('/') && !TABLE.iter().any(covers) {
        return Ok(());
    }
    let message = "path_prefix must begin and end with `/` and cover no other route; write `/v1/`";
    Err(Error::new(ErrorKind::Config, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_no_other_route() {
        for good in ["/v1/", "/secrets/", "/a/b/"] {
            assert!(check_prefix(good).is_ok(), "{good}");
        }
        for bad in
            ["", "/", "//", "v1/", "/v1", "/api/", "/api/v1/", "/api/v1/secrets/x/", "/secretsmanager/", "/health/"]
        {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_finds_its_row_and_its_rest() {
        let cases = [
            ("/secretsmanager/get", Some((Where::SecretsManager, ""))),
            ("/systemsmanager/parameters/get/", Some((Where::ParameterStore, ""))),
            ("/v1/db/creds", Some((Where::PathStyle, "db/creds"))),
            ("/v1/", Some((Where::PathStyle, ""))),
            ("/v1", None),
            ("//v1/x", None),
            ("/api/v1/secrets/a/b", Some((Where::Secret, "a/b"))),
            ("/api/v1/secrets//a", Some((Where::Secret, "/a"))),
            ("/api/v1/secrets", Some((Where::Secrets, ""))),
            ("/api/v1/secrets:batch", Some((Where::Batch, ""))),
            ("/health", None),
            ("/secretsmanager/get/", None),
            ("/", None),
        ];
        for (path, expected) in cases {
            assert_eq!(find(TABLE, path, Some("/v1/")).map(|(row, rest)| (row.to, rest)), expected, "{path}");
        }
    }

    #[test]
    fn without_the_aws_surface_its_rows_do_not_exist() {
        for path in ["/ping", "/v1/x", "/secretsmanager/get", "/systemsmanager/parameters/get"] {
            assert_eq!(find(TABLE, path, None), None, "{path}");
        }
        assert!(find(TABLE, "/health/live", None).is_some());
    }

    /// L1. Break: set `token: false` on a row.
    #[test]
    fn l1_only_ping_and_health_need_no_token_and_they_give_no_value() {
        let open: Vec<Where> = TABLE.iter().filter(|row| !row.token).map(|row| row.to).collect();
        assert_eq!(open, [Where::Ping, Where::Live, Where::Ready]);
        assert!(TABLE.iter().all(|row| row.token || !row.value));
    }

    /// L6. Break: give an AWS row another method.
    #[test]
    fn l6_the_aws_surface_takes_get_alone_and_post_is_for_batch_and_control() {
        for row in TABLE {
            let expected = match row.to {
                Where::Batch | Where::Rotate | Where::ReportStale | Where::Invalidate => Methods::Post,
                #[cfg(feature = "events")]
                Where::Events => Methods::PostOptions,
                _ if row.aws => Methods::Get,
                _ => Methods::GetHead,
            };
            assert_eq!(row.methods, expected, "{row:?}");
        }
    }
}
