//! The login of a pod: its service account's token, in a file that the kubelet replaces before the token ends.

use std::path::Path;
use std::time::Duration;

use lockstep_core::{Env, Error, ErrorKind, Files, Pem, Result, TlsProfile};

use super::access::Found;
use crate::address::Address;
use crate::login::End;
use crate::{Credential, Ports};

pub(super) const HOST: &str = "KUBERNETES_SERVICE_HOST";
const PORT: &str = "KUBERNETES_SERVICE_PORT";

/// Where every pod has them, unless it asks for none.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A token in a file is read anew this often, as Kubernetes' own clients do it.
pub(super) const AGAIN: Duration = Duration::from_mins(1);

/// The largest of these files: a bundle of roots.
const MAX_BYTES: usize = 1 << 20;

/// The API server, as the pod's variables say it.
///
/// # Errors
/// `Unauthenticated` when this is no pod.
pub(super) fn address(env: &dyn Env) -> Result<Address> {
    let (Some(host), Some(port)) = (env.var(HOST), env.var(PORT)) else {
        let message = format!(
            "this is no pod ({HOST} and {PORT} are not both set); run it in the cluster, or write another `auth`"
        );
        return Err(Error::new(ErrorKind::Unauthenticated, message));
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let address = Address::parse(&format!("https://{host}:{port}"));
    address.ok_or_else(|| {
        Error::new(ErrorKind::Unauthenticated, format!("{HOST} and {PORT} make no address; correct them"))
    })
}

/// Whether this is a pod with a token.
pub(super) fn look(env: &dyn Env, files: &dyn Files) -> Result<()> {
    address(env)?;
    for path in [TOKEN, CA] {
        files.stamp(Path::new(path)).map_err(|error| absent(path, error))?;
    }
    Ok(())
}

fn absent(path: &str, error: Error) -> Error {
    let message =
        format!("{path} can't be read; mount the service account's token into the pod, or write another `auth`");
    Error::new(ErrorKind::Unauthenticated, message).because(error)
}

/// Reads the login anew. What the configuration says of the namespace and of trust goes before what the pod has, which
/// is not read then.
pub(super) fn found(ports: &Ports, own: Option<&str>, tls: &TlsProfile) -> Result<Found> {
    let ca = if let Some(ca) = &tls.ca {
        ca.clone()
    } else {
        let content = ports.files.read(Path::new(CA), MAX_BYTES).map_err(|error| absent(CA, error))?;
        Pem::bytes(content.bytes.as_slice())
    };
    let token = Credential::File(Path::new(TOKEN).into()).read(&*ports.env, &*ports.files)?;
    Ok(Found {
        address: address(&*ports.env)?,
        namespace: own.map_or_else(|| namespace(&*ports.files), |own| Ok(Some(own.to_owned())))?,
        tls: TlsProfile { ca: Some(ca), client: tls.client.clone() },
        token: Some(token),
        end: End::In(AGAIN),
        who: String::new(),
    })
}

/// The pod's namespace. Without the file only full names are understood, and a short one says so. A file that can't be
/// read now is no absent one: the first login says where all later ones have to lead.
fn namespace(files: &dyn Files) -> Result<Option<String>> {
    let content = match files.read(Path::new(NAMESPACE), MAX_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(absent(NAMESPACE, error)),
    };
    let text = std::str::from_utf8(&content.bytes).map_err(|_| {
        let message = format!("{NAMESPACE} is not UTF-8; look at what is mounted there, or set `namespace`");
        Error::new(ErrorKind::Unauthenticated, message)
    })?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
