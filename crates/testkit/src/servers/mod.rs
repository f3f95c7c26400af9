//! The real and independently written servers that tests run against, and the programs that they start.
//!
//! Nothing is started here. `cargo xtask test` starts the shared servers once, on free loopback ports, and passes their
//! addresses on; this module reads those addresses and nothing else. A test that can't find its server says so with
//! [`require!`](crate::require): alone (`cargo nextest run`) that is a printed, counted SKIP; in the gate it fails, since
//! there every server of this list is mandatory.
//!
//! The servers are shared by all tests of a run: name what you make with [`unique`].

mod mariadb;
mod process;
mod redis;
mod skip;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use self::mariadb::MariaDbServer;
pub use self::process::{Running, free_port};
pub use self::redis::RedisServer;
pub use self::skip::{Missing, skip, skip_here};

/// Where a server that checks signatures listens, and a key with every right on it.
#[derive(Clone, Debug)]
pub struct SigningServer {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
    /// The access key id.
    pub key_id: String,
    /// The secret key: made up by the server for this run.
    pub secret_key: String,
}

/// moto: AWS Secrets Manager, SSM, STS, IAM and more; no credential is checked.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_MOTO` is not set.
pub fn moto() -> Result<String, Missing> {
    variable("LOCKSTEP_TEST_MOTO", "moto")
}

/// moto with its checks on: SigV4 signatures, keys, session tokens and IAM policies are enforced.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_MOTO_AUTH` or its keys are not set.
pub fn moto_auth() -> Result<SigningServer, Missing> {
    signing("LOCKSTEP_TEST_MOTO_AUTH", "moto with authentication")
}

/// ministack: a second imitation of AWS by other hands; signatures are checked (root key `test` accepts any).
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_MINISTACK` or its keys are not set.
pub fn ministack() -> Result<SigningServer, Missing> {
    signing("LOCKSTEP_TEST_MINISTACK", "ministack")
}

/// An OpenBao dev server: the product itself. Its root token is [`OPENBAO_ROOT`]; KV v2 is mounted at `secret/`.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_OPENBAO` is not set.
pub fn openbao() -> Result<String, Missing> {
    variable("LOCKSTEP_TEST_OPENBAO", "OpenBao")
}

/// An issuer of signed tokens by other hands (OpenID Connect): `POST /token` with `aud`, `sub`, `lifetime` and `claims`.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_OIDC` is not set.
pub fn oidc() -> Result<String, Missing> {
    variable("LOCKSTEP_TEST_OIDC", "an OIDC server")
}

/// The root token of the [`openbao`] dev server.
pub const OPENBAO_ROOT: &str = "root";

/// The `bao` program, for tests that need a server with a configuration of their own.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_BAO` is not set.
pub fn bao() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_BAO", "the bao program").map(PathBuf::from)
}

/// A Python that has hvac, the client of Vault.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_HVAC_PYTHON` is not set.
pub fn hvac_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_HVAC_PYTHON", "Python with hvac").map(PathBuf::from)
}

/// A Python that has OpenTelemetry's own messages (`opentelemetry-proto`), for a collector of traces.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_OTLP_PYTHON` is not set.
pub fn otlp_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_OTLP_PYTHON", "Python with opentelemetry-proto").map(PathBuf::from)
}

/// A Python that has schemathesis, which asks an API whatever its OpenAPI description allows and forbids.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_SCHEMATHESIS_PYTHON` is not set.
pub fn schemathesis_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_SCHEMATHESIS_PYTHON", "Python with schemathesis").map(PathBuf::from)
}

/// drongo: GCP Secret Manager and more by other hands; no credential is checked.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_DRONGO` is not set.
pub fn drongo() -> Result<String, Missing> {
    variable("LOCKSTEP_TEST_DRONGO", "drongo")
}

/// A Python that has Google's own client of Secret Manager and google-auth.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_GCP_PYTHON` is not set.
pub fn gcp_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_GCP_PYTHON", "Python with google-cloud-secret-manager").map(PathBuf::from)
}

/// A PostgreSQL for dynamic credentials and rotations: `postgresql://postgres:PASSWORD@127.0.0.1:PORT/postgres?sslmode=disable`,
/// the owner of everything in it.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_POSTGRES` is not set.
pub fn postgres() -> Result<String, Missing> {
    variable("LOCKSTEP_TEST_POSTGRES", "PostgreSQL")
}

/// A Kubernetes API server, and who may log in there.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `https://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
    /// A PEM file with the root of its certificate.
    pub ca_file: PathBuf,
    /// The token of a user who may do everything.
    pub admin_token: String,
    /// The token of the user `reader`, who may do what a test's role says and nothing else.
    pub reader_token: String,
}

