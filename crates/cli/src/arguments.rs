//! The command line, as `--help` shows it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lockstep_events::decode::SourceKind;

/// Secrets that move in lockstep: read them from any provider, locally and fresh.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the secret or its provider said no, 2 usage or configuration, 3 \
unavailable (trying again may help).";

/// What every verb takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Everywhere {
    /// The configuration; else ./lockstep.toml, else AWS Secrets Manager and Parameter Store of AWS_REGION.
    #[arg(long, global = true, value_name = "FILE", env = "LOCKSTEP_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Answers and errors as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Prints nothing but the answer and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Logs what is done.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serves an embedded demo: prints the token and a curl line, and follows edits of its secrets.yaml.
    Dev {
        /// Keeps the demo in this folder, and leaves it there.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Where to listen; else 127.0.0.1:2773, or a free port when that is taken.
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
    },
    /// Serves secrets on this machine.
    Serve {
        /// Where to listen, instead of `listen.address`. Port 0 takes a free one.
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
    },
    /// Prints a secret.
    Get {
        /// `[alias://]name[#key][@version]`, for example `db/creds#password`.
        #[arg(value_name = "REF")]
        reference: String,
        /// The bytes alone, without a newline after them.
        #[arg(long)]
        raw: bool,
    },
    /// Lists the names of secrets.
    List {
        /// Only names that begin like this; `alias://prefix` asks one provider.
        #[arg(value_name = "PREFIX", default_value = "")]
        prefix: String,
    },
    /// Prints what is known of a secret, without its value.
    Describe {
        /// `[alias://]name`.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Lists the versions of a secret.
    Versions {
        /// `[alias://]name`.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Asks the provider to rotate a secret now.
    Rotate {
        /// `[alias://]name`.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Makes an API key, and the hash of it for `[auth.keys]`.
    Key {
        /// Which key it is: 1 to 32 small letters, digits and `-`. It stands in the key.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Looks at the policies.
    Policy {
        #[command(subcommand)]
        what: PolicyVerb,
    },
    /// Looks at the audit.
    Audit {
        #[command(subcommand)]
        what: AuditVerb,
    },
    /// Looks at notifications of providers.
    Events {
        #[command(subcommand)]
        what: EventsVerb,
    },
    /// Looks at the configuration.
    Config {
        #[command(subcommand)]
        what: ConfigVerb,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Says what is wrong, where, and what to write instead. Asks no provider.
    Check,
    /// Prints the configuration in force, defaults and overrides included. Never shows a secret.
    Show,
    /// Prints the JSON Schema of the configuration.
    Schema,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum EventsVerb {
    /// Says which changes a notification means, and why its other records mean none. Asks nobody, verifies no signature.
    /// Exit codes: 0 all of it was read, 1 some of it can't be read, 2 usage.
    Decode {
        /// The body as it was delivered; `-` is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Who sent it: `eventbridge`, `sqs`, `sns`, `pubsub`, `event-grid`, `vault`, `github` or `standard-webhooks`;
        /// else it is told by its shape.
        #[arg(long, value_name = "SOURCE")]
        source: Option<SourceKind>,
        /// A header that it came with; may be given more than once.
        #[arg(long, value_name = "NAME: VALUE")]
        header: Vec<String>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuditVerb {
    /// Says whether a chain of audit records is whole, and where it ends. Exit codes: 0 whole, 1 broken, 2 usage.
    Verify {
        /// The files, the oldest first; `-` is standard input. With one file alone, those that it was rotated to
        /// (`FILE.1` and so on) are looked at before it.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The variable with the key of the chain. May be given more than once: each chain is made with one key.
        #[arg(long, value_name = "NAME")]
        key_env: Vec<String>,
        /// The file with the key of the chain. May be given more than once.
        #[arg(long, value_name = "PATH")]
        key_file: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Says what is wrong with the policies, where, and what to write instead.
    Check,
    /// Says what the policies decide, and which one. Exit codes: 0 allowed, 1 not allowed, 2 usage or configuration.
    Explain(Explain),
    /// Prints what policies can speak of, as a schema of Cedar.
    Schema,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Explain {
    /// Who asks, as the audit writes it: `jwt:github:repo:acme/shop`, `key:billing`, `local`.
    #[arg(value_name = "PRINCIPAL")]
    pub(crate) principal: String,
    /// `get`, `list`, `describe`, `rotate`, `changes`, `report-stale` or `invalidate`.
    #[arg(value_name = "ACTION")]
    pub(crate) action: String,
    /// `[alias://]name`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// A claim of who asks; may be given more than once, also for one name.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) claim: Vec<String>,
    /// A tag of the secret; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "no_tags")]
    pub(crate) tag: Vec<String>,
    /// The secret has no tags.
    #[arg(long)]
    pub(crate) no_tags: bool,
    /// Where who asks is.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<std::net::IpAddr>,
    /// Its connection has shown a certificate.
    #[arg(long)]
    pub(crate) mtls: bool,
    /// When it asks; else now.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}
