//! Logins: the pod's, the kubeconfig's and its plugins'.

use lockstep_core::Pem;
use lockstep_testkit::clock::START;

use super::*;

const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn pod(host: &str) -> World {
    let world = World::by(|_| whole("pod-team/db", &Value::Null));
    world.env.set("KUBERNETES_SERVICE_HOST", host);
    world.env.set("KUBERNETES_SERVICE_PORT", "6443");
    for (file, text) in [("token", "p0d"), ("ca.crt", "PEM"), ("namespace", "pod-team\n")] {
        world.files.write(format!("{SERVICE_ACCOUNT}/{file}"), text);
    }
    world
}

fn asked(world: &World) -> String {
    world.transport.requests().last().unwrap().uri().to_string()
}

/// Break: the brackets in `in_cluster::address`.
#[tokio::test]
async fn a_pod_finds_its_server_its_namespace_and_its_token_by_itself() {
    for (host, server) in [("10.0.0.1", "10.0.0.1:6443"), ("fd00::1", "[fd00::1]:6443")] {
        let world = pod(host);
        world.current(&world.with(None), "db").await.unwrap();
        assert_eq!(asked(&world), format!("https://{server}/api/v1/namespaces/pod-team/secrets/db"));
        assert_eq!(world.tokens(), ["Bearer p0d"]);
        let profiles = world.built.profiles.lock().unwrap();
        assert_eq!(profiles[..], [TlsProfile { ca: Some(Pem::bytes("PEM")), client: None }]);
    }
}

#[tokio::test]
async fn a_new_root_in_the_pod_is_a_new_way_out_and_the_same_one_is_not() {
    let world = pod("10.0.0.1");
    let provider = world.with(None);
    for (root, built) in [("PEM", 1), ("PEM", 1), ("NEW", 2)] {
        world.files.write(format!("{SERVICE_ACCOUNT}/ca.crt"), root);
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(world.built.profiles.lock().unwrap().len(), built);
    }
}

