//! An issuer whose keys the test has, and tokens of it, made with ring: an implementation that is not the one which
//! verifies.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_core::{Call, Principal, Timeline, UnixMillis};
use lockstep_testkit::{FakeTransport, ManualClock, OneTransport, RSA_KEY, Reply};
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RsaKeyPair,
};
use serde_json::{Value, json};

use crate::jwt::{Algorithm, IssuerSettings, JwtLogin, JwtSettings};
use crate::refused::Refused;

pub(in crate::jwt) const ISSUER: &str = "https://token.example.com";
pub(in crate::jwt) const AUDIENCE: &str = "https://lockstep.example.com";

/// Base64url of anything.
pub(in crate::jwt) fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A PKCS #8 file out of its PEM.
fn der_of(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

/// Keys that sign.
pub(in crate::jwt) struct Signers {
    pub(in crate::jwt) rsa: RsaKeyPair,
    pub(in crate::jwt) p256: EcdsaKeyPair,
    pub(in crate::jwt) p384: EcdsaKeyPair,
    pub(in crate::jwt) ed25519: Ed25519KeyPair,
    random: SystemRandom,
}

impl Signers {
    pub(in crate::jwt) fn new() -> Self {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(&der_of(RSA_KEY)).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap(),
            p384: EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, p384.as_ref(), &random).unwrap(),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
            random,
        }
    }

    pub(in crate::jwt) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let rsa = |padding: &'static dyn signature::RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(padding, &self.random, message, &mut signature).unwrap();
            signature
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::Es256 => self.p256.sign(&self.random, message).unwrap().as_ref().to_vec(),
            Algorithm::Es384 => self.p384.sign(&self.random, message).unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.ed25519.sign(message).as_ref().to_vec(),
        }
    }

    /// The key of an algorithm as a JWK of this `kid`.
    pub(in crate::jwt) fn jwk(&self, algorithm: Algorithm, kid: &str) -> Value {
        let point = |point: &[u8], curve: &str| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "crv": curve, "x": part(x), "y": part(y), "kid": kid})
        };
        match algorithm {
            Algorithm::Es256 => point(self.p256.public_key().as_ref(), "P-256"),
            Algorithm::Es384 => point(self.p384.public_key().as_ref(), "P-384"),
            Algorithm::EdDsa => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": part(self.ed25519.public_key().as_ref()), "kid": kid})
            }
            _ => {
                let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                json!({"kty": "RSA", "n": part(public.n), "e": part(public.e), "kid": kid, "use": "sig"})
            }
        }
    }

    /// All keys: `rsa`, `p256`, `p384`, `ed25519`.
    pub(in crate::jwt) fn jwks(&self) -> Value {
        json!({"keys": [
            self.jwk(Algorithm::Rs256, "rsa"),
            self.jwk(Algorithm::Es256, "p256"),
            self.jwk(Algorithm::Es384, "p384"),
            self.jwk(Algorithm::EdDsa, "ed25519"),
        ]})
    }

    /// A token of this header and these claims, signed as the algorithm says, whatever the header says.
    pub(in crate::jwt) fn token(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        self.token_of(algorithm, &header.to_string(), &claims.to_string())
    }

    /// The same of texts, which need not be JSON.
    pub(in crate::jwt) fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", part(signature))
    }
}

/// Claims that are good at this time.
pub(in crate::jwt) fn claims(now: UnixMillis) -> Value {
    let now = now.seconds();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/shop", "iat": now, "nbf": now, "exp": now + 600})
}

/// The settings of an issuer that signs with everything.
pub(in crate::jwt) fn settings() -> IssuerSettings {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    IssuerSettings {
        algorithms: vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, EdDsa],
        ..IssuerSettings::new("ci", ISSUER, AUDIENCE)
    }
}

/// What an issuer answers: where its keys are, and the keys that the function gives.
pub(in crate::jwt) fn answers(mut keys: impl FnMut() -> Reply + Send + 'static) -> Arc<FakeTransport> {
    FakeTransport::by(move |request| match request.uri().path() {
        "/.well-known/openid-configuration" => {
            Reply::json(200, &json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")}))
        }
        "/keys" => keys(),
        other => panic!("nobody asks for {other}"),
    })
}

/// A login over an issuer that answers like this.
pub(in crate::jwt) struct Bench {
    pub(in crate::jwt) clock: Arc<ManualClock>,
    pub(in crate::jwt) transport: Arc<FakeTransport>,
    pub(in crate::jwt) login: JwtLogin,
}

impl Bench {
    pub(in crate::jwt) fn new(
        issuers: Vec<IssuerSettings>,
        settings: JwtSettings,
        transport: Arc<FakeTransport>,
    ) -> Self {
        let clock = ManualClock::new();
        let timeline = Arc::new(Timeline::new(clock.clone()));
        let login = JwtLogin::new(issuers, settings, &OneTransport(transport.clone()), timeline).unwrap();
        Self { clock, transport, login }
    }

    pub(in crate::jwt) fn now(&self) -> UnixMillis {
        use lockstep_core::Clock as _;
        self.clock.wall()
    }

    pub(in crate::jwt) fn call(&self) -> Call {
        lockstep_testkit::call(&self.clock)
    }

    pub(in crate::jwt) async fn verify(&self, token: &str) -> Result<Principal, Refused> {
        self.login.verify(&self.call(), token.as_bytes()).await
    }

    /// How often the keys were fetched.
    pub(in crate::jwt) fn fetches(&self) -> usize {
        self.transport.lines().iter().filter(|line| *line == "GET /keys").count()
    }
}
