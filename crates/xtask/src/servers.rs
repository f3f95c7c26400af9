//! The servers that all tests of one run share: started here, on free loopback ports, and ended with this value.
//!
//! The variables are read by `testkit::servers`; both lists are one contract.

mod kubernetes;
mod postgres;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::kubernetes::Kubernetes;
use self::postgres::Postgres;
use crate::failure::{Failure, Outcome};
use crate::process::{self, Recipe, Service, free_port};
use crate::tools::{self, Cache};

/// Starting three Pythons beside a build on two cores takes its time.
const PATIENCE: Duration = Duration::from_mins(2);

/// A port that was free can be taken before the server binds it.
const TRIES: u32 = 2;

/// The running servers and the variables that lead tests to them.
#[derive(Debug)]
pub(crate) struct Servers {
    variables: Vec<(String, String)>,
    /// Held for their end.
    _running: Vec<Service>,
    /// After the others: OpenBao holds connections to it.
    _postgres: Postgres,
    _kubernetes: Kubernetes,
}

impl Servers {
    /// Fetches what is missing, starts every server, waits until each is ready. `folder` takes their logs.
    pub(crate) fn start(cache: &Cache, folder: &Path) -> Outcome<Self> {
        let aws = tools::aws(cache)?;
        let python = aws.program();
        let azure = tools::azure(cache)?.program();
        let events = tools::events(cache)?.program();
        let ministack_python = tools::ministack(cache)?.program();
        let gcp_python = tools::gcp(cache)?.program();
        let hvac = tools::hvac(cache)?.program();
        let otlp = tools::otlp(cache)?.program();
        let schemathesis = tools::schemathesis(cache)?.program();
        let oidc_program = tools::oidc(cache)?;
        let clients = tools::clients(cache)?;
        let mypy = tools::mypy(cache)?.program();
        let bao = tools::openbao(cache)?;
        let emulator = tools::lambda_emulator(cache, &aws)?;
        let faketime = tools::faketime(cache)?;
        let mariadb = tools::mariadb(cache)?;
        let prometheus = tools::prometheus(cache)?;
        let redis = tools::redis(cache)?;
        let postgres_programs = tools::postgres(cache)?;
        let kubernetes_programs = tools::kubernetes(cache)?;

        let mut moto = Starting::new("moto", folder, "/moto-api/", |port| moto_server(&python, port, None))?;
        let mut moto_auth = Starting::new("moto-auth", folder, "/moto-api/", |port| {
            // Three calls make the first user and its key; from the fourth on every signature is checked.
            moto_server(&python, port, Some(3))
        })?;
        let mut ministack = Starting::new("ministack", folder, "/_ministack/health", |port| {
            let mut command = Command::new(&ministack_python);
            command.args(["-m", "ministack"]);
            for (name, value) in [("BIND_HOST", "127.0.0.1"), ("AUTH", "true"), ("SFTP_ENABLED", "0")] {
                command.env(name, value);
            }
            command.env("IOT_MTLS_ENABLED", "0").env("GATEWAY_PORT", port.to_string()).env("TMPDIR", folder);
            command
        })?;
        let mut drongo = Starting::new("drongo", folder, "/drongo/health", |port| {
            let mut command = Command::new(&gcp_python);
            command.args(["-m", "drongo.cli", "server", "--host", "127.0.0.1", "--port", &port.to_string()]);
            command
        })?;
        let mut oidc = Starting::new("oidc", folder, "/.well-known/openid-configuration", |port| {
            let mut command = Command::new("node");
            command.arg(&oidc_program).arg(port.to_string());
            command
        })?;
        let mut openbao = Starting::new("openbao", folder, "/v1/sys/health", |port| {
            let mut command = Command::new(&bao);
            command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
            command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
            command
        })?;
        let mut kubernetes = Kubernetes::start(&kubernetes_programs, folder)?;
        let postgres = Postgres::start(&postgres_programs, folder)?;

        let mut variables = vec![
            ("LOCKSTEP_TEST_PYTHON".to_owned(), python.display().to_string()),
            ("LOCKSTEP_TEST_AZURE_PYTHON".to_owned(), azure.display().to_string()),
            ("LOCKSTEP_TEST_EVENTS_PYTHON".to_owned(), events.display().to_string()),
            ("LOCKSTEP_TEST_GCP_PYTHON".to_owned(), gcp_python.display().to_string()),
            ("LOCKSTEP_TEST_BAO".to_owned(), bao.display().to_string()),
            ("LOCKSTEP_TEST_HVAC_PYTHON".to_owned(), hvac.display().to_string()),
            ("LOCKSTEP_TEST_OTLP_PYTHON".to_owned(), otlp.display().to_string()),
            ("LOCKSTEP_TEST_SCHEMATHESIS_PYTHON".to_owned(), schemathesis.display().to_string()),
            ("LOCKSTEP_TEST_MYPY_PYTHON".to_owned(), mypy.display().to_string()),
            ("LOCKSTEP_TEST_CLIENTS".to_owned(), clients.display().to_string()),
            ("LOCKSTEP_TEST_RIE".to_owned(), emulator.display().to_string()),
            ("LOCKSTEP_TEST_FAKETIME".to_owned(), faketime.display().to_string()),
            ("LOCKSTEP_TEST_MARIADB".to_owned(), mariadb.display().to_string()),
            ("LOCKSTEP_TEST_POSTGRES".to_owned(), postgres.address()),
            ("LOCKSTEP_TEST_PROMETHEUS".to_owned(), prometheus.display().to_string()),
            ("LOCKSTEP_TEST_REDIS".to_owned(), redis.program.display().to_string()),
            ("LOCKSTEP_TEST_REDIS_LIBRARIES".to_owned(), redis.libraries.display().to_string()),
        ];
        for (name, server) in [
            ("LOCKSTEP_TEST_MOTO", &mut moto),
            ("LOCKSTEP_TEST_MOTO_AUTH", &mut moto_auth),
            ("LOCKSTEP_TEST_MINISTACK", &mut ministack),
            ("LOCKSTEP_TEST_DRONGO", &mut drongo),
            ("LOCKSTEP_TEST_OPENBAO", &mut openbao),
            ("LOCKSTEP_TEST_OIDC", &mut oidc),
        ] {
            variables.push((name.to_owned(), server.ready()?));
        }
        for (name, server) in [("LOCKSTEP_TEST_MOTO_AUTH", &moto_auth), ("LOCKSTEP_TEST_MINISTACK", &ministack)] {
            let (id, secret) = key(&python, &server.address())?;
            variables.push((format!("{name}_KEY_ID"), id));
            variables.push((format!("{name}_SECRET_KEY"), secret));
        }
        variables.extend(kubernetes.ready(&python)?);
        let running =
            [moto, moto_auth, ministack, drongo, openbao, oidc].into_iter().map(|server| server.service).collect();
        Ok(Self { variables, _running: running, _postgres: postgres, _kubernetes: kubernetes })
    }

