//! `transcript`: AWS's agent is asked every request of `tests/transcript/requests.toml`, and its answers are written to
//! `tests/transcript/agent-3.1.2.json`, against which the tests hold ours.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::shared::faulty;
use self::shared::script::{self, Request, Upstream};
use self::shared::wire::{self, Answer};
use self::shared::world::{REGION, TOKEN, World};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process::{Recipe, Service, free_port};
use crate::servers::{Starting, moto_server};
use crate::tools::{self, Cache};
use crate::workspace::Workspace;

#[path = "../../../tests/transcript/shared/mod.rs"]
mod shared;

/// Where the answers go.
const FILE: &str = "tests/transcript/agent-3.1.2.json";

/// The account of the recording; the replay makes others.
const ACCOUNT: &str = "300000000001";

/// Asks the agent everything and writes its answers.
pub(crate) fn record(workspace: &Workspace) -> Outcome {
    let cache = Cache::open()?;
    let python = tools::aws(&cache)?.program();
    let program = tools::agent(workspace, &cache)?;
    let folder = workspace.scratch("transcript")?;
    let mut moto = Starting::new("moto", &folder, "/moto-api/", |port| moto_server(&python, port, None))?;
    let moto = port_of(&moto.ready()?)?;
    let mut world = World::new(moto, ACCOUNT).map_err(Failure::new)?;

    let mut agents = BTreeMap::new();
    for upstream in Upstream::ALL {
        let upstream_port = match upstream {
            Upstream::Moto => moto,
            Upstream::Down => nobody()?,
            Upstream::Faulty => faulty::start().doing(|| "can't start the faulty upstream".to_owned())?,
        };
        agents.insert(upstream.word(), agent(&program, &folder, &world, upstream, upstream_port)?);
    }

    let mut out = String::from("[\n");
    let requests = script::requests().map_err(Failure::new)?;
    for (at, request) in requests.iter().enumerate() {
        let Some((_, port)) = agents.get(request.upstream.word()) else { continue };
        for call in &request.before {
            world.call(call).map_err(Failure::new)?;
        }
        let answer = ask(&world, request, *port)?;
        write_exchange(&mut out, request, &answer);
        out.push_str(if at + 1 < requests.len() { ",\n" } else { "\n" });
    }
    out.push_str("]\n");
    let file = workspace.root().join(FILE);
    fs::write(&file, out).at("write", &file)?;
    println!("{} exchanges in {FILE}", requests.len());
    Ok(())
}

/// Starts the agent with one upstream; gives it and its port.
fn agent(
    program: &Path,
    folder: &Path,
    world: &World,
    upstream: Upstream,
    upstream_port: u16,
) -> Outcome<(Service, u16)> {
    let name = format!("agent-{}", upstream.word());
    let port = free_port()?;
    let config = folder.join(format!("{name}.toml"));
    // Who stands at a dead upstream can't have its credentials validated.
    let text = format!(
        "http_port = {port}\nregion = \"{REGION}\"\nlog_to_file = false\nvalidate_credentials = {}\n",
        upstream == Upstream::Moto
    );
    fs::write(&config, text).at("write", &config)?;
    let mut command = Command::new(program);
    command.args(["sm", "start", "-c"]).arg(&config);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AWS_") {
            command.env_remove(variable);
        }
    }
    for (variable, value) in [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", &world.login.key_id),
        ("AWS_SECRET_ACCESS_KEY", &world.login.secret_key),
        ("AWS_SESSION_TOKEN", &world.login.session_token),
        ("AWS_TOKEN", TOKEN),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{upstream_port}")),
    ] {
        command.env(variable, value);
    }
    let recipe = Recipe { name: &name, folder, ready: "/ping", patience: Duration::from_secs(30) };
    let mut service = Service::start(&recipe, &command)?;
    service.ready(&recipe, port)?;
    Ok((service, port))
}

fn ask(world: &World, request: &Request, port: u16) -> Outcome<Answer> {
    let fill = |text: &str| world.fill(text, port).map_err(Failure::new);
    let headers = request.headers.iter().map(|header| fill(header)).collect::<Outcome<Vec<_>>>()?;
    let bytes = wire::request(&request.method, &fill(&request.target)?, &headers, &request.body);
    let mut answer =
        wire::exchange(port, &bytes).doing(|| format!("the agent gave no answer to \"{}\"", request.name))?;
    answer.body = world.normalise(&answer.body);
    Ok(answer)
}

fn write_exchange(out: &mut String, request: &Request, answer: &Answer) {
    let headers: Vec<String> = request.headers.iter().map(|header| quoted(header)).collect();
    let content_type = answer.content_type.as_deref().map_or_else(|| "null".to_owned(), quoted);
    // Writing into a string can't fail.
    let _ = write!(
        out,
        "  {{\n    \"name\": {},\n    \"upstream\": {},\n    \"method\": {},\n    \"target\": {},\n    \"headers\": \
         [{}],\n    \"sent\": {},\n    \"status\": {},\n    \"content_type\": {content_type},\n    \"body\": {}\n  }}",
        quoted(&request.name),
        quoted(request.upstream.word()),
        quoted(&request.method),
        quoted(&request.target),
        headers.join(", "),
        quoted(&request.body),
        answer.status,
        quoted(&answer.body),
    );
}

/// A JSON string. Everything that is not printable ASCII is escaped, so that the file looks the same everywhere.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => {
                out.push('\\');
                out.push(char::from(byte));
            }
            Ok(byte @ b' '..=b'~') => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('"');
    out
}

/// A loopback port that nobody listens on.
fn nobody() -> Outcome<u16> {
    let what = || "can't find a free port".to_owned();
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .doing(what)
}

fn port_of(address: &str) -> Outcome<u16> {
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.ok_or_else(|| Failure::new(format!("{address} has no port")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_is_ascii() {
        assert_eq!(quoted("a\"\\\n\u{7f}é🔑"), r#""a\"\\\u000a\u007f\u00e9\ud83d\udd11""#);
    }

    #[test]
    fn a_port_stands_at_the_end_of_an_address() {
        assert_eq!(port_of("http://127.0.0.1:80").unwrap(), 80);
        assert!(port_of("http://127.0.0.1").is_err());
    }
}
