//! Where the journal is: one address, whose scheme says of which kind it is.
//!
//! A kind that was not built in is told apart from one that nobody knows. A password never stands in an address.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journal {
    /// In this process, for this process.
    Memory,
    /// A table of DynamoDB.
    #[cfg(feature = "dynamodb")]
    DynamoDb(TableAddress),
    /// A stream of Redis.
    #[cfg(feature = "redis")]
    Redis(ServerAddress),
    /// The feed of another endpoint, at its `https://` or `http://` address.
    #[cfg(feature = "feed")]
    Endpoint(String),
}

/// `dynamodb://TABLE`, or `dynamodb://TABLE?region=REGION`.
#[cfg(feature = "dynamodb")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAddress {
    /// Its name.
    pub table: String,
    /// Instead of `AWS_REGION`.
    pub region: Option<String>,
}

/// `redis://USER@HOST:PORT/NAME`; `rediss://` is TLS.
#[cfg(feature = "redis")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Whether the connection has TLS.
    pub tls: bool,
    /// The user, if it is not the default one.
    pub user: Option<String>,
    /// A name or an address; that of IPv6 without brackets.
    pub host: String,
    /// The port, 6379 unless one is written.
    pub port: u16,
    /// What the journal's keys begin with; `lockstep` unless one is written.
    pub name: String,
}

/// Every kind that there is, built in or not.
const KINDS: [&str; 6] = ["dynamodb", "redis", "rediss", "durable-object", "http", "https"];

/// What this program can be told to use.
const HERE: &[&str] = &[
    #[cfg(feature = "dynamodb")]
    "`dynamodb://TABLE`",
    #[cfg(feature = "redis")]
    "`redis://HOST:PORT/NAME`",
    #[cfg(feature = "redis")]
    "`rediss://…`",
    #[cfg(feature = "feed")]
    "`https://…` of another endpoint",
    "`memory://`",
];

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory://"),
            #[cfg(feature = "feed")]
            Self::Endpoint(address) => f.write_str(address),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(TableAddress { table, region: None }) => write!(f, "dynamodb://{table}"),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(TableAddress { table, region: Some(region) }) => {
                write!(f, "dynamodb://{table}?region={region}")
            }
            #[cfg(feature = "redis")]
            Self::Redis(ServerAddress { tls, user, host, port, name }) => {
                let (scheme, user) = (if *tls { "rediss" } else { "redis" }, user.as_deref());
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(
                    f,
                    "{scheme}://{}{}{host}:{port}/{name}",
                    user.unwrap_or_default(),
                    if user.is_some() { "@" } else { "" }
                )
            }
        }
    }
}

impl<'de> Deserialize<'de> for Journal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let scheme = text.split_once("://").map_or(text.as_str(), |(scheme, _)| scheme);
        match (text.as_str(), scheme) {
            ("memory://" | "memory", _) => Ok(Self::Memory),
            (_, "memory") => Err(D::Error::custom("a journal in memory has no address; write `memory://`")),
            #[cfg(feature = "dynamodb")]
            (_, "dynamodb") => table(&text).map(Self::DynamoDb).map_err(D::Error::custom),
            #[cfg(feature = "redis")]
            (_, "redis" | "rediss") => server(&text, scheme == "rediss").map(Self::Redis).map_err(D::Error::custom),
            #[cfg(feature = "feed")]
            (_, "https" | "http") => {
                crate::checks::address(&text, true).map(|()| Self::Endpoint(text)).map_err(D::Error::custom)
            }
            (_, kind) if KINDS.contains(&kind) => Err(D::Error::custom(format!(
                "a journal of the kind `{kind}` is not in this program; write {}, or leave `journal` out and rely on the TTL",
                HERE.join(" or ")
            ))),
            _ => Err(D::Error::custom(format!("this kind of journal is not known; write {}", HERE.join(" or ")))),
        }
    }
}

#[cfg(feature = "dynamodb")]
fn table(text: &str) -> Result<TableAddress, &'static str> {
    let rest = text.strip_prefix("dynamodb://").unwrap_or_default();
    let (table, query) = rest.split_once('?').map_or((rest, None), |(table, query)| (table, Some(query)));
    let region = match query {
        None => None,
        Some(query) => Some(query.strip_prefix("region=").ok_or("only `?region=` may follow the name of a table")?),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !(3..=255).contains(&table.len()) || !table.bytes().all(fits) {
        return Err("the name of a table has 3 to 255 letters, digits, `_`, `.` and `-`; write `dynamodb://TABLE`");
    }
    Ok(TableAddress { table: table.to_owned(), region: region.map(str::to_owned) })
}

#[cfg(feature = "redis")]
fn server(text: &str, tls: bool) -> Result<ServerAddress, &'static str> {
    const SHAPE: &str = "a journal in Redis has a host, and perhaps a port and a name; write `redis://HOST:PORT/NAME`";
    let uri: http::Uri = text.parse().map_err(|_| SHAPE)?;
    let authority = uri.authority().ok_or(SHAPE)?.as_str();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':')) {
        return Err(
            "a password never stands in the configuration; write `freshness.journal_token`, and the user alone here",
        );
    }
    let name = uri.path().trim_start_matches('/');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if uri.query().is_some() || name.len() > 128 || !name.bytes().all(fits) || user == Some("") {
        return Err(SHAPE);
    }
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(SHAPE);
    }
    Ok(ServerAddress {
        tls,
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(6379),
        name: if name.is_empty() { "lockstep" } else { name }.to_owned(),
    })
}

impl Serialize for Journal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Journal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Journal".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Where the journal is.",
            "type": "string",
            "pattern": "^(memory://|dynamodb://[A-Za-z0-9_.-]{3,255}(\\?region=[a-z0-9-]+)?|(rediss?|https?)://[^:@/]+.*)$",
        })
    }
}
