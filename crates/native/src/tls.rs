//! One TLS profile: whom we trust, and what we show. ring is chosen by name; nothing reads the system's root store, which
//! costs 3 to 36 ms per client.

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Error, ErrorKind, FileContent, Files, Result, TlsProfile};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The largest PEM file that is read: the whole Mozilla bundle is 250 KB.
const MAX_PEM_BYTES: usize = 4 << 20;

/// The client side of TLS 1.2 and 1.3 for this profile. `default_ca` stands in when the profile names no roots.
///
/// # Errors
/// `Config` when a file can't be read or holds no certificate or key, or key and certificate don't fit.
pub(crate) fn client_config(
    files: &dyn Files,
    profile: &TlsProfile,
    default_ca: Option<&Path>,
) -> Result<ClientConfig> {
    let roots = match profile.ca_file.as_deref().or(default_ca) {
        Some(path) => roots_from(files, path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "ring can't do TLS 1.2 and 1.3").because(error))?
        .with_root_certificates(roots);
    let mut config = match &profile.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(files, certificate)?;
            builder.with_client_auth_cert(chain, private_key(files, key)?).map_err(|error| {
                let message = format!(
                    "the client certificate {} and the key {} don't fit together; name the key of this certificate",
                    certificate.display(),
                    key.display()
                );
                Error::new(ErrorKind::Config, message).because(error)
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots_from(files: &dyn Files, path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(files, path)? {
        roots.add(certificate).map_err(|error| {
            let message = format!("{} holds a certificate that can't be a root; check the file", path.display());
            Error::new(ErrorKind::Config, message).because(error)
        })?;
    }
    Ok(roots)
}

fn certificates(files: &dyn Files, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(files, path)?;
    match CertificateDer::pem_slice_iter(&pem.bytes).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(not_pem(path, "a certificate", "-----BEGIN CERTIFICATE-----")),
    }
}

fn private_key(files: &dyn Files, path: &Path) -> Result<PrivateKeyDer<'static>> {
    let pem = read(files, path)?;
    PrivateKeyDer::from_pem_slice(&pem.bytes)
        .map_err(|_| not_pem(path, "an unencrypted private key", "-----BEGIN PRIVATE KEY-----"))
}

/// A file that the configuration names and that can't be read is the configuration's fault. Its own kind would be taken
/// for an answer about a secret.
fn read(files: &dyn Files, path: &Path) -> Result<FileContent> {
    files.read(path, MAX_PEM_BYTES).map_err(|error| match error.kind() {
        ErrorKind::Unavailable => error,
        _ => Error::new(ErrorKind::Config, error.message()),
    })
}

/// The parser's own error is left out: it may quote the file.
fn not_pem(path: &Path, what: &str, begins: &str) -> Error {
    let message = format!("{} does not hold {what} as PEM; it begins with `{begins}`", path.display());
    Error::new(ErrorKind::Config, message)
}
