//! Starting and ending programs, and the words of a skip.

use std::process::Command;
use std::time::Duration;

use super::*;

#[test]
fn a_missing_server_names_its_variable_and_the_way_out() {
    let missing = Missing::new("moto", "LOCKSTEP_TEST_MOTO".to_owned());
    assert_eq!(
        missing.to_string(),
        "moto is not here (LOCKSTEP_TEST_MOTO is not set): run `cargo xtask test`, which starts it"
    );
}

#[test]
fn a_variable_that_is_not_set_is_a_missing_server() {
    assert_eq!(
        variable("LOCKSTEP_TEST_NEVER_SET", "nothing"),
        Err(Missing::new("nothing", "LOCKSTEP_TEST_NEVER_SET".to_owned()))
    );
}

#[test]
fn unique_names_differ() {
    assert_ne!(unique("db"), unique("db"));
}

// Break: leave the kill out of `Running::drop`.
#[test]
fn a_program_ends_with_its_guard() {
    let mut running = Running::start(Command::new("sleep").arg("60")).unwrap();
    let proc = PathBuf::from(format!("/proc/{}", running.child().id()));
    assert!(proc.exists());
    drop(running);
    assert!(!proc.exists());
}

#[test]
fn a_program_that_ends_early_is_told_apart_from_a_slow_one() {
    let port = free_port().unwrap();
    let mut ended = Running::start(&mut Command::new("true")).unwrap();
    assert!(ended.ended(Duration::from_secs(5)).unwrap().is_some_and(|status| status.success()));
    let error = ended.listening(port, Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    let mut slow = Running::start(Command::new("sleep").arg("60")).unwrap();
    let error = slow.listening(port, Duration::from_millis(40)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// Asks a server with AWS's own client; gives what the script printed.
fn boto3(python: &std::path::Path, server: &SigningServer, secret_key: &str) -> String {
    const ASK: &str = "import boto3, sys\n\
                       url, key, secret = sys.argv[1:]\n\
                       made = dict(endpoint_url=url, region_name='us-east-1', aws_access_key_id=key, \
                       aws_secret_access_key=secret)\n\
                       try:\n    boto3.client('secretsmanager', **made).list_secrets()\n    print('answered')\n\
                       except Exception as error:\n    print(error.response['Error']['Code'])\n";
    let output = Command::new(python).args(["-c", ASK, &server.url, &server.key_id, secret_key]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

// moto answers in XML, in which AWS's client finds the status alone; ministack in JSON, with the code.
// Break: start moto without INITIAL_NO_AUTH_ACTION_COUNT, or ministack without AUTH.
#[test]
fn the_signing_servers_take_their_key_and_refuse_a_wrong_secret() {
    let python = crate::require!(python());
    for server in [crate::require!(moto_auth()), crate::require!(ministack())] {
        assert_eq!(boto3(&python, &server, &server.secret_key), "answered", "{}", server.url);
        let refused = boto3(&python, &server, "wrong");
        assert!(["403", "InvalidSignatureException"].contains(&refused.as_str()), "{refused}");
    }
}

#[test]
fn the_open_moto_takes_any_key() {
    let python = crate::require!(python());
    let server = SigningServer { url: crate::require!(moto()), key_id: "any".to_owned(), secret_key: "any".to_owned() };
    assert_eq!(boto3(&python, &server, "any"), "answered");
}

#[test]
fn openbao_takes_its_root_token() {
    let url = crate::require!(openbao());
    let python = crate::require!(python());
    let ask = "import sys, urllib.request\n\
               request = urllib.request.Request(sys.argv[1] + '/v1/auth/token/lookup-self')\n\
               request.add_header('X-Vault-Token', sys.argv[2])\n\
               print(urllib.request.urlopen(request).status)\n";
    let output = Command::new(python).args(["-c", ask, &url, OPENBAO_ROOT]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "200");
}

#[test]
fn the_api_server_knows_its_operator_and_refuses_a_reader_without_a_role() {
    let cluster = crate::require!(kubernetes());
    let python = crate::require!(python());
    let ask = "import ssl, sys, urllib.error, urllib.request\n\
               url, ca, token = sys.argv[1:]\n\
               request = urllib.request.Request(url + '/api/v1/secrets')\n\
               request.add_header('Authorization', 'Bearer ' + token)\n\
               try:\n    print(urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)).status)\n\
               except urllib.error.HTTPError as error:\n    print(error.code)\n";
    for (token, expected) in [(&*cluster.admin_token, "200"), (&cluster.reader_token, "403"), ("other", "401")] {
        let output =
            Command::new(&python).args(["-c", ask, &cluster.url]).arg(&cluster.ca_file).arg(token).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), expected);
    }
}

#[test]
fn the_programs_of_the_gate_are_files() {
    for program in [crate::require!(lambda_emulator()), crate::require!(faketime()), crate::require!(bao())] {
        assert!(program.is_file(), "{}", program.display());
    }
}