    /// What to set for the tests.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }
}

/// A server on its way up.
pub(crate) struct Starting<'a> {
    recipe: Recipe<'a>,
    make: Box<dyn Fn(u16) -> Command + 'a>,
    service: Service,
    port: u16,
}

impl<'a> Starting<'a> {
    pub(crate) fn new(
        name: &'a str,
        folder: &'a Path,
        ready: &'a str,
        make: impl Fn(u16) -> Command + 'a,
    ) -> Outcome<Self> {
        let recipe = Recipe { name, folder, ready, patience: PATIENCE };
        let port = free_port()?;
        let service = Service::start(&recipe, &make(port))?;
        Ok(Self { recipe, make: Box::new(make), service, port })
    }

    /// Waits until it answers, and gives its address; on a port that was snatched away, tries another.
    pub(crate) fn ready(&mut self) -> Outcome<String> {
        for _ in 1..TRIES {
            if self.service.ready(&self.recipe, self.port).is_ok() {
                return Ok(self.address());
            }
            self.port = free_port()?;
            self.service = Service::start(&self.recipe, &(self.make)(self.port))?;
        }
        self.service.ready(&self.recipe, self.port)?;
        Ok(self.address())
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// moto; with `unchecked`, every call after that many is checked for its signature and rights.
pub(crate) fn moto_server(python: &Path, port: u16, unchecked: Option<u32>) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    if let Some(calls) = unchecked {
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", calls.to_string());
    }
    command
}

/// A key with every right on the imitation of AWS at `address`.
fn key(python: &Path, address: &str) -> Outcome<(String, String)> {
    let mut command = Command::new(python);
    command.args(["-c", include_str!("../python/key.py"), address, "test", "test"]);
    let said = process::capture(&mut command)?;
    match said.trim().split_once(' ') {
        Some((id, secret)) => Ok((id.to_owned(), secret.to_owned())),
        None => Err(Failure::new(format!("the server at {address} made no access key"))),
    }
}
