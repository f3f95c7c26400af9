//! TLS against a server with a root of its own.

use std::path::Path;

use lockstep_core::FileContent;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::tls::authority::Authority;

impl Authority {
    /// A server with a certificate for this host; it answers `value` to each request. Says its port.
    fn serve(&self, host: &str, ask_client: bool) -> u16 {
        let (certificate, key) = self.sign(host);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = if ask_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let config = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream: StreamOwned<ServerConnection, TcpStream> = StreamOwned::new(connection, stream.unwrap());
                std::thread::spawn(move || converse(stream, &Mutex::default(), |_| ok("value")));
            }
        });
        port
    }
}

async fn ask(profile: &TlsProfile, env: &dyn Env, url: &str) -> Result<http::Response<Bytes>> {
    let clock = Arc::new(Wall::default());
    let transports = HttpTransports::new(clock, Arc::new(LocalFiles), env, TransportSettings::default());
    get(&transports.build(profile)?, url).await
}

/// Break: `with_root_certificates`.
#[tokio::test]
async fn a_root_of_our_own_is_trusted_and_an_unknown_one_is_a_tls_error() {
    let authority = Authority::new();
    let url = format!("https://localhost:{}/canary?canary", authority.serve("localhost", false));
    let own = TlsProfile { ca: Some(Pem::File(authority.ca_file())), client: None };
    assert_eq!(ask(&own, &Bare, &url).await.unwrap().body().as_ref(), b"value");

    let unknown = TlsProfile::default();
    let stranger = Authority::new();
    let other = TlsProfile { ca: Some(Pem::File(stranger.ca_file())), client: None };
    for profile in [unknown, other] {
        let result = ask(&profile, &Bare, &url).await;
        assert!(result.as_ref().unwrap_err().message().contains("UnknownIssuer"), "{result:?}");
        assert!(result.as_ref().unwrap_err().message().contains("was not sent"), "{result:?}");
        assert_eq!(kind(result), ErrorKind::Tls);
    }
}

#[tokio::test]
async fn another_host_and_a_server_without_tls_are_tls_errors() {
    let authority = Authority::new();
    let own = TlsProfile { ca: Some(Pem::File(authority.ca_file())), client: None };
    let other = format!("https://localhost:{}/canary", authority.serve("elsewhere.test", false));
    assert_eq!(kind(ask(&own, &Bare, &other).await), ErrorKind::Tls);

    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/canary", plain.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let mut stream = plain.accept().unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(kind(ask(&own, &Bare, &url).await), ErrorKind::Tls);
}

/// The environment of a process with `SSL_CERT_FILE` alone.
struct CertFile(String);

impl Env for CertFile {
    fn var(&self, name: &str) -> Option<String> {
        (name == "SSL_CERT_FILE").then(|| self.0.clone())
    }
}

#[tokio::test]
async fn ssl_cert_file_stands_in_for_roots_and_a_profile_goes_before_it() {
    let authority = Authority::new();
    let url = format!("https://localhost:{}/", authority.serve("localhost", false));
    let env = CertFile(authority.ca_file().display().to_string());
    assert!(ask(&TlsProfile::default(), &env, &url).await.is_ok());
    let stranger = Authority::new();
    let other = TlsProfile { ca: Some(Pem::File(stranger.ca_file())), client: None };
    assert_eq!(kind(ask(&other, &env, &url).await), ErrorKind::Tls);
}

/// Break: `with_client_auth_cert`.
#[tokio::test]
async fn a_client_certificate_is_shown_when_the_server_asks() {
    let authority = Authority::new();
    let url = format!("https://localhost:{}/", authority.serve("localhost", true));
    let with =
        TlsProfile { ca: Some(Pem::File(authority.ca_file())), client: Some(in_files(authority.client_files())) };
    assert_eq!(ask(&with, &Bare, &url).await.unwrap().body().as_ref(), b"value");
    let without = TlsProfile { client: None, ..with };
    assert_eq!(kind(ask(&without, &Bare, &url).await), ErrorKind::Tls);
}

