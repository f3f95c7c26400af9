//! [`ServerTls`]: what a listener shows its callers, and whose certificates it takes; read anew when the files change.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::{Error, ErrorKind, FileStamp, Files, Pem, Result};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::{certificates, crypto, place, private_key, roots_from};

/// Where a listener's certificate is, and whose certificates it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTlsSettings {
    /// The certificate and those between it and its root, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// Roots of the callers' certificates, as PEM. Without them no caller is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a caller without a certificate is turned away in the handshake. Means something with `client_ca` alone.
    pub client_required: bool,
}

/// The server side of TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1.
///
/// A connection keeps what it began with. New ones get what the last [`refresh`](Self::refresh) has read.
pub struct ServerTls {
    files: Arc<dyn Files>,
    settings: ServerTlsSettings,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<FileStamp>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// `Config` when one can't be read or holds no certificate or key, or when they don't fit together.
    pub fn load(files: Arc<dyn Files>, settings: ServerTlsSettings) -> Result<Self> {
        let current = Mutex::new(read(&*files, &settings)?);
        Ok(Self { files, settings, current })
    }

    /// Reads the files again when one of them is another than it was: `true` when there is something new. While they are
    /// being replaced they may not fit together; what was read before stays, and the next call tries again.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn refresh(&self) -> Result<bool> {
        let stamps = stamps(&*self.files, &self.settings)?;
        if self.current().stamps == stamps {
            return Ok(false);
        }
        let new = read(&*self.files, &self.settings)?;
        *self.current() = new;
        Ok(true)
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current().config)
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn stamps(files: &dyn Files, settings: &ServerTlsSettings) -> Result<Vec<FileStamp>> {
    let ServerTlsSettings { certificate, key, client_ca, .. } = settings;
    let stamp = |path: &PathBuf| {
        files.stamp(path).map_err(|error| {
            let message = format!("can't look at {}; name a file that exists", path.display());
            Error::new(ErrorKind::Config, message).because(error)
        })
    };
    [Some(certificate), Some(key), client_ca.as_ref()].into_iter().flatten().map(stamp).collect()
}

fn read(files: &dyn Files, settings: &ServerTlsSettings) -> Result<Current> {
    // Looked at before they are read: what changes in between is read again.
    let stamps = stamps(files, settings)?;
    let certificate = Pem::File(settings.certificate.as_path().into());
    let key = Pem::File(settings.key.as_path().into());
    let provider = Arc::new(crypto::provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "ring can't do TLS 1.2 and 1.3").because(error))?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots_from(files, &Pem::File(path.as_path().into()))?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if settings.client_required { verifier } else { verifier.allow_unauthenticated() }
                .build()
                .map_err(|error| {
                let message = format!("{} can't be the roots of callers; check it", path.display());
                Error::new(ErrorKind::Config, message).because(error)
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates(files, &certificate)?;
    let mut config = builder.with_single_cert(chain, private_key(files, &key)?).map_err(|error| {
        let message = format!(
            "the certificate {} and the key {} don't fit together; name the key of this certificate",
            place(&certificate),
            place(&key)
        );
        Error::new(ErrorKind::Config, message).because(error)
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if settings.client_ca.is_some() {
        // A session that is taken up again shows no certificate: one that has ended since would still be let in.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Current { config: Arc::new(config), stamps })
}
