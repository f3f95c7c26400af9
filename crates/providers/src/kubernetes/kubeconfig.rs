//! [`Kubeconfig`]: the files that kubectl reads, one or several, and the login that a context of them is.
//!
//! The first file that has an entry decides, as for kubectl; a path in a file begins at the file's folder. What can't be
//! done as it is written there is refused, never left aside: another certificate check, another user, another way.

use std::path::{Path, PathBuf};

use lockstep_core::{Call, Env, Error, ErrorKind, FileStamp, Files, MAX_MEMBERS, Pem, Result, SecretValue, TlsProfile};

use super::access::Found;
use super::in_cluster::AGAIN;
use super::login::parsed;
use super::plugin::Plugin;
use crate::binary::decoded;
use crate::login::End;
use crate::tree::Node;
use crate::{Credential, Ports, yaml};

/// The largest kubeconfig, and the largest certificate or key beside it.
const MAX_BYTES: usize = 4 << 20;

/// What a user may have that would be another login than the one that we can make.
const CANT: [(&str, &str); 9] = [
    ("auth-provider", "`auth-provider`, which kubectl has given up too; write `exec` with the cloud's plugin"),
    ("username", "a password; the API server has no such login any more"),
    ("password", "a password; the API server has no such login any more"),
    ("as", "`as`, to act as somebody else; write a context that logs in as that user"),
    ("as-uid", "`as-uid`, to act as somebody else; write a context that logs in as that user"),
    ("as-groups", "`as-groups`, to act as somebody else; write a context that logs in as that user"),
    ("as-user-extra", "`as-user-extra`, to act as somebody else; write a context that logs in as that user"),
    ("impersonate", "`impersonate`; write a context that logs in as that user"),
    ("act-as", "`act-as`; write a context that logs in as that user"),
];

/// The files, read and parsed.
pub(super) struct Kubeconfig {
    files: Vec<File>,
}

