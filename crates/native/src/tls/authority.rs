//! For tests: a root of our own, and what it signs.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;

/// A root, and what it signs, as files.
pub(crate) struct Authority {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) root: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Roots of the same name would be told apart by their signatures only.
        let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, root: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn ca_file(&self) -> Box<Path> {
        self.folder.path().join("ca.pem").into()
    }

    /// A certificate for this host name, and its key.
    pub(crate) fn sign(&self, host: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    pub(crate) fn client_files(&self) -> (Box<Path>, Box<Path>) {
        let (certificate, key) = self.sign("client");
        let paths: (PathBuf, PathBuf) = (self.folder.path().join("client.pem"), self.folder.path().join("client.key"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        (paths.0.into(), paths.1.into())
    }

    /// Writes a certificate for this host and its key, as `server.pem` and `server.key`. They replace those before.
    pub(crate) fn server_files(&self, host: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign(host);
        let paths = (self.folder.path().join("server.pem"), self.folder.path().join("server.key"));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }
}