/// A real kube-apiserver with RBAC. [`KUBERNETES_CLIENT`] is a login too, of the user `certified`.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_KUBERNETES` or what belongs to it is not set.
pub fn kubernetes() -> Result<Cluster, Missing> {
    let part = |part: &str| variable_of(format!("LOCKSTEP_TEST_KUBERNETES{part}"), "a kube-apiserver");
    Ok(Cluster {
        url: part("")?,
        ca_file: part("_CA")?.into(),
        admin_token: part("_TOKEN")?,
        reader_token: part("_READER_TOKEN")?,
    })
}

/// A certificate that the API server of [`kubernetes`] takes for the user `certified`, and its key, both in PEM. They
/// open nothing else.
pub const KUBERNETES_CLIENT: (&str, &str) =
    (include_str!("../keys/kubernetes-client.pem"), include_str!("../keys/kubernetes-client.key.pem"));

/// A Python that has mypy, the checker of its types.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_MYPY_PYTHON` is not set.
pub fn mypy_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_MYPY_PYTHON", "Python with mypy").map(PathBuf::from)
}

/// A folder with `node_modules`: TypeScript's compiler, and miniflare with workerd. Node itself stands on `PATH`.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_CLIENTS` is not set.
pub fn client_tools() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_CLIENTS", "TypeScript and workerd").map(PathBuf::from)
}

/// AWS's own Lambda emulator. Always pass it both addresses, or it listens on 0.0.0.0:8080.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_RIE` is not set.
pub fn lambda_emulator() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_RIE", "the Lambda emulator").map(PathBuf::from)
}

/// A Python that has boto3 and moto (`python -m moto.server -H 127.0.0.1 -p PORT`).
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_PYTHON` is not set.
pub fn python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_PYTHON", "Python with boto3").map(PathBuf::from)
}

/// A Python that has Microsoft's azure-keyvault-secrets and azure-identity.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_AZURE_PYTHON` is not set.
pub fn azure_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_AZURE_PYTHON", "Python with Azure's clients").map(PathBuf::from)
}

/// A Python that has azure-eventgrid, google-cloud-pubsub and standardwebhooks: senders of notifications.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_EVENTS_PYTHON` is not set.
pub fn events_python() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_EVENTS_PYTHON", "Python with senders of notifications").map(PathBuf::from)
}

/// Debian's `libfaketime.so.1`, for `LD_PRELOAD` into a dynamically linked program.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_FAKETIME` is not set.
pub fn faketime() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_FAKETIME", "libfaketime").map(PathBuf::from)
}

/// The folder of Debian's `prometheus` and `promtool`.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_PROMETHEUS` is not set.
pub fn prometheus() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_PROMETHEUS", "Prometheus").map(PathBuf::from)
}

/// Redis, for tests that start one of their own.
#[derive(Clone, Debug)]
pub struct RedisProgram {
    /// `redis-server`.
    pub program: PathBuf,
    /// Where the libraries are that it needs, for `LD_LIBRARY_PATH`.
    pub libraries: PathBuf,
}

/// Debian's Redis 7: the product.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_REDIS` or its libraries are not set.
pub fn redis() -> Result<RedisProgram, Missing> {
    Ok(RedisProgram {
        program: variable("LOCKSTEP_TEST_REDIS", "Redis").map(PathBuf::from)?,
        libraries: variable("LOCKSTEP_TEST_REDIS_LIBRARIES", "Redis").map(PathBuf::from)?,
    })
}

/// The folder that Debian's MariaDB is unpacked in, for tests that start one of their own: the product.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_MARIADB` is not set.
pub fn mariadb() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_MARIADB", "MariaDB").map(PathBuf::from)
}

/// The `lockstep` command, dynamically linked, as the gate built it.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_LOCKSTEP` is not set.
pub fn lockstep() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_LOCKSTEP", "the lockstep command").map(PathBuf::from)
}

/// The Lambda extension as it ships: release profile, static musl, stripped.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_EXTENSION` is not set.
pub fn extension() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_EXTENSION", "the extension's release binary").map(PathBuf::from)
}

/// The folder of the contract suite as a module of wasm, `lockstep_wasm_contract.js` and what belongs to it.
///
/// # Errors
/// [`Missing`] when `LOCKSTEP_TEST_WASM` is not set.
pub fn wasm_contract() -> Result<PathBuf, Missing> {
    variable("LOCKSTEP_TEST_WASM", "the contract suite as a module of wasm").map(PathBuf::from)
}

/// A name that no other test of this run has: `PREFIX-PID-COUNT`.
pub fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn signing(name: &'static str, what: &'static str) -> Result<SigningServer, Missing> {
    Ok(SigningServer {
        url: variable(name, what)?,
        key_id: variable_of(format!("{name}_KEY_ID"), what)?,
        secret_key: variable_of(format!("{name}_SECRET_KEY"), what)?,
    })
}

fn variable(name: &str, what: &'static str) -> Result<String, Missing> {
    variable_of(name.to_owned(), what)
}

#[expect(clippy::disallowed_methods, reason = "the gate talks to the tests by variables; no shipped code is here")]
fn variable_of(name: String, what: &'static str) -> Result<String, Missing> {
    match std::env::var(&name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(Missing::new(what, name)),
    }
}