#[test]
fn bad_files_say_what_is_wrong_with_them_and_quote_nothing() {
    let authority = Authority::new();
    let (certificate, key) = authority.client_files();
    let path = |name: &str| -> Box<Path> { authority.folder.path().join(name).into() };
    std::fs::write(path("bad.pem"), "-----BEGIN CERTIFICATE-----\ncanary!\n-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(path("empty.pem"), "canary").unwrap();
    std::fs::write(path("other.key"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let roots = |file: &str| TlsProfile { ca: Some(Pem::File(path(file))), client: None };
    let client = |pair: (Box<Path>, Box<Path>)| TlsProfile { ca: None, client: Some(in_files(pair)) };
    let clock = Arc::new(Wall::default());
    let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &Bare, TransportSettings::default());
    for profile in [
        roots("absent.pem"),
        roots("bad.pem"),
        roots("empty.pem"),
        client((certificate.clone(), path("empty.pem"))),
        client((certificate.clone(), path("other.key"))),
        client((key.clone(), certificate.clone())),
    ] {
        let Err(error) = transports.build(&profile) else { panic!("{profile:?} was taken") };
        assert_eq!(error.kind(), ErrorKind::Config, "{profile:?}: {error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    assert!(transports.build(&client((certificate, key))).is_ok());
}

fn in_files((certificate, key): (Box<Path>, Box<Path>)) -> (Pem, Pem) {
    (Pem::File(certificate), Pem::File(key))
}

/// M1. Break: derive `Debug` of `Pem` over plain bytes, or put the bytes into `place`.
#[tokio::test]
async fn m1_pem_that_stood_inside_something_else_is_used_like_a_file_and_never_shown() {
    let authority = Authority::new();
    let port = authority.serve("localhost", true);
    let url = format!("https://localhost:{port}/");
    let (certificate, key) = authority.client_files();
    let bytes = |path: &Path| Pem::bytes(std::fs::read(path).unwrap());
    let profile =
        TlsProfile { ca: Some(bytes(&authority.ca_file())), client: Some((bytes(&certificate), bytes(&key))) };
    assert!(ask(&profile, &Bare, &url).await.is_ok());
    assert!(!format!("{profile:?}").contains("BEGIN"), "{profile:?}");
    for bad in [
        TlsProfile { ca: Some(Pem::bytes("canary")), client: None },
        TlsProfile { ca: None, client: Some((bytes(&certificate), Pem::bytes("canary"))) },
    ] {
        let error = ask(&bad, &Bare, &url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

/// Break: keep every profile in `HttpTransports::tls`.
#[test]
fn what_a_login_brings_anew_each_hour_does_not_pile_up() {
    let authority = Authority::new();
    let pem = std::fs::read(authority.ca_file()).unwrap();
    let files = Arc::new(LocalFiles);
    let transports = HttpTransports::new(Arc::new(Wall::default()), files, &Bare, TransportSettings::default());
    let profile = TlsProfile { ca: Some(Pem::bytes(pem)), client: None };
    assert!(transports.build(&profile).is_ok());
    assert!(transports.profiles.lock().unwrap().is_empty());
}

/// Counts reads.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Files for Counting {
    fn read(&self, path: &Path, limit: usize) -> Result<FileContent> {
        self.0.fetch_add(1, Ordering::SeqCst);
        LocalFiles.read(path, limit)
    }

    fn stamp(&self, path: &Path) -> Result<lockstep_core::FileStamp> {
        LocalFiles.stamp(path)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        LocalFiles.append(path, bytes)
    }
}

#[test]
fn equal_profiles_share_their_roots() {
    let authority = Authority::new();
    let files = Arc::new(Counting::default());
    let shared: Arc<dyn Files> = Arc::<Counting>::clone(&files);
    let transports = HttpTransports::new(Arc::new(Wall::default()), shared, &Bare, TransportSettings::default());
    let profile = TlsProfile { ca: Some(Pem::File(authority.ca_file())), client: None };
    for _ in 0..3 {
        assert!(transports.build(&profile).is_ok());
    }
    assert_eq!(files.0.load(Ordering::SeqCst), 1);
}
