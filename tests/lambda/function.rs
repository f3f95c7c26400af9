//! [`Function`]: the endpoint as a function under AWS's own Lambda emulator, and the events that a function URL, an HTTP API
//! and a REST API send it.
//!
//! No extension is there, so it needs no `/opt` of its own.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lockstep_stories::Connection;
use lockstep_testkit::servers::Running;
use rustix::process::Pid;
use serde_json::{Value, json};

use crate::port::Port;
use crate::sandbox::beside_this_test;

/// Which front an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Url,
    HttpApi,
    RestApi,
}

pub(crate) const FRONTS: [Front; 3] = [Front::Url, Front::HttpApi, Front::RestApi];

/// A request, before a front has made an event of it. The name of a parameter stands once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<&'a str>,
    pub(crate) is_base64: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn get(path: &'a str, token: &'a str) -> Self {
        Self { method: "GET", path, query: &[], token: Some(token), body: None, is_base64: false }
    }

    /// The event that comes of it.
    pub(crate) fn event(self, front: Front) -> Value {
        let authorization = self.token.map(|token| format!("Bearer {token}"));
        if front == Front::RestApi {
            let domain = "restid.execute-api.eu-west-1.amazonaws.com";
            let mut headers = json!({ "Host": [domain], "X-Forwarded-For": ["203.0.113.9"], "Via": ["2.0 front"] });
            if let Some(value) = authorization {
                headers["Authorization"] = json!([value]);
            }
            let many: serde_json::Map<_, _> =
                self.query.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
            return json!({
                "resource": "/{proxy+}", "path": self.path, "httpMethod": self.method, "headers": {},
                "multiValueHeaders": headers, "queryStringParameters": null, "multiValueQueryStringParameters": many,
                "pathParameters": null, "stageVariables": null, "body": self.body, "isBase64Encoded": self.is_base64,
                "requestContext": {
                    "apiId": "restid", "domainName": domain, "stage": "live", "path": format!("/live{}", self.path),
                    "httpMethod": self.method, "identity": { "sourceIp": "192.0.2.3" }, "authorizer": null,
                },
            });
        }
        let (id, domain, stage) = match front {
            Front::Url => ("urlid", "urlid.lambda-url.eu-west-1.on.aws", "$default"),
            _ => ("apiid", "apiid.execute-api.eu-west-1.amazonaws.com", "live"),
        };
        let path = if front == Front::Url { self.path.to_owned() } else { format!("/live{}", self.path) };
        let query: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = json!({ "host": domain, "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" });
        if let Some(value) = authorization {
            headers["authorization"] = json!(value);
        }
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query.join("&"),
            "headers": headers, "body": self.body, "isBase64Encoded": self.is_base64,
            "requestContext": {
                "apiId": id, "domainName": domain, "stage": stage, "routeKey": "$default",
                "http": { "method": self.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.3" },
            },
        })
    }
}

/// A sandbox that is not started before its first invocation.
pub(crate) struct Function {
    emulator: Running,
    ports: [Port; 2],
    folder: tempfile::TempDir,
}

impl Function {
    /// Puts the function into the emulator. `variables` are all that it has beside Lambda's own.
    pub(crate) fn deploy(emulator: &Path, variables: &[(&str, &str)]) -> Self {
        Self::deploy_program("lockstep-resolve", emulator, variables)
    }

    /// The same with another program of ours.
    pub(crate) fn deploy_program(program: &str, emulator: &Path, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [Port::hold(), Port::hold()];
        let [port, api] = ports.each_ref().map(|port| format!("127.0.0.1:{}", port.number));
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(emulator);
        command
            .args(["--runtime-interface-emulator-address", &port, "--runtime-api-address", &api])
            .arg(beside_this_test(program));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(variables.iter().copied());
        let mut process = Running::start(&mut command).unwrap();
        for port in &ports {
            if let Err(error) = process.listening(port.number, Duration::from_secs(30)) {
                panic!("the emulator did not start: {error}");
            }
        }
        Self { emulator: process, ports, folder }
    }

    /// Invokes it: what Lambda would give to whoever did; an error of the function too, or of its start.
    pub(crate) fn invoke(&self, event: &Value) -> Value {
        let mut connection = Connection::open(([127, 0, 0, 1], self.ports[0].number).into()).unwrap();
        // Of HTTP/1.0, in which no answer comes in chunks, however large.
        let head = "POST /2015-03-31/functions/function/invocations HTTP/1.0\r\nhost: lambda\r\n";
        let event = event.to_string();
        connection.send(format!("{head}content-length: {}\r\n\r\n{event}", event.len())).unwrap();
        let answer = connection.receive().unwrap();
        // The emulator says 502 when there is no function left to answer.
        assert!(matches!(answer.status, 200 | 502), "{}\n{}", answer.text(), self.log());
        answer.json()
    }

    /// Asks through a front: the status, and the answer's document.
    pub(crate) fn ask(&self, front: Front, asked: Asked<'_>) -> (u64, Value) {
        let answer = self.invoke(&asked.event(front));
        let status = answer["statusCode"].as_u64();
        let status = status.unwrap_or_else(|| panic!("no answer but {answer}\n{}", self.log()));
        assert_eq!(answer["isBase64Encoded"], false, "{answer}");
        (status, serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default())
    }

    /// The process of the function, once it was invoked.
    pub(crate) fn id(&mut self) -> Pid {
        let emulator = self.emulator.child().id();
        let tasks = std::fs::read_dir(format!("/proc/{emulator}/task")).unwrap();
        // Whichever thread of the emulator started it.
        let children = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap());
        let id = children.collect::<String>().trim().parse().unwrap();
        Pid::from_raw(id).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap()).into_owned()
    }

    /// The log's lines that are documents of this kind of the audit.
    pub(crate) fn audited(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("principal").is_some()).collect()
    }
}
