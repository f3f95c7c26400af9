//! Every login: its end, its renewal, its refusal; and what a vault can make of a login by a challenge.

use lockstep_core::Operation;
use lockstep_testkit::fake::azure::{FEDERATED_TOKEN, IDENTITY_ENDPOINT, IDENTITY_HEADER, RESOURCE, certificate};

use super::*;
use crate::azure::Identity;

const APP_SERVICE: [(&str, &str); 2] = [("IDENTITY_ENDPOINT", IDENTITY_ENDPOINT), ("IDENTITY_HEADER", IDENTITY_HEADER)];

fn certificate_login() -> AzureAuth {
    AzureAuth::ClientCertificate {
        tenant: TENANT.into(),
        client_id: CLIENT_ID.into(),
        certificate: Credential::File(std::path::Path::new("/run/app.pem").into()),
    }
}

fn workload_login() -> AzureAuth {
    AzureAuth::WorkloadIdentity {
        tenant: TENANT.into(),
        client_id: CLIENT_ID.into(),
        token: Credential::File(std::path::Path::new("/run/token").into()),
    }
}

/// A world for each login, a secret `db` in each. The lifetime of its tokens beside it.
fn worlds() -> Vec<(&'static str, World, Duration)> {
    let hour = Duration::from_secs(3599);
    let day = Duration::from_secs(86_399);
    let machine = AzureAuth::ManagedIdentity(None);
    let worlds = vec![
        ("client secret", World::new(), hour),
        ("client certificate", World::with(certificate_login(), &[]), hour),
        ("workload identity", World::with(workload_login(), &[]), hour),
        // IMDS gives the next token an hour before the end of the last one.
        ("machine", World::with(machine.clone(), &[]), day),
        ("app", World::with(machine, &APP_SERVICE), day),
    ];
    for (_, world, _) in &worlds {
        world.files.write("/run/app.pem", certificate());
        world.files.write("/run/token", format!("{FEDERATED_TOKEN}\n"));
        world.put("db", "v");
    }
    worlds
}

/// Break: `AHEAD`, or give the error of a renewal while the old token is accepted.
#[tokio::test]
async fn each_login_is_renewed_before_its_end_and_made_again_after_it() {
    for (login, world, lifetime) in worlds() {
        assert_eq!(value(&world.current("db").await.unwrap()), "v", "{login}");
        world.current("db").await.unwrap();
        assert_eq!(world.logins(), 1, "{login}: a token is kept");
        world.clock.advance(lifetime.checked_sub(MINUTE * 4).unwrap());
        world.current("db").await.unwrap();
        assert_eq!(world.logins(), 2, "{login}: four minutes before its end it is renewed");
        world.clock.advance(lifetime + MINUTE);
        world.current("db").await.unwrap();
        assert_eq!(world.logins(), 3, "{login}: past its end another one is made");
        assert_eq!(world.vault.strays(), Vec::<String>::new(), "{login}");
    }
}

/// Break: leave the flight out of `LoginCache::get`.
#[tokio::test]
async fn a_thousand_reads_at_once_are_one_login_whatever_it_is() {
    for (login, world, _) in worlds() {
        let world = World { gate: Gate::new(), ..world };
        let gated = World::gated(world);
        let many = futures_util::future::join_all((0..1000).map(|_| gated.current("db")));
        let (answers, ()) = tokio::join!(many, async {
            gated.transport.until_sent(1).await;
            gated.gate.open();
        });
        assert!(answers.iter().all(Result::is_ok), "{login}");
        assert_eq!((gated.logins(), gated.vault.count(Route::Get)), (1, 1000), "{login}");
    }
}

impl World {
    /// The same world behind its own gate.
    fn gated(world: World) -> World {
        let (vault, gate) = (Arc::clone(&world.vault), world.gate.clone());
        let transport = FakeTransport::by(move |request| {
            let is_login = request.uri().path().ends_with("/token");
            let reply = Reply::Answer(vault.answer(request.clone()));
            if is_login { reply.behind(&gate) } else { reply }
        });
        let auth = world.auth.clone();
        let world = World { transport, ..world };
        let provider = AzureKeyVault::new(settings(auth), world.ports()).unwrap();
        World { provider, ..world }
    }
}

