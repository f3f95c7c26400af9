//! The cert method, at a server of its own: it needs TLS.

use std::process::Command;

use lockstep_core::{Pem, TlsProfile};
use lockstep_testkit::client_certificate;
use lockstep_testkit::servers::{OPENBAO_ROOT, Running, free_port};

use super::*;

/// Starting it beside a build on two cores takes its time.
const PATIENCE: Duration = Duration::from_secs(40);

/// An OpenBao with TLS, and the folder of its certificates.
struct Tls {
    _running: Running,
    folder: tempfile::TempDir,
    url: String,
}

impl Tls {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let mut command = Command::new(program);
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-tls"]);
        command.arg(format!("-dev-root-token-id={OPENBAO_ROOT}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        command.arg(format!("-dev-tls-cert-dir={}", folder.path().display()));
        command.env("HOME", folder.path()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut running = Running::start(&mut command).unwrap();
        running.listening(port, PATIENCE).unwrap();
        Self { _running: running, folder, url: format!("https://127.0.0.1:{port}") }
    }

    fn path(&self, name: &str) -> Box<Path> {
        self.folder.path().join(name).into_boxed_path()
    }

    fn pem(&self, name: &str) -> Pem {
        Pem::File(self.path(name))
    }

    /// As whoever has this certificate, or nobody.
    fn shown(&self, name: Option<&str>) -> Bao {
        let client = name.map(|name| (self.pem(&format!("{name}.pem")), self.pem(&format!("{name}.key"))));
        let ca = ["vault-ca.pem", "bao-ca.pem"]
            .map(|name| self.path(name))
            .into_iter()
            .find(|path| path.exists())
            .map(Pem::File);
        Bao::with(self.url.clone(), &TlsProfile { ca, client })
    }

    /// Makes a certificate and gives it in PEM.
    fn certificate(&self, name: &str) -> String {
        let (certificate, key) = client_certificate(name);
        std::fs::write(self.path(&format!("{name}.pem")), &certificate).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key).unwrap();
        certificate
    }

    fn auth(&self, mount: &str, role: Option<&str>) -> VaultAuth {
        VaultAuth::Cert { mount: mount.to_owned(), name: role.map(str::to_owned), certificate: self.path("app.pem") }
    }
}

/// Break: any row of `cert::REFUSALS`.
#[tokio::test]
async fn a_client_certificate_logs_in_keeps_the_contract_and_no_other_one_does() {
    let tls = Tls::start(&require!(servers::bao()));
    let certificate = tls.certificate("app");
    tls.certificate("stranger");
    let mut kv = Kv::new(tls.shown(Some("app")), true).await;
    let policy = kv.bao.policy(&kv.mount).await;
    let mount = kv.bao.method("cert").await;
    let role =
        json!({ "certificate": certificate, "token_policies": policy, "token_ttl": "60s", "token_max_ttl": "1h" });
    kv.bao.admin("POST", &format!("auth/{mount}/certs/web"), role).await;
    let login = format!("auth/{mount}/login");
    kv.provider = kv.bao.provider(tls.auth(&mount, Some("web")));
    contract::run(&kv).await;
    assert_eq!(kv.bao.asked(&login), 1);
    kv.bao.clock.advance(Duration::from_secs(41));
    kv.provider.check(&kv.bao.call()).await.unwrap();
    kv.bao.clock.advance(Duration::from_mins(5));
    kv.provider.check(&kv.bao.call()).await.unwrap();
    assert_eq!((kv.bao.asked(&login), kv.bao.asked("renew-self")), (2, 1));

    for (shown, role, message) in [
        (Some("app"), None, None),
        (Some("app"), Some("other"), Some("does not accept the client certificate")),
        (Some("stranger"), None, Some("does not accept the client certificate")),
        (None, None, Some("saw no client certificate")),
    ] {
        let bao = tls.shown(shown);
        let outcome = bao.provider(tls.auth(&mount, role)).check(&bao.call()).await;
        match (outcome, message) {
            (Ok(()), None) => {}
            (Err(error), Some(message)) => {
                assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{shown:?} {role:?}: {error:?}");
                assert!(error.message().contains(message), "{shown:?} {role:?}: {error}");
            }
            (outcome, _) => panic!("{shown:?} {role:?}: {outcome:?}"),
        }
    }
}
