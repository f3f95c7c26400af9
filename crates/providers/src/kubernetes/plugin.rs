//! [`Plugin`]: a program of a kubeconfig that prints a credential (API: `ExecCredential` of client.authentication.k8s.io).

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lockstep_core::{Call, Error, ErrorKind, Pem, Program, Result, SecretValue, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::kubeconfig::File;
use crate::Ports;
use crate::body::{Body, text};
use crate::login::End;
use crate::tree::Node;

/// The forms that are spoken here; a plugin answers in the one that it is asked for.
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
/// Tells a plugin what is wanted of it.
const ASKED: &str = "KUBERNETES_EXEC_INFO";
/// What a plugin may take: clouds are asked on the way.
const TIME: Duration = Duration::from_secs(20);
/// A token, or a certificate and its key.
const OUTPUT_BYTES: usize = 256 << 10;

/// A program and what it is given.
pub(super) struct Plugin {
    command: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    version: &'static str,
    wants_cluster: bool,
}

/// What a plugin has printed.
pub(super) struct Given {
    pub(super) token: Option<SecretValue>,
    pub(super) client: Option<(Pem, Pem)>,
    pub(super) end: End,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    client_certificate_data: Option<&'a RawValue>,
    #[serde(borrow)]
    client_key_data: Option<&'a RawValue>,
    expiration_timestamp: Option<String>,
}

impl Plugin {
    /// What stands under `exec` of a user.
    pub(super) fn of(file: &File, node: &Node) -> Result<Self> {
        let part = |key: &str| node.get(key).and_then(Node::text);
        let command = part("command").ok_or_else(|| file.wrong("has an `exec` without `command`; write it"))?;
        // A name alone is looked for on PATH, as by kubectl.
        let command = if command.contains('/') { file.beside(command) } else { command.into() };
        let version = part("apiVersion").and_then(|wanted| VERSIONS.into_iter().find(|known| *known == wanted));
        let version = version.ok_or_else(|| {
            let [newest, older] = VERSIONS;
            Error::unsupported(&format!(
                "speak the `apiVersion` of the kubeconfig's plugin; write `{newest}` or `{older}`"
            ))
        })?;
        if part("interactiveMode") == Some("Always") {
            return Err(Error::unsupported("give the kubeconfig's plugin a terminal (`interactiveMode: Always`)"));
        }
        let no_text = || file.wrong("has an `exec` with arguments or variables that are no text; put them in quotes");
        let word = |node: &Node| match node {
            // An argument may be empty.
            Node::Text(value) | Node::Verbatim(value) => value.expose_text().map(str::to_owned).ok_or_else(no_text),
            _ => Err(no_text()),
        };
        let items = |key: &str| node.get(key).map(Node::items).unwrap_or_default().iter();
        let variable = |node: &Node| match (node.get("name"), node.get("value")) {
            (Some(name), Some(value)) => Ok((word(name)?, word(value)?)),
            _ => Err(no_text()),
        };
        Ok(Self {
            command,
            arguments: items("args").map(word).collect::<Result<_>>()?,
            environment: items("env").map(variable).collect::<Result<_>>()?,
            version,
            wants_cluster: part("provideClusterInfo") == Some("true"),
        })
    }

    /// Runs it and reads what it printed.
    ///
    /// # Errors
    /// `Unauthenticated` when it prints no credential; else those of [`Exec`](lockstep_core::Exec).
    pub(super) async fn run(&self, call: &Call, ports: &Ports, server: &str, ca: Option<&Pem>) -> Result<Given> {
        let mut spec = serde_json::json!({ "interactive": false });
        if let (true, Some(spec)) = (self.wants_cluster, spec.as_object_mut()) {
            let mut cluster = serde_json::json!({ "server": server });
            if let (Some(Pem::Bytes(ca)), Some(cluster)) = (ca, cluster.as_object_mut()) {
                cluster.insert("certificate-authority-data".to_owned(), STANDARD.encode(ca.expose()).into());
            }
            spec.insert("cluster".to_owned(), cluster);
        }
        let asked = serde_json::json!({ "apiVersion": self.version, "kind": "ExecCredential", "spec": spec });
        let mut environment = self.environment.clone();
        environment.push((ASKED.to_owned(), asked.to_string()));
        let program = Program {
            path: self.command.as_path().into(),
            arguments: self.arguments.clone(),
            environment,
            time: TIME.min(call.remaining()),
            output_bytes: OUTPUT_BYTES,
        };
        let printed = ports.exec.run(&program).await.map_err(|error| {
            let message = format!("the kubeconfig's plugin gave no credential: {}", error.message());
            Error::new(error.kind(), message).because(error)
        })?;
        self.read(&printed)
    }

    fn read(&self, printed: &SecretValue) -> Result<Given> {
        let no = |what: &str| {
            let message = format!("the kubeconfig's plugin {what}; run it by hand and look");
            Error::new(ErrorKind::Unauthenticated, message)
        };
        let body = Body::new(Bytes::copy_from_slice(printed.expose()));
        let printed: Printed<'_> = body.json().map_err(|_| no("printed no ExecCredential"))?;
        if printed.kind != "ExecCredential" || printed.api_version != self.version {
            return Err(no("printed a credential of another `apiVersion` than the one it was asked for"));
        }
        let status = printed.status.ok_or_else(|| no("printed an ExecCredential without a status"))?;
        let unescaped = |raw: Option<&RawValue>| raw.map(text).transpose().map_err(|_| no("printed no text"));
        let token = unescaped(status.token)?.filter(|token| !token.is_empty());
        let client = match (unescaped(status.client_certificate_data)?, unescaped(status.client_key_data)?) {
            (Some(cert), Some(key)) => Some((Pem::bytes(cert), Pem::bytes(key))),
            (None, None) => None,
            _ => return Err(no("printed a certificate without its key, or a key alone")),
        };
        if token.is_none() && client.is_none() {
            return Err(no("printed neither a token nor a certificate"));
        }
        let end = match status.expiration_timestamp.as_deref() {
            None => End::Unknown,
            Some(time) => End::At(UnixMillis::from_rfc3339(time).ok_or_else(|| no("printed an end that is no time"))?),
        };
        Ok(Given { token, client, end })
    }
}
