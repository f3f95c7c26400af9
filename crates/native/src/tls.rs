//! TLS: whom we trust, and what we show, as a client ([`client_config`]) and as a server ([`ServerTls`]). ring is chosen by
//! name; nothing reads the system's root store, which costs 3 to 36 ms per client.

#[cfg(test)]
pub(crate) mod authority;
mod crypto;
#[cfg(feature = "tls-listener")]
mod server;

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Error, ErrorKind, Files, Pem, Result, TlsProfile};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

#[cfg(feature = "tls-listener")]
pub use self::server::{ServerTls, ServerTlsSettings};

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
    let default_ca = default_ca.map(|path| Pem::File(path.into()));
    let roots = match profile.ca.as_ref().or(default_ca.as_ref()) {
        Some(pem) => roots_from(files, pem)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::provider()))
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
                    place(certificate),
                    place(key)
                );
                Error::new(ErrorKind::Config, message).because(error)
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots_from(files: &dyn Files, pem: &Pem) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(files, pem)? {
        roots.add(certificate).map_err(|error| {
            let message = format!("of the root certificates {}, one can't be a root; check it", place(pem));
            Error::new(ErrorKind::Config, message).because(error)
        })?;
    }
    Ok(roots)
}

fn certificates(files: &dyn Files, pem: &Pem) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(files, pem)?;
    match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(not_pem(pem, "a certificate", "-----BEGIN CERTIFICATE-----")),
    }
}

fn private_key(files: &dyn Files, pem: &Pem) -> Result<PrivateKeyDer<'static>> {
    let text = read(files, pem)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| not_pem(pem, "an unencrypted private key", "-----BEGIN PRIVATE KEY-----"))
}

/// A file that the configuration names and that can't be read is the configuration's fault. Its own kind would be taken
/// for an answer about a secret.
fn read(files: &dyn Files, pem: &Pem) -> Result<Zeroizing<Vec<u8>>> {
    match pem {
        Pem::Bytes(bytes) => Ok(Zeroizing::new(bytes.expose().to_vec())),
        Pem::File(path) => match files.read(path, MAX_PEM_BYTES) {
            Ok(content) => Ok(content.bytes),
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => Err(Error::new(ErrorKind::Config, error.message())),
        },
    }
}

/// For messages: where the PEM stands.
fn place(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Bytes(_) => "that the configuration or the login brings".to_owned(),
    }
}

/// The parser's own error is left out: it may quote the file.
fn not_pem(pem: &Pem, what: &str, begins: &str) -> Error {
    let message = match pem {
        Pem::File(path) => format!("{} does not hold {what} as PEM; it begins with `{begins}`", path.display()),
        Pem::Bytes(_) => format!("what should be {what} is no PEM; it begins with `{begins}`"),
    };
    Error::new(ErrorKind::Config, message)
}
