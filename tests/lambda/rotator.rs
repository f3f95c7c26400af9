//! Rotations of users of a real PostgreSQL and a real MariaDB, by the function under AWS's own emulator, asked for as
//! Secrets Manager does, while fifty clients read the secret through `lockstep serve` and log in with it.

mod clients;
mod database;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use lockstep_stories::{CountingProxy, Lockstep};
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, unique};
use serde_json::{Value, json};

use self::clients::Clients;
use self::database::Database;
use crate::function::Function;

const PROGRAM: &str = "lockstep-rotator";
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// moto, the emulator and a Python that speaks to them.
struct Bench {
    url: String,
    python: PathBuf,
    emulator: PathBuf,
}

impl Bench {
    fn aws(&self, what: &[&str]) -> String {
        let script = include_str!("rotator.py");
        let output = Command::new(&self.python).args(["-c", script, &self.url]).args(what).output().unwrap();
        assert!(output.status.success(), "{what:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn make(&self, name: &str, secret: &Value) -> String {
        self.aws(&["make", name, &secret.to_string()])
    }

    fn value(&self, name: &str, stage: &str) -> Value {
        serde_json::from_str(&self.aws(&["value", name, stage])).unwrap()
    }

    fn deploy(&self, config: &str) -> Function {
        let variables = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &*self.url),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "story"),
            ("LOCKSTEP_CONFIG_CONTENT", config),
        ];
        Function::deploy_program(PROGRAM, &self.emulator, &variables)
    }

    /// An endpoint that reads this secret, with this `[cache]`.
    fn serve(&self, cache: &str) -> (lockstep_stories::Running, CountingProxy) {
        let proxy = CountingProxy::to(&self.url);
        let config = format!(
            "[providers.aws]\ntype = \"aws-secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
             [cache]\nrefresh_ahead = \"0\"\n{cache}\n[listen]\naddress = \"127.0.0.1:0\"\naddress_rate = 0\n\
             caller_rate = 0\nreport_rate = 1000\nreport_burst = 1000\n",
            proxy.url()
        );
        let environment = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "story")];
        (Lockstep::serve(config.as_str(), &environment), proxy)
    }
}

fn event(step: &str, arn: &str, token: &str) -> Value {
    json!({ "Step": step, "SecretId": arn, "ClientRequestToken": token, "RotationToken": "c4n4ry-token" })
}

fn done(function: &Function, step: &str, arn: &str, token: &str) {
    let told = function.invoke(&event(step, arn, token));
    assert_eq!(told, json!(null), "{step}: {}", function.log());
}

fn rotator(pattern: &str, database: &Database) -> String {
    format!("[[rotators]]\nmatch = \"{pattern}/**\"\ntype = \"database\"\n{}\n", database.reached_by)
}

/// Whether anything of the secret was said: in the log, which holds the audit too.
fn assert_silent(function: &Function, secrets: &[Value]) {
    let log = function.log();
    assert!(!log.contains("c4n4ry-token"), "the rotation's token was said");
    for secret in secrets {
        let password = secret["password"].as_str().unwrap();
        assert!(!log.contains(password), "a password was said");
    }
}

/// Two users take turns: whoever has read the old one goes on, until the next rotation.
fn two_users(bench: &Bench, database: &Arc<Database>) {
    let name = unique("rotated/two");
    let user = database.make_user();
    let master = bench.make(&unique("rotated/master"), &database.admin());
    let mut first = database.secret(&user);
    first["masterarn"] = json!(master);
    let arn = bench.make(&name, &first);
    let function = bench.deploy(&rotator("rotated", database));
    let (running, _proxy) = bench.serve("ttl = \"1s\"");
    let clients = Clients::start(running, database, &name);
    clients.all_with(&user);
    let mut said = vec![first, database.admin()];
    for expected in [format!("{user}_clone"), user.clone(), format!("{user}_clone")] {
        let token = bench.aws(&["begin", &name]);
        for step in STEPS {
            // Secrets Manager asks again whenever it does not hear an answer.
            done(&function, step, &arn, &token);
            let pending = (step == "createSecret").then(|| bench.value(&name, "AWSPENDING"));
            done(&function, step, &arn, &token);
            if let Some(pending) = pending {
                assert_eq!(bench.value(&name, "AWSPENDING"), pending, "a second value was made");
            }
        }
        let current = bench.value(&name, "AWSCURRENT");
        assert_eq!((&current["username"], &current["host"]), (&json!(expected), &json!(database.host)));
        clients.all_with(&expected);
        said.push(current);
    }
    assert!(database.may_read(said.last().unwrap()), "the second user may what the first may");
    let refused = clients.stop();
    assert_eq!(refused, 0, "a login failed though two users take turns");
    let audited = function.audited();
    let finished = audited.iter().filter(|record| record["action"] == "rotate-finish" && record["name"] == *name);
    assert_eq!(finished.count(), 6, "{audited:?}");
    assert_silent(&function, &said);
}