/// Break: keep the old token past its end, or hide the refusal.
#[tokio::test]
async fn a_refused_renewal_is_no_error_until_the_old_token_ends() {
    for (login, world, lifetime) in worlds() {
        world.current("db").await.unwrap();
        world.vault.set_client_secret("another");
        world.vault.set_federated_token("another");
        world.files.write("/run/app.pem", "c4n4ry");
        world.vault.system_assigned(false);
        world.clock.advance(lifetime.checked_sub(MINUTE * 4).unwrap());
        world.current("db").await.unwrap();
        world.clock.advance(MINUTE * 5);
        let error = world.current("db").await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never), "{login}");
        assert_eq!(error.operation(), Some(Operation::Login), "{login}");
        let printed = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!printed.contains("c4n4ry") && !printed.contains("AADSTS"), "{login}: {printed}");
    }
}

/// Break: keep the secret or token in `Login`.
#[tokio::test]
async fn what_a_login_shows_is_read_anew_each_time() {
    for (login, world, _) in worlds() {
        world.current("db").await.unwrap();
        world.vault.set_client_secret("rotated");
        world.vault.set_federated_token("rotated");
        world.env.set("SECRET", "rotated");
        world.files.write("/run/token", "rotated");
        world.clock.advance(Duration::from_hours(25));
        assert!(world.current("db").await.is_ok(), "{login}");
    }
}

/// Break: leave `refuse` out of the arm `Fresh` in `Session::read`.
#[tokio::test]
async fn a_token_that_is_refused_is_dropped_and_asked_for_once_more() {
    for (login, world, _) in worlds() {
        world.current("db").await.unwrap();
        world.vault.revoke_tokens();
        let error = world.current("db").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_hint()),
            (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials),
            "{login}"
        );
        let again = world.current("db").await;
        assert_eq!(world.logins(), 2, "{login}");
        // IMDS keeps its own tokens for a day, refused ones too.
        assert_eq!(again.is_ok(), login != "machine", "{login}");
    }
}

const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}"#;

/// Break: `has_claims` in `Session::read`, or `claimed` in `entra::token`.
#[tokio::test]
async fn a_claims_challenge_is_one_login_more_and_never_a_third() {
    let world = World::new();
    world.put("db", "v");
    world.current("db").await.unwrap();
    world.vault.require_claims(CLAIMS);
    world.current("db").await.unwrap();
    assert_eq!(world.logins(), 2);
    let form = String::from_utf8(world.transport.requests()[3].body().to_vec()).unwrap();
    assert!(form.ends_with("&claims=%7B%22access_token%22%3A%7B%22nbf%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%221603742800%22%7D%7D%7D"), "{form}");
    world.vault.require_claims(r#"{"access_token":{"never":{"values":["met"]}}}"#);
    let claims = "eyJhY2Nlc3NfdG9rZW4iOnt9fQ==";
    world.vault.challenge_with(&format!("Bearer error=\"insufficient_claims\", claims=\"{claims}\""));
    let error = world.current("db").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    assert_eq!(world.logins(), 3, "one more, and no more than that");
}

/// O5: what a hostile vault says leads no token and no login anywhere. Break: `Expected::read`, or use what it reads.
#[tokio::test]
async fn o5_a_hostile_challenge_gets_no_token_and_no_login() {
    let ours = format!("https://login.microsoftonline.com/{TENANT}");
    for (authority, resource) in [
        ("https://login.evil.test/t", RESOURCE),
        ("https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000", RESOURCE),
        ("http://169.254.169.254/t", RESOURCE),
        (&ours, "https://management.azure.com"),
        (&ours, "https://evil.test"),
    ] {
        for (login, world, _) in worlds() {
            // A managed identity knows no tenant, and its token comes from the machine.
            if authority.ends_with("0000") && matches!(login, "machine" | "app") {
                continue;
            }
            world.current("db").await.unwrap();
            world.vault.challenge_with(&format!("Bearer authorization=\"{authority}\", resource=\"{resource}\""));
            world.vault.revoke_tokens();
            let before = world.transport.count();
            let error = world.current("db").await.unwrap_err();
            assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never), "{login}");
            assert!(!format!("{error:?}").contains("evil"), "{error:?}");
            assert_eq!((world.logins(), world.transport.count()), (1, before + 1), "{login} {authority} {resource}");
            assert_eq!(world.vault.strays(), Vec::<String>::new());
        }
    }
}

/// O7. Break: `with_pause` in `oauth.rs`, or the rows of `IMDS` and `APP_SERVICE`.
#[tokio::test]
async fn o7_a_throttled_login_says_how_long_to_wait() {
    for (login, world, _) in worlds() {
        for route in [Route::Login, Route::Imds, Route::AppService] {
            world.vault.throttle(route, 9);
        }
        let error = world.current("db").await.unwrap_err();
        let expected = (ErrorKind::Throttled, Retry::After(Some(Duration::from_secs(9))));
        assert_eq!((error.kind(), error.retry_hint()), expected, "{login}");
    }
    let world = World::new();
    let busy = r#"{"error":"temporarily_unavailable","error_description":"c4n4ry"}"#;
    world.vault.next(Route::Login, 503, &[("retry-after", "5")], busy);
    let error = world.current("db").await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::After(Some(Duration::from_secs(5))));
    let looping = r#"{"error":"invalid_grant","error_description":"AADSTS50196 c4n4ry","error_codes":[50196]}"#;
    world.vault.next(Route::Login, 400, &[], looping);
    let error = world.current("db").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Throttled, Retry::After(None)));
}