/// Break: `of_login`, or a mapping in `in_cluster::found`.
#[tokio::test]
async fn what_a_login_lacks_is_never_an_answer_about_a_secret() {
    for missing in ["token", "ca.crt"] {
        let world = pod("10.0.0.1");
        world.files.remove(format!("{SERVICE_ACCOUNT}/{missing}"));
        let error = world.current(&world.with(None), "db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(error.message().contains(missing), "{error}");
    }
    let world = pod("10.0.0.1");
    world.files.remove(format!("{SERVICE_ACCOUNT}/namespace"));
    let provider = world.with(None);
    assert_eq!(world.current(&provider, "db").await.unwrap_err().kind(), ErrorKind::InvalidName);
    world.current(&provider, "pod-team/db").await.unwrap();
    let nowhere = World::by(|_| panic!("nothing is to be asked"));
    let error = nowhere.current(&nowhere.with(Some(KubernetesAuth::InCluster)), "db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let error = nowhere.current(&nowhere.with(None), "db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("KUBECONFIG"), "{error}");
}

/// The first login says where all later ones have to lead, so one without its namespace must be none.
///
/// Break: answer every error of the read in `in_cluster::namespace` with `None`, or text that is no UTF-8.
#[tokio::test]
async fn a_namespace_that_cant_be_read_now_is_no_absent_one() {
    let file = format!("{SERVICE_ACCOUNT}/namespace");
    for (bad, word) in [(vec![b'x'; 2 << 20], "can't be read"), (vec![0xff], "not UTF-8")] {
        let world = pod("10.0.0.1");
        world.files.write(&file, &bad);
        let provider = world.with(None);
        let error = world.current(&provider, "pod-team/db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert!(error.message().contains(word) && error.message().contains(&file), "{error}");
        // Who says the namespace needs no file.
        let named = KubernetesSettings { auth: None, namespace: Some("pod-team".into()), ..settings() };
        world.current(&world.make(named).unwrap(), "db").await.unwrap();
        world.files.write(&file, "pod-team");
        world.clock.advance(Duration::from_mins(1));
        world.current(&provider, "db").await.unwrap();
    }
}

/// A kubeconfig with this cluster and this user in it.
pub(super) fn config(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: main\nclusters:\n- name: c\n  cluster: {{ {cluster} }}\n\
         users:\n- name: other\n  user: {{ token: wr0ng }}\n- name: u\n  user: {{ {user} }}\n\
         contexts:\n- name: main\n  context: {{ cluster: c, user: u, namespace: team }}\n\
         - name: bare\n  context: {{ cluster: c, user: u }}\n- name: lost\n  context: {{ cluster: gone, user: u }}\n"
    )
}

const SERVER: &str = "server: 'https://k8s.internal:6443'";

pub(super) fn by_kubeconfig(text: &str, exec: bool) -> (World, KubernetesProvider) {
    let world = World::by(|request| {
        let team = request.uri().path().contains("/team/");
        whole(if team { "team/db" } else { "default/db" }, &Value::Null)
    });
    world.files.write("/users/me/.kube/config", text);
    world.env.set("HOME", "/users/me");
    let provider = world.with(Some(KubernetesAuth::Kubeconfig { path: None, context: None, exec }));
    (world, provider)
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_server_and_user_of_its_context() {
    let (world, provider) = by_kubeconfig(&config(SERVER, "token: k0nfig"), false);
    world.current(&provider, "db").await.unwrap();
    assert_eq!(asked(&world), "https://k8s.internal:6443/api/v1/namespaces/team/secrets/db");
    assert_eq!(world.tokens(), ["Bearer k0nfig"]);
    assert!(!format!("{provider:?}").contains("k0nfig"));
    let path = Some("/users/me/.kube/config".into());
    let bare = world.with(Some(KubernetesAuth::Kubeconfig { path, context: Some("bare".into()), exec: false }));
    world.current(&bare, "db").await.unwrap();
    assert!(asked(&world).ends_with("/default/secrets/db"));
}

#[tokio::test]
async fn certificates_stand_in_the_file_or_beside_it() {
    let cluster = format!("{SERVER}, certificate-authority-data: UEVN, certificate-authority: ignored.pem");
    let user = "client-certificate: cert.pem, client-key-data: S0VZ";
    let (world, provider) = by_kubeconfig(&config(&cluster, user), false);
    world.files.write("/users/me/.kube/cert.pem", "CERT");
    world.current(&provider, "db").await.unwrap();
    let client = Some((Pem::bytes("CERT"), Pem::bytes("KEY")));
    assert_eq!(world.built.profiles.lock().unwrap()[..], [TlsProfile { ca: Some(Pem::bytes("PEM")), client }]);
    assert_eq!(world.tokens(), [""]);
}

#[tokio::test]
async fn a_token_file_beside_the_kubeconfig_is_read_anew() {
    let (world, provider) = by_kubeconfig(&config(SERVER, "tokenFile: run/token, token: wr0ng"), false);
    for token in ["one", "two"] {
        world.files.write("/users/me/.kube/run/token", token);
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(world.tokens(), ["Bearer one", "Bearer two"]);
}

#[tokio::test]
async fn of_several_files_the_first_that_has_an_entry_decides() {
    let (world, provider) = by_kubeconfig("", false);
    world.files.write("/a", "users:\n- name: u\n  user: { token: first }\n");
    world.files.write("/b", config(SERVER, "token: second"));
    world.env.set("KUBECONFIG", "/absent:/a::/b");
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.tokens(), ["Bearer first"]);
    world.env.set("KUBECONFIG", "/absent:/gone");
    let absent = world.with(Some(KubernetesAuth::Kubeconfig { path: None, context: None, exec: false }));
    assert_eq!(world.current(&absent, "db").await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}

/// Break: a row of `CANT`, or a check in `Kubeconfig::cluster`.
#[tokio::test]
async fn what_can_not_be_done_as_it_is_written_is_refused_and_says_what_to_write() {
    let insecure = format!("{SERVER}, insecure-skip-tls-verify: true");
    let plain = "server: 'http://k8s.internal:8080'";
    let named = format!("{SERVER}, tls-server-name: x");
    let proxied = format!("{SERVER}, proxy-url: 'http://p'");
    let bad_ca = format!("{SERVER}, certificate-authority-data: 'c4n4ry!'");
    let token = "token: c4n4ry";
    for (cluster, user, kind, word) in [
        (&*insecure, token, ErrorKind::Config, "certificate-authority"),
        (plain, token, ErrorKind::Config, "https://"),
        (&named, token, ErrorKind::Unsupported, "tls-server-name"),
        (&proxied, token, ErrorKind::Unsupported, "proxy-url"),
        (&bad_ca, token, ErrorKind::Unauthenticated, "certificate-authority-data"),
        ("x: y", token, ErrorKind::Unauthenticated, "server"),
        ("server: k8s", token, ErrorKind::Config, "URL"),
        (SERVER, "auth-provider: { name: gcp }", ErrorKind::Unsupported, "exec"),
        (SERVER, "username: me, password: c4n4ry", ErrorKind::Unsupported, "password"),
        (SERVER, "token: c4n4ry, as: root", ErrorKind::Unsupported, "`as`"),
        (SERVER, "client-certificate-data: YQ==", ErrorKind::Unauthenticated, "both"),
        (SERVER, "client-certificate: gone.pem, client-key: gone.key", ErrorKind::Unauthenticated, "gone.pem"),
        (SERVER, "x: c4n4ry", ErrorKind::Unauthenticated, "plugin"),
        (SERVER, "exec: { command: c4n4ry }", ErrorKind::Unauthenticated, "`exec = true`"),
        (SERVER, "token: \"c4n4ry\\n\"", ErrorKind::Malformed, "header"),
    ] {
        let (world, provider) = by_kubeconfig(&config(cluster, user), false);
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{cluster} {user}: {error}");
        assert!(error.message().contains(word), "{error}");
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        assert_eq!((world.transport.count(), world.exec.ran().len()), (0, 0));
    }
    for (text, word) in [
        ("current-context: main", "context"),
        ("x: y", "current context"),
        ("a: [c4n4ry", "line 1"),
        (&config(SERVER, token).replace("current-context: main", "current-context: lost"), "cluster"),
    ] {
        let (world, provider) = by_kubeconfig(text, false);
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert!(error.message().contains(word) && !format!("{error:?}").contains("c4n4ry"), "{error}");
    }
}

/// Break: `Login::stays`.
#[tokio::test]
async fn a_kubeconfig_that_leads_elsewhere_later_is_not_followed() {
    for (from, to) in [("k8s.internal", "other.internal"), ("context: main", "context: bare"), ("team", "prod")] {
        let (world, provider) = by_kubeconfig(&config(SERVER, "tokenFile: /token"), false);
        world.current(&provider, "team/db").await.unwrap();
        let text = config(SERVER, "tokenFile: /token").replacen(from, to, 1);
        world.files.write("/users/me/.kube/config", text);
        world.clock.advance(Duration::from_secs(61));
        let error = world.current(&provider, "team/db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{from}");
        assert_eq!(world.transport.count(), 1);
    }
}

const V1: &str = "client.authentication.k8s.io/v1";

fn plugin(version: &str, more: &str) -> String {
    let exec = format!(
        "exec: {{ apiVersion: {version}, command: bin/plugin, args: [get-token, ''], env: [{{ name: A, value: b c }}], \
         interactiveMode: IfAvailable{more} }}"
    );
    config(&format!("{SERVER}, certificate-authority-data: UEVN"), &exec)
}

fn prints(world: &mut World, mut print: impl FnMut(usize) -> Result<String> + Send + 'static) {
    let mut times = 0;
    world.exec = TestExec::by(move |_| {
        times += 1;
        print(times).map(Into::into)
    });
}

fn credential(version: &str, status: &Value) -> String {
    json!({ "apiVersion": version, "kind": "ExecCredential", "status": status }).to_string()
}

fn by_plugin(text: &str, print: impl FnMut(usize) -> Result<String> + Send + 'static) -> (World, KubernetesProvider) {
    let (mut world, _) = by_kubeconfig(text, true);
    prints(&mut world, print);
    let provider = world.with(Some(KubernetesAuth::Kubeconfig { path: None, context: None, exec: true }));
    (world, provider)
}

#[tokio::test]
async fn a_plugin_is_asked_in_its_form_and_again_before_its_token_ends() {
    for (version, more, cluster) in [
        (V1, "", Value::Null),
        (
            "client.authentication.k8s.io/v1beta1",
            ", provideClusterInfo: true",
            json!({ "server": "https://k8s.internal:6443", "certificate-authority-data": "UEVN" }),
        ),
    ] {
        let (world, provider) = by_plugin(&plugin(version, more), move |times| {
            let end = START.plus(Duration::from_secs(600 * times as u64)).to_rfc3339();
            Ok(credential(version, &json!({ "token": format!("t{times}"), "expirationTimestamp": end })))
        });
        for _ in 0..2 {
            world.current(&provider, "db").await.unwrap();
        }
        world.clock.advance(Duration::from_secs(595));
        world.current(&provider, "db").await.unwrap();
        assert_eq!(world.tokens(), ["Bearer t1", "Bearer t1", "Bearer t2"]);
        let ran = world.exec.ran();
        assert_eq!(ran.len(), 2);
        assert_eq!(&*ran[0].path, std::path::Path::new("/users/me/.kube/bin/plugin"));
        assert_eq!(ran[0].arguments, ["get-token", ""]);
        assert_eq!(ran[0].environment[0], ("A".to_owned(), "b c".to_owned()));
        let (name, asked) = &ran[0].environment[1];
        assert_eq!(name, "KUBERNETES_EXEC_INFO");
        let asked: Value = serde_json::from_str(asked).unwrap();
        assert_eq!(asked["apiVersion"], version);
        assert_eq!((&asked["spec"]["interactive"], &asked["spec"]["cluster"]), (&json!(false), &cluster));
    }
}

#[tokio::test]
async fn a_plugin_may_print_a_certificate_and_is_run_again_after_a_401() {
    let (world, provider) = by_plugin(&plugin(V1, ""), |times| {
        Ok(credential(V1, &json!({ "clientCertificateData": format!("CERT{times}\n"), "clientKeyData": "KEY" })))
    });
    world.current(&provider, "db").await.unwrap();
    world.clock.advance(Duration::from_hours(9));
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.exec.ran().len(), 1);
    let client = Some((Pem::bytes("CERT1\n"), Pem::bytes("KEY")));
    assert_eq!(world.built.profiles.lock().unwrap()[0].client, client);
    assert!(!format!("{:?}", world.built.profiles.lock().unwrap()).contains("KEY"));
}

/// M1. Break: quote what was printed in `Plugin::read`, or leave out its look at `apiVersion`.
#[tokio::test]
async fn m1_what_a_plugin_prints_wrong_is_refused_and_quoted_nowhere() {
    let beta = "client.authentication.k8s.io/v1beta1";
    for (printed, word) in [
        ("c4n4ry".to_owned(), "no ExecCredential"),
        (credential(beta, &json!({ "token": "c4n4ry" })), "apiVersion"),
        (credential(V1, &json!({ "token": "c4n4ry" })).replace("ExecCredential", "Other"), "apiVersion"),
        (credential(V1, &json!({ "token": 17 })), "no text"),
        (credential(V1, &json!({ "token": "" })), "neither"),
        (credential(V1, &json!({ "clientKeyData": "c4n4ry" })), "key"),
        (credential(V1, &json!({ "token": "c4n4ry", "expirationTimestamp": "soon" })), "end"),
        (json!({ "apiVersion": V1, "kind": "ExecCredential" }).to_string(), "status"),
    ] {
        let (world, provider) = by_plugin(&plugin(V1, ""), move |_| Ok(printed.clone()));
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert!(error.message().contains(word), "{error}");
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
    }
    let fails = |_| Err(Error::new(ErrorKind::Timeout, "it did not end"));
    let (world, provider) = by_plugin(&plugin(V1, ""), fails);
    assert_eq!(world.current(&provider, "db").await.unwrap_err().kind(), ErrorKind::Timeout);
}

/// Break: `is_ours`, or a check in `Plugin::of`.
#[tokio::test]
async fn a_plugin_that_others_could_have_written_or_that_wants_more_is_not_run() {
    for (text, change, kind) in [
        (plugin(V1, ""), Some(0o660), ErrorKind::Unauthenticated),
        (plugin("client.authentication.k8s.io/v1alpha1", ""), None, ErrorKind::Unsupported),
        (plugin(V1, "").replace("IfAvailable", "Always"), None, ErrorKind::Unsupported),
        (plugin(V1, "").replace("command: bin/plugin, ", ""), None, ErrorKind::Unauthenticated),
        (plugin(V1, "").replace("[get-token, '']", "[[a]]"), None, ErrorKind::Unauthenticated),
    ] {
        let (world, provider) = by_plugin(&text, |_| panic!("nothing is to be run"));
        world.files.restamp("/users/me/.kube/config", |stamp| stamp.mode = change.unwrap_or(stamp.mode));
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let (world, provider) = by_plugin(&plugin(V1, ""), |_| panic!("nothing is to be run"));
    world.files.restamp("/users/me/.kube/config", |stamp| stamp.own = false);
    assert_eq!(world.current(&provider, "db").await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}