/// One user: from `setSecret` until the new value is read, logins with the old one fail; a report of one ends it.
fn one_user(bench: &Bench, database: &Arc<Database>) {
    let name = unique("rotated/one");
    let user = database.make_user();
    let first = database.secret(&user);
    let arn = bench.make(&name, &first);
    let function = bench.deploy(&rotator("rotated", database));
    // No TTL ends within the test: only reports do.
    let (running, proxy) = bench.serve("ttl = \"300s\"\nreport_pause = \"100ms\"");
    let clients = Clients::start(running, database, &name);
    clients.all_with(&user);
    let token = bench.aws(&["begin", &name]);
    done(&function, "createSecret", &arn, &token);
    clients.all_again();
    assert_eq!(clients.refused(), 0, "a login failed before anything was set");
    for step in &STEPS[1..] {
        done(&function, step, &arn, &token);
        done(&function, step, &arn, &token);
    }
    let second = bench.value(&name, "AWSCURRENT");
    assert!(second["username"] == first["username"] && second["password"] != first["password"]);
    // Every client gets in again, each by a report or by that of another one; and from then on nobody is refused.
    clients.all_with_password(second["password"].as_str().unwrap());
    let until_now = clients.refused();
    assert!(until_now > 0, "without a window there is nothing to close");
    clients.all_again();
    assert_eq!(clients.stop(), until_now, "a login failed after the window was closed");
    assert!(proxy.count("secretsmanager.GetSecretValue") < 50, "a report is not a storm");
    assert_silent(&function, &[first, second]);
}

fn bench() -> Result<Bench, servers::Missing> {
    Ok(Bench { url: servers::moto()?, python: servers::python()?, emulator: servers::lambda_emulator()? })
}

/// Break: leave the look at the pending value out of `createSecret`, alter the current user in `make_other`, or leave
/// the membership out.
#[test]
fn two_users_of_postgresql_take_turns_and_no_login_of_fifty_clients_fails() {
    let (bench, database) = (require!(bench()), Arc::new(Database::postgres(&require!(servers::postgres()))));
    two_users(&bench, &database);
}

/// Break: the same in `mysql::make_other`, or leave the grants out.
#[test]
fn two_users_of_mariadb_take_turns_and_no_login_of_fifty_clients_fails() {
    let (bench, home) = (require!(bench()), require!(servers::mariadb()));
    let folder = tempfile::tempdir().unwrap();
    two_users(&bench, &Arc::new(Database::mariadb(&home, folder.path())));
}

/// Break: change the password in `createSecret`, or answer the report with the value that was reported.
#[test]
fn logins_with_the_one_user_of_postgresql_fail_only_until_a_report_brings_the_new_password() {
    let (bench, database) = (require!(bench()), Arc::new(Database::postgres(&require!(servers::postgres()))));
    one_user(&bench, &database);
}

/// Break: the same in `mysql::change_own`.
#[test]
fn logins_with_the_one_user_of_mariadb_fail_only_until_a_report_brings_the_new_password() {
    let (bench, home) = (require!(bench()), require!(servers::mariadb()));
    let folder = tempfile::tempdir().unwrap();
    one_user(&bench, &Arc::new(Database::mariadb(&home, folder.path())));
}

/// What could be made to work for somebody else does nothing. Break: any of the refusals that are named here.
#[test]
fn a_rotation_uses_no_rights_of_others_and_sends_no_password_elsewhere() {
    let (bench, home) = (require!(bench()), require!(servers::mariadb()));
    let folder = tempfile::tempdir().unwrap();
    let database = Database::mariadb(&home, folder.path());
    let user = database.make_user();
    let master = bench.make(&unique("rotated/master"), &database.admin());
    let mut elsewhere = database.admin();
    elsewhere["host"] = json!("127.0.0.2");
    let elsewhere = bench.make(&unique("rotated/master"), &elsewhere);
    let foreign = master.replace("123456789012", "210987654321");
    let trusted = rotator("refused", &database);
    let unknown_root = "[[rotators]]\nmatch = \"refused/**\"\ntype = \"database\"\nusers = \"single\"\n".to_owned();
    let secret = |changes: Value| {
        let mut secret = database.secret(&user);
        secret.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        secret
    };
    for (config, secret, kind, expected) in [
        (&trusted, secret(json!({ "masterarn": foreign })), "Denied", "of another account"),
        (&trusted, secret(json!({ "masterarn": elsewhere })), "Conflict", "`host` of the master's value"),
        (&trusted, secret(json!({ "masterarn": master, "password": "wrong" })), "Denied", "the current password of"),
        (&trusted, secret(json!({ "password": "wrong" })), "Denied", "neither the pending password"),
        (&unknown_root, secret(json!({})), "Tls", "`ca_file`"),
    ] {
        let name = unique("refused/secret");
        let arn = bench.make(&name, &secret);
        let token = bench.aws(&["begin", &name]);
        let function = bench.deploy(config);
        done(&function, "createSecret", &arn, &token);
        let refused = function.invoke(&event("setSecret", &arn, &token));
        let message = refused["errorMessage"].as_str().unwrap();
        assert_eq!(refused["errorType"], format!("Lockstep.{kind}"), "{message}");
        assert!(message.contains(expected) && message.starts_with(&format!("setSecret of `{name}`")), "{message}");
        assert!(database.may_read(&database.secret(&user)), "the user is as it was");
        assert_silent(&function, &[database.admin(), bench.value(&name, "AWSPENDING")]);
    }
    let function = bench.deploy(&trusted);
    let refused = function.invoke(&json!({ "Step": "setSecret", "SecretId": "c4n4ry" }));
    assert_eq!(refused["errorType"], "Lockstep.NoStep", "{refused}");
}