/// Break: the names of the parameters in `Login::machine`.
#[tokio::test]
async fn a_machine_with_several_identities_is_asked_for_the_one_that_is_configured() {
    let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";
    for variables in [&[][..], &APP_SERVICE] {
        for (identity, there) in [
            (Some(Identity::Client("client-1".into())), true),
            (Some(Identity::Object("object-1".into())), true),
            (Some(Identity::Resource(resource.into())), true),
            (Some(Identity::Client("client-2".into())), false),
            (None, false),
        ] {
            let world = World::with(AzureAuth::ManagedIdentity(identity.clone()), variables);
            world.vault.system_assigned(false);
            world.vault.user_assigned("client-1", "object-1", resource);
            world.put("db", "v");
            let outcome = world.current("db").await;
            assert_eq!(outcome.is_ok(), there, "{identity:?} {variables:?}");
            if let Err(error) = outcome {
                assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
                assert!(error.message().contains("assign it one"), "{error}");
            }
        }
    }
}

/// Break: `of_identity`; or tell what is not found while logging in as an answer about a secret.
#[tokio::test]
async fn a_login_that_is_not_found_is_no_secret_that_is_not_there() {
    for (login, world, _) in worlds() {
        for route in [Route::Login, Route::Imds, Route::AppService] {
            world.vault.next(route, 404, &[], r#"{"error":{"code":"SecretNotFound"}}"#);
        }
        let error = world.current("db").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Unavailable), "{login}: {error:?}");
        assert_eq!(error.operation(), Some(Operation::Login));
    }
}

#[tokio::test]
async fn m1_no_login_shows_what_it_logs_in_with() {
    for (login, world, _) in worlds() {
        let printed = format!("{:?} {:#?} {:?}", world.provider, world.provider.scope(), world.auth);
        assert!(!printed.contains("c4n4ry"), "{login}: {printed}");
        world.env.unset("SECRET");
        world.files.remove("/run/token");
        world.files.remove("/run/app.pem");
        for route in [Route::Imds, Route::AppService] {
            world.vault.next(route, 200, &[], r#"{"access_token":"c4n4ry\u0007","expires_on":"1"}"#);
        }
        let error = world.current("db").await.unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
        let printed = format!("{error} {error:?} {source:?}");
        assert!(!printed.contains("c4n4ry"), "{login}: {printed}");
        let place = ["SECRET", "/run/app.pem", "/run/token"].iter().any(|place| printed.contains(place));
        assert!(place || error.kind() == ErrorKind::Malformed, "{login}: {printed}");
    }
}

/// Break: `AZURE_AUTHORITY_HOST` in `Login::new`.
#[tokio::test]
async fn the_authority_is_the_clouds_or_the_one_of_the_environment() {
    for (variables, cloud, host) in [
        (&[][..], Cloud::China, "login.chinacloudapi.cn"),
        (&[], Cloud::UsGovernment, "login.microsoftonline.us"),
        (&[("AZURE_AUTHORITY_HOST", "https://login.internal/")], Cloud::Public, "login.internal"),
        (&[("AZURE_AUTHORITY_HOST", "login.internal")], Cloud::Public, "login.internal"),
    ] {
        let world = World::with(client_secret(), variables);
        let address = cloud.address("kv1").unwrap();
        let settings = AzureSettings { address, cloud, ..settings(client_secret()) };
        let provider = AzureKeyVault::new(settings, world.ports()).unwrap();
        let name = SecretName::parse("db").unwrap();
        provider.get(&call(&world.clock), &name, &Selector::Current).await.unwrap_err();
        assert_eq!(world.vault.strays(), [format!("{host}/{TENANT}/oauth2/v2.0/token")]);
    }
    let world = World::with(client_secret(), &[]);
    world.env.set("AZURE_AUTHORITY_HOST", "http://login.internal");
    let error = AzureKeyVault::new(settings(client_secret()), world.ports()).unwrap_err();
    assert!(error.message().contains("AZURE_AUTHORITY_HOST") && error.message().contains("plain http"), "{error}");
}