/// The file that is configured, those of `KUBECONFIG`, or the one in the home folder.
fn paths(env: &dyn Env, configured: Option<&Path>) -> Vec<PathBuf> {
    match (configured, env.var("KUBECONFIG")) {
        (Some(path), _) => vec![path.to_owned()],
        (None, Some(listed)) => listed.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
        (None, None) => env.var("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect(),
    }
}

/// Whether there is one at all.
pub(super) fn look(env: &dyn Env, files: &dyn Files, configured: Option<&Path>) -> Result<()> {
    if paths(env, configured).iter().any(|path| files.stamp(path).is_ok()) { Ok(()) } else { Err(none()) }
}

fn none() -> Error {
    let message = "this is no pod, and there is no kubeconfig; set KUBECONFIG, or write `auth` with a `path`, or with \
                   the method `token`";
    Error::new(ErrorKind::Unauthenticated, message)
}

/// One file.
pub(super) struct File {
    path: PathBuf,
    root: Node,
    stamp: FileStamp,
}

impl Kubeconfig {
    /// Reads the file, or those of `KUBECONFIG`, or the one in the home folder.
    ///
    /// # Errors
    /// `Unauthenticated` when there is none or it can't be read.
    pub(super) fn read(ports: &Ports, path: Option<&Path>) -> Result<Self> {
        let paths = paths(&*ports.env, path);
        let (mut files, mut missing) = (Vec::new(), None);
        let alone = paths.len() == 1;
        for path in paths {
            match File::read(ports, path) {
                Ok(file) => files.push(file),
                // Of several, some may not be there: kubectl passes over them too.
                Err((error, true)) if !alone => missing = Some(error),
                Err((error, _)) => return Err(error),
            }
        }
        if files.is_empty() {
            return Err(missing.unwrap_or_else(none));
        }
        Ok(Self { files })
    }

    /// The login of this context, else of the current one.
    pub(super) async fn found(
        &self,
        call: &Call,
        ports: &Ports,
        context: Option<&str>,
        exec: bool,
        tls: &TlsProfile,
    ) -> Result<Found> {
        let current = || self.files.iter().find_map(|file| file.root.get("current-context")?.text());
        let context = context.or_else(current).ok_or_else(|| {
            let message = "the kubeconfig has no current context; write `context`, or choose one with kubectl";
            Error::new(ErrorKind::Unauthenticated, message)
        })?;
        let (file, node) = self.entry("contexts", "context", context)?;
        let part = |key: &str| node.get(key).and_then(Node::text);
        let of = |key: &str| part(key).ok_or_else(|| file.wrong(&format!("has a context without `{key}`; write it")));
        let user = of("user")?;
        let cluster = self.cluster(of("cluster")?, tls)?;
        let (client, token, end) = self.user(user, call, ports, exec, &cluster).await?;
        Ok(Found {
            address: parsed(&cluster.server)?,
            // As for kubectl.
            namespace: Some(part("namespace").unwrap_or("default").to_owned()),
            tls: TlsProfile { ca: Self::read_pem(ports, cluster.ca)?, client: client.or_else(|| tls.client.clone()) },
            token,
            end,
            who: format!("{context} {user}"),
        })
    }

    /// An entry of a list by its name, and the file that it stands in.
    fn entry(&self, list: &str, what: &str, name: &str) -> Result<(&File, &Node)> {
        for file in &self.files {
            let items = file.root.get(list).map(Node::items).unwrap_or_default();
            let named = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
            if let Some(entry) = items.iter().find(named).and_then(|item| item.get(what)) {
                return Ok((file, entry));
            }
        }
        let message = format!("the kubeconfig has no {what} of that name; correct the name, or write the {what}");
        Err(Error::new(ErrorKind::Unauthenticated, message))
    }

    fn cluster(&self, name: &str, tls: &TlsProfile) -> Result<Cluster> {
        let (file, node) = self.entry("clusters", "cluster", name)?;
        let part = |key: &str| node.get(key).and_then(Node::text);
        if part("insecure-skip-tls-verify") == Some("true") {
            let message = "the kubeconfig says `insecure-skip-tls-verify`: anybody on the way could read every secret; \
                           write `certificate-authority` instead, or `tls.ca_file` of the provider";
            return Err(Error::new(ErrorKind::Config, message));
        }
        for (key, instead) in [
            ("tls-server-name", "an address whose name is in the certificate"),
            ("proxy-url", "an address that is reached directly"),
        ] {
            if part(key).is_some() {
                let message = format!("use the kubeconfig's `{key}`; write {instead}");
                return Err(Error::unsupported(&message));
            }
        }
        let server = part("server").ok_or_else(|| file.wrong("has a cluster without `server`; write it"))?;
        let ca = file.pem(node, "certificate-authority")?.or_else(|| tls.ca.clone());
        Ok(Cluster { server: server.to_owned(), ca })
    }

    async fn user(
        &self,
        name: &str,
        call: &Call,
        ports: &Ports,
        exec: bool,
        cluster: &Cluster,
    ) -> Result<(Option<(Pem, Pem)>, Option<SecretValue>, End)> {
        let (file, node) = self.entry("users", "user", name)?;
        if let Some((_, what)) = CANT.iter().find(|(key, _)| node.get(key).is_some()) {
            return Err(Error::unsupported(&format!("log in with what the kubeconfig says: {what}")));
        }
        let cert = file.pem(node, "client-certificate")?;
        let key = file.pem(node, "client-key")?;
        let client = match (cert, key) {
            (Some(cert), Some(key)) => Self::read_pem(ports, Some(cert))?.zip(Self::read_pem(ports, Some(key))?),
            (None, None) => None,
            _ => return Err(file.wrong("has a client certificate without its key, or a key alone; write both")),
        };
        // As for kubectl: a file goes before a text, and a program is asked for nothing that stands there.
        if let Some(path) = node.get("tokenFile").and_then(Node::text) {
            let token = Credential::File(file.beside(path).into()).read(&*ports.env, &*ports.files)?;
            return Ok((client, Some(token), End::In(AGAIN)));
        }
        if let Some(Node::Text(token) | Node::Verbatim(token)) =
            node.get("token").filter(|token| token.text().is_some())
        {
            return Ok((client, Some(token.duplicate()), End::Unknown));
        }
        match node.get("exec") {
            Some(plugin) if exec => {
                file.is_ours()?;
                let plugin = Plugin::of(file, plugin)?;
                let ca = Self::read_pem(ports, cluster.ca.clone())?;
                let given = plugin.run(call, ports, &cluster.server, ca.as_ref()).await?;
                Ok((given.client.or(client), given.token, given.end))
            }
            Some(_) => {
                let message = "the kubeconfig names a program that prints the credential, and nobody has allowed to run \
                               it; look at it, then write `exec = true` into `auth`";
                Err(Error::new(ErrorKind::Unauthenticated, message))
            }
            None if client.is_some() => Ok((client, None, End::Unknown)),
            None => Err(file.wrong("has a user without a token, a certificate or a plugin; write one")),
        }
    }

    /// The PEM of a file as bytes: what the file holds later is another profile, and is noticed.
    fn read_pem(ports: &Ports, pem: Option<Pem>) -> Result<Option<Pem>> {
        let Some(Pem::File(path)) = pem else { return Ok(pem) };
        let content = ports.files.read(&path, MAX_BYTES).map_err(|error| {
            let message =
                format!("{}, which the login needs, can't be read; look at its path and permissions", path.display());
            Error::new(ErrorKind::Unauthenticated, message).because(error)
        })?;
        Ok(Some(Pem::bytes(content.bytes.as_slice())))
    }
}

/// Where a context leads.
struct Cluster {
    server: String,
    ca: Option<Pem>,
}

impl File {
    /// Reads a file; a failure says whether it is that there is none.
    fn read(ports: &Ports, path: PathBuf) -> Result<Self, (Error, bool)> {
        let content = ports.files.read(&path, MAX_BYTES).map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            let message = format!(
                "the kubeconfig {} can't be read; name one that is there, or write `auth` with another `method`",
                path.display()
            );
            (Error::new(ErrorKind::Unauthenticated, message).because(error), missing)
        })?;
        let wrong = |what: &str| {
            let message = format!("the kubeconfig {} {what}", path.display());
            (Error::new(ErrorKind::Unauthenticated, message), false)
        };
        let text = std::str::from_utf8(&content.bytes).map_err(|_| wrong("is not UTF-8; save it as UTF-8"))?;
        let root = yaml::parse(text, MAX_MEMBERS).map_err(|fault| wrong(&format!("can't be understood: {fault}")))?;
        Ok(Self { root, stamp: content.stamp, path })
    }

    pub(super) fn wrong(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unauthenticated, format!("the kubeconfig {} {what}", self.path.display()))
    }

    /// A path that stands in this file.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Whether what it names may be run: who can write it could run anything.
    fn is_ours(&self) -> Result<()> {
        if self.stamp.own && self.stamp.mode & 0o022 == 0 {
            return Ok(());
        }
        Err(self.wrong("names a program to run, and others may write it; `chown` it to yourself and `chmod go-w` it"))
    }

    /// What stands under `key-data` in base64, else the file under `key`.
    fn pem(&self, node: &Node, key: &str) -> Result<Option<Pem>> {
        let data = node.get(&format!("{key}-data")).and_then(Node::text);
        if let Some(data) = data {
            let bytes = decoded(data.as_bytes())
                .ok_or_else(|| self.wrong(&format!("has a `{key}-data` that is no base64; correct it")))?;
            return Ok(Some(Pem::bytes(bytes.expose())));
        }
        let path = node.get(key).and_then(Node::text);
        Ok(path.map(|path| Pem::File(self.beside(path).into())))
    }
}
