//! E9: every way to forge a token that we know of, and the word that it is refused with.

use std::time::Duration;

use lockstep_core::Login;
use lockstep_testkit::{Reply, rsa_public_key};
use ring::hmac;
use serde_json::{Value, json};

use super::forge::{AUDIENCE, Bench, ISSUER, Signers, answers, claims, part, settings};
use crate::jwt::{Algorithm, ClaimPattern, JwtSettings, MAX_JWT_BYTES};

const SECRET_TEXT: &str = "c4n4ry";

struct Case {
    name: &'static str,
    token: String,
    reason: &'static str,
}

/// The good token, to be changed.
struct Good<'a> {
    signers: &'a Signers,
    header: Value,
    claims: Value,
}

impl Good<'_> {
    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.signers.token(Algorithm::Rs256, &header, &self.claims)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.signers.token(Algorithm::Rs256, &self.header, &claims)
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        self.signers.token(Algorithm::Rs256, &self.header, &claims)
    }

    /// Claims as text, `from` replaced: for what no JSON library writes.
    fn with_claims_text(&self, from: &str, to: &str) -> String {
        let text = self.claims.to_string();
        assert!(text.contains(from), "{from}");
        self.signers.token_of(Algorithm::Rs256, &self.header.to_string(), &text.replace(from, to))
    }

    fn with_header_text(&self, header: &str) -> String {
        self.signers.token_of(Algorithm::Rs256, header, &self.claims.to_string())
    }

    fn signed(&self) -> String {
        self.signers.token(Algorithm::Rs256, &self.header, &self.claims)
    }

    /// The good token with another signature.
    fn with_signature(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let message = format!("{}.{}", part(self.header.to_string()), part(self.claims.to_string()));
        let signature = change(self.signers.sign(Algorithm::Rs256, message.as_bytes()));
        format!("{message}.{}", part(signature))
    }

    /// A token of this header, signed by the function.
    fn signed_by(&self, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", part(header.to_string()), part(self.claims.to_string()));
        let signature = sign(message.as_bytes());
        format!("{message}.{}", part(signature))
    }
}

/// A text of base64url whose last character has a loose bit set, which decodes to the same bytes where nobody looks.
fn loosened(token: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.iter().position(|byte| last.as_bytes() == [*byte]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[at | 1]))
}

/// An ECDSA signature as X.509 has it: a sequence of two integers.
fn as_der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if digits[0] & 0x80 == 0 { &[][..] } else { &[0] };
        [&[2, u8::try_from(sign.len() + digits.len()).unwrap()], sign, &digits].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}

/// An Ed25519 signature with the order of the group added to its second half.
fn malleated(mut signature: Vec<u8>) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    signature
}

fn cases(signers: &Signers, now: u64) -> Vec<Case> {
    let header = json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"});
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/shop", "iat": now, "nbf": now, "exp": now + 600,
        "jti": SECRET_TEXT,
    });
    let good = Good { signers, header, claims };
    let es = |kid: &str, alg: &str| json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let hmac =
        |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec();
    let other = Signers::new();
    let pem = rsa_public_key();
    let pem_der: Vec<u8> = {
        use base64::Engine as _;
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
    };
    let hs = json!({"alg": "HS256", "kid": "rsa", "typ": "JWT"});
    let own_jwk = other.jwk(Algorithm::Es256, "mine");
    let text = good.signed();
    let segments: Vec<&str> = text.split('.').collect();
    let [head, body, signature] = segments[..] else { panic!("three parts") };
    let deep = format!(r#""a":{}1{},"iss""#, "[".repeat(200), "]".repeat(200));
    let wide = format!(r#""a":[{}1],"iss""#, "1,".repeat(2_000));
    let case = |name, token, reason| Case { name, token, reason };
    vec![
        // How it is signed.
        case("alg none", good.signed_by(&es("rsa", "none"), |_| Vec::new()), "jwt_algorithm_refused"),
        case("alg None", good.signed_by(&es("rsa", "None"), |_| Vec::new()), "jwt_algorithm_refused"),
        case("alg NONE", good.signed_by(&es("rsa", "NONE"), |_| Vec::new()), "jwt_algorithm_refused"),
        case("alg nOnE", good.signed_by(&es("rsa", "nOnE"), |_| Vec::new()), "jwt_algorithm_refused"),
        case("alg none with a signature", good.with_header("alg", json!("none")), "jwt_algorithm_refused"),
        case("alg empty", good.with_header("alg", json!("")), "jwt_algorithm_refused"),
        case("alg null", good.with_header("alg", json!(null)), "jwt_algorithm_refused"),
        case("alg a list", good.with_header("alg", json!(["RS256"])), "jwt_algorithm_refused"),
        case("alg missing", good.with_header_text(r#"{"kid":"rsa","typ":"JWT"}"#), "jwt_algorithm_refused"),
        case("alg in small letters", good.with_header("alg", json!("rs256")), "jwt_algorithm_refused"),
        case("alg RS1", good.with_header("alg", json!("RS1")), "jwt_algorithm_refused"),
        case("alg dir", good.with_header("alg", json!("dir")), "jwt_algorithm_refused"),
        case(
            "HS256 with the public key's PEM",
            good.signed_by(&hs, |m| hmac(pem.as_bytes(), m)),
            "jwt_algorithm_refused",
        ),
        case(
            "HS256 with the PEM without its last line break",
            good.signed_by(&hs, |m| hmac(pem.trim().as_bytes(), m)),
            "jwt_algorithm_refused",
        ),
        case("HS256 with the public key's DER", good.signed_by(&hs, |m| hmac(&pem_der, m)), "jwt_algorithm_refused"),
        case("HS256 with nothing", good.signed_by(&hs, |m| hmac(b"", m)), "jwt_algorithm_refused"),
        case(
            "an HMAC under the name of RS256",
            good.signed_by(&good.header, |m| hmac(pem.as_bytes(), m)),
            "jwt_bad_signature",
        ),
        case(
            "a PS256 signature under the name of RS256",
            signers.token(Algorithm::Ps256, &good.header, &good.claims),
            "jwt_bad_signature",
        ),
        case(
            "an RS256 signature under the name of PS256",
            signers.token(Algorithm::Rs256, &es("rsa", "PS256"), &good.claims),
            "jwt_bad_signature",
        ),
        case(
            "an RS256 signature under the name of RS512",
            signers.token(Algorithm::Rs256, &es("rsa", "RS512"), &good.claims),
            "jwt_bad_signature",
        ),
        case(
            "ES256 with the name of the RSA key",
            signers.token(Algorithm::Es256, &es("rsa", "ES256"), &good.claims),
            "jwt_unknown_key",
        ),
        case(
            "ES384 with the name of the P-256 key",
            signers.token(Algorithm::Es384, &es("p256", "ES384"), &good.claims),
            "jwt_unknown_key",
        ),
        case(
            "EdDSA with the name of the P-256 key",
            signers.token(Algorithm::EdDsa, &es("p256", "EdDSA"), &good.claims),
            "jwt_unknown_key",
        ),
        case(
            "an algorithm that the issuer does not use",
            signers.token(Algorithm::Rs384, &es("rsa", "RS384"), &good.claims),
            "jwt_algorithm_refused",
        ),
        // Where its key comes from.
        case(
            "jwk of the forger",
            other.token(
                Algorithm::Es256,
                &json!({"alg": "ES256", "kid": "mine", "typ": "JWT", "jwk": own_jwk}),
                &good.claims,
            ),
            "jwt_header_refused",
        ),
        case("jku", good.with_header("jku", json!("https://evil.test/keys")), "jwt_header_refused"),
        case(
            "jku of the issuer itself",
            good.with_header("jku", json!(format!("{ISSUER}/keys"))),
            "jwt_header_refused",
        ),
        case("x5u", good.with_header("x5u", json!("https://evil.test/cert")), "jwt_header_refused"),
        case("x5c", good.with_header("x5c", json!(["MII"])), "jwt_header_refused"),
        case("x5c null", good.with_header("x5c", json!(null)), "jwt_header_refused"),
        case("crit", good.with_header("crit", json!(["exp"])), "jwt_header_refused"),
        case("crit empty", good.with_header("crit", json!([])), "jwt_header_refused"),
        case("b64 false", good.with_header("b64", json!(false)), "jwt_header_refused"),
        case("b64 true", good.with_header("b64", json!(true)), "jwt_header_refused"),
        case("zip", good.with_header("zip", json!("DEF")), "jwt_header_refused"),
        case("a token in a token", good.with_header("cty", json!("JWT")), "jwt_header_refused"),
        case("kid of a path", good.with_header("kid", json!("../../../../dev/null")), "jwt_unknown_key"),
        case("kid of SQL", good.with_header("kid", json!("x' UNION SELECT 'key' -- ")), "jwt_unknown_key"),
        case("kid of an address", good.with_header("kid", json!("https://evil.test/keys")), "jwt_unknown_key"),
        case("kid with a NUL", good.with_header("kid", json!("rsa\0")), "jwt_bad_kid"),
        case("kid with a line break", good.with_header("kid", json!("rsa\n")), "jwt_bad_kid"),
        case("kid empty", good.with_header("kid", json!("")), "jwt_bad_kid"),
        case("kid null", good.with_header("kid", json!(null)), "jwt_bad_kid"),
        case("kid a number", good.with_header("kid", json!(1)), "jwt_bad_kid"),
        case("kid a list", good.with_header("kid", json!(["rsa"])), "jwt_bad_kid"),
        case("kid too long", good.with_header("kid", json!("k".repeat(257))), "jwt_bad_kid"),
        case("kid in other letters", good.with_header("kid", json!("RSA")), "jwt_unknown_key"),
        case(
            "signed by another issuer's key",
            other.token(Algorithm::Es256, &es("p256", "ES256"), &good.claims),
            "jwt_bad_signature",
        ),
        // What it says of itself.
        case("typ of another kind", good.with_header("typ", json!("logout+jwt")), "jwt_wrong_type"),
        case("typ empty list", good.with_header("typ", json!([])), "jwt_wrong_type"),
        case("typ null", good.with_header("typ", json!(null)), "jwt_wrong_type"),
        case(
            "typ missing where it has to be",
            good.with_header_text(r#"{"alg":"RS256","kid":"rsa"}"#),
            "jwt_wrong_type",
        ),
        case("exp a text", good.with_claim("exp", json!("9999999999")), "jwt_claim_malformed"),
        case("exp null", good.with_claim("exp", json!(null)), "jwt_claim_malformed"),
        case("exp true", good.with_claim("exp", json!(true)), "jwt_claim_malformed"),
        case("exp a list", good.with_claim("exp", json!([now + 600])), "jwt_claim_malformed"),
        case("exp an object", good.with_claim("exp", json!({})), "jwt_claim_malformed"),
        case("exp missing", good.without_claim("exp"), "jwt_claim_missing"),
        case("exp negative", good.with_claim("exp", json!(-1)), "jwt_claim_malformed"),
        case("exp zero", good.with_claim("exp", json!(0)), "jwt_expired"),
        case("exp in milliseconds", good.with_claim("exp", json!((now + 600) * 1000)), "jwt_claim_malformed"),
        case("exp of all bits", good.with_claim("exp", json!(u64::MAX)), "jwt_claim_malformed"),
        case("exp 1e99", good.with_claim("exp", json!(1e99)), "jwt_claim_malformed"),
        case("exp 1e400", good.with_claims_text(&format!(r#""exp":{}"#, now + 600), r#""exp":1e400"#), "jwt_malformed"),
        case("exp NaN", good.with_claims_text(&format!(r#""exp":{}"#, now + 600), r#""exp":NaN"#), "jwt_malformed"),
        case("over by the leeway", good.with_claim("exp", json!(now - 30)), "jwt_expired"),
        case("over by the leeway and a second", good.with_claim("exp", json!(now - 31)), "jwt_expired"),
        case("nbf later", good.with_claim("nbf", json!(now + 31)), "jwt_not_yet_valid"),
        case("nbf a text", good.with_claim("nbf", json!(now.to_string())), "jwt_claim_malformed"),
        case("nbf null", good.with_claim("nbf", json!(null)), "jwt_claim_malformed"),
        case("iat later", good.with_claim("iat", json!(now + 31)), "jwt_issued_later"),
        case("iat a text", good.with_claim("iat", json!("0")), "jwt_claim_malformed"),
        case("aud of somebody else", good.with_claim("aud", json!("https://other.example.com")), "jwt_wrong_audience"),
        case("aud longer", good.with_claim("aud", json!(format!("{AUDIENCE}/"))), "jwt_wrong_audience"),
        case("aud in other letters", good.with_claim("aud", json!(AUDIENCE.to_uppercase())), "jwt_wrong_audience"),
        case("aud a list of others", good.with_claim("aud", json!(["a", "b"])), "jwt_wrong_audience"),
        case("aud an empty list", good.with_claim("aud", json!([])), "jwt_wrong_audience"),
        case("aud a mixed list", good.with_claim("aud", json!([AUDIENCE, 1])), "jwt_claim_malformed"),
        case("aud an object", good.with_claim("aud", json!({AUDIENCE: true})), "jwt_claim_malformed"),
        case("aud null", good.with_claim("aud", json!(null)), "jwt_claim_malformed"),
        case("aud empty", good.with_claim("aud", json!("")), "jwt_wrong_audience"),
        case("aud missing", good.without_claim("aud"), "jwt_claim_missing"),
        case("iss with a slash behind", good.with_claim("iss", json!(format!("{ISSUER}/"))), "jwt_unknown_issuer"),
        case("iss in other letters", good.with_claim("iss", json!("https://TOKEN.example.com")), "jwt_unknown_issuer"),
        case("iss of somebody else", good.with_claim("iss", json!("https://evil.test")), "jwt_unknown_issuer"),
        case("iss a list", good.with_claim("iss", json!([ISSUER])), "jwt_claim_malformed"),
        case("iss missing", good.without_claim("iss"), "jwt_claim_missing"),
        case("sub missing", good.without_claim("sub"), "jwt_bad_subject"),
        case("sub empty", good.with_claim("sub", json!("")), "jwt_bad_subject"),
        case("sub a number", good.with_claim("sub", json!(7)), "jwt_claim_malformed"),
        case("sub with dots", good.with_claim("sub", json!("repo:acme/../evil")), "jwt_bad_subject"),
        case("sub with a line break", good.with_claim("sub", json!("repo:acme/shop\nadmin")), "jwt_bad_subject"),
        case("a required claim missing", good.without_claim("jti"), "jwt_claim_missing"),
        case("a required claim of another value", good.with_claim("jti", json!("x")), "jwt_claim_refused"),
        // How it is written.
        case("nothing", String::new(), "jwt_malformed"),
        case("dots alone", "..".to_owned(), "jwt_malformed"),
        case("two parts", format!("{head}.{body}"), "jwt_malformed"),
        case("four parts", format!("{text}.{signature}"), "jwt_malformed"),
        case("five parts", format!("{text}.{signature}.{signature}"), "jwt_malformed"),
        case("a dot behind", format!("{text}."), "jwt_malformed"),
        case("padding in the header", format!("{head}=.{body}.{signature}"), "jwt_malformed"),
        case("padding in the signature", format!("{text}=="), "jwt_malformed"),
        case("a space behind", format!("{text} "), "jwt_malformed"),
        case("a line break behind", format!("{text}\n"), "jwt_malformed"),
        case("a space before", format!(" {text}"), "jwt_malformed"),
        case("a line break inside", format!("{head}.{body}\n.{signature}"), "jwt_malformed"),
        case("base64 of the other kind", format!("{head}.{body}.+{}", &signature[1..]), "jwt_malformed"),
        case("loose bits", loosened(&text), "jwt_malformed"),
        case("a claim twice", good.with_claims_text(r#""iss""#, r#""sub":"repo:acme/shop","iss""#), "jwt_malformed"),
        case("exp twice, once escaped", good.with_claims_text(r#""iss""#, r#""\u0065xp":1,"iss""#), "jwt_malformed"),
        case(
            "alg twice",
            good.with_header_text(r#"{"alg":"none","alg":"RS256","kid":"rsa","typ":"JWT"}"#),
            "jwt_malformed",
        ),
        case("claims a list", signers.token_of(Algorithm::Rs256, &good.header.to_string(), "[]"), "jwt_malformed"),
        case("claims a text", signers.token_of(Algorithm::Rs256, &good.header.to_string(), "\"a\""), "jwt_malformed"),
        case("claims null", signers.token_of(Algorithm::Rs256, &good.header.to_string(), "null"), "jwt_malformed"),
        case("claims with something behind", good.with_claims_text("}", "}{}"), "jwt_malformed"),
        case("header a list", good.with_header_text("[]"), "jwt_malformed"),
        case("a bomb of levels", good.with_claims_text(r#""iss""#, &deep), "jwt_malformed"),
        case("a bomb of items", good.with_claims_text(r#""iss""#, &wide), "jwt_malformed"),
        case("a byte too long", format!("{text}{}", "A".repeat(MAX_JWT_BYTES + 1 - text.len())), "jwt_too_large"),
        // How its signature is made.
        case("no signature", format!("{head}.{body}."), "jwt_bad_signature"),
        case("a signature cut short", good.with_signature(|s| s[..s.len() - 1].to_vec()), "jwt_bad_signature"),
        case("a zero before the signature", good.with_signature(|s| [&[0], &s[..]].concat()), "jwt_bad_signature"),
        case("a zero behind the signature", good.with_signature(|s| [&s[..], &[0]].concat()), "jwt_bad_signature"),
        case(
            "a bit of the signature changed",
            good.with_signature(|mut s| {
                s[9] ^= 1;
                s
            }),
            "jwt_bad_signature",
        ),
        case("a signature of zeros", good.with_signature(|s| vec![0; s.len()]), "jwt_bad_signature"),
        case(
            "a signature of one",
            good.with_signature(|s| [&vec![0; s.len() - 1][..], &[1]].concat()),
            "jwt_bad_signature",
        ),
        case(
            "another token's signature",
            format!("{head}.{}.{signature}", good.with_claim("sub", json!("admin")).split('.').nth(1).unwrap()),
            "jwt_bad_signature",
        ),
        case(
            "ES256 in the form of DER",
            good.signed_by(&es("p256", "ES256"), |message| as_der(&signers.sign(Algorithm::Es256, message))),
            "jwt_bad_signature",
        ),
        case(
            "ES256 with r zero",
            good.signed_by(&es("p256", "ES256"), |message| {
                [&[0; 32][..], &signers.sign(Algorithm::Es256, message)[32..]].concat()
            }),
            "jwt_bad_signature",
        ),
        case(
            "ES256 with s zero",
            good.signed_by(&es("p256", "ES256"), |message| {
                [&signers.sign(Algorithm::Es256, message)[..32], &[0; 32][..]].concat()
            }),
            "jwt_bad_signature",
        ),
        case("ES256 with both zero", good.signed_by(&es("p256", "ES256"), |_| vec![0; 64]), "jwt_bad_signature"),
        case("ES256 of all bits", good.signed_by(&es("p256", "ES256"), |_| vec![0xff; 64]), "jwt_bad_signature"),
        case(
            "EdDSA with the order added",
            good.signed_by(&es("ed25519", "EdDSA"), |message| malleated(signers.sign(Algorithm::EdDsa, message))),
            "jwt_bad_signature",
        ),
        case("EdDSA of zeros", good.signed_by(&es("ed25519", "EdDSA"), |_| vec![0; 64]), "jwt_bad_signature"),
    ]
}

fn bench(signers: &Signers) -> Bench {
    let jwks = signers.jwks();
    let mut issuer = settings();
    issuer.algorithms.retain(|algorithm| *algorithm != Algorithm::Rs384);
    issuer.types = vec!["JWT".into()];
    issuer.required = vec![("jti".into(), vec![ClaimPattern::new("c4*")])];
    Bench::new(vec![issuer], JwtSettings::default(), answers(move || Reply::json(200, &jwks)))
}

/// Break: any check of `Token::parse`, `Header::read`, `JwtLogin::verify`, `claims::verified` or `PublicKey::verifies`.
#[tokio::test]
async fn e9_every_forged_token_is_refused_for_its_own_reason() {
    let signers = Signers::new();
    let bench = bench(&signers);
    let cases = cases(&signers, bench.now().seconds());
    assert!(cases.len() >= 60, "{}", cases.len());
    for Case { name, token, reason } in cases {
        let refused = bench.verify(&token).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        assert_eq!((refused.reason, refused.is_transient()), (reason, false), "{name}: {refused}");
        assert!(bench.login.verify_at_once(token.as_bytes()).is_none(), "{name}");
        // M1: nothing of a token, and nothing that it says, is told.
        let told = format!("{refused} {refused:?} {:?}", bench.login);
        let parts = token.split('.').filter(|part| part.len() > 3);
        for part in parts.chain([SECRET_TEXT, "evil", "acme", "dev/null", "UNION"]) {
            assert!(!told.contains(part), "{name}: {told}");
        }
    }
    assert_eq!(bench.fetches(), 1, "and the issuer was asked once");
}

/// Without these the table above would prove nothing. Break: refuse everything.
#[tokio::test]
async fn e9_good_tokens_are_accepted_in_every_way_to_sign() {
    let signers = Signers::new();
    let jwks = signers.jwks();
    let bench = Bench::new(vec![settings()], JwtSettings::default(), answers(move || Reply::json(200, &jwks)));
    for (algorithm, kid) in [
        (Algorithm::Rs256, "rsa"),
        (Algorithm::Rs384, "rsa"),
        (Algorithm::Rs512, "rsa"),
        (Algorithm::Ps256, "rsa"),
        (Algorithm::Ps384, "rsa"),
        (Algorithm::Ps512, "rsa"),
        (Algorithm::Es256, "p256"),
        (Algorithm::Es384, "p384"),
        (Algorithm::EdDsa, "ed25519"),
    ] {
        let claims = claims(bench.now());
        for header in [json!({"alg": algorithm.name(), "kid": kid, "typ": "JWT"}), json!({"alg": algorithm.name()})] {
            let token = signers.token(algorithm, &header, &claims);
            let principal = bench.verify(&token).await.unwrap_or_else(|refused| panic!("{algorithm}: {refused}"));
            assert_eq!((&*principal.id, principal.login), ("jwt:ci:repo:acme/shop", Login::Jwt));
            assert_eq!(principal.claims.as_deref(), claims.as_object());
            assert_eq!(bench.login.verify_at_once(token.as_bytes()), Some(principal));
        }
    }
}

/// The other side of each bound of the table. Break: any bound by one.
#[tokio::test]
async fn e9_what_is_just_within_the_bounds_is_accepted() {
    let signers = Signers::new();
    let bench = bench(&signers);
    let now = bench.now().seconds();
    let base = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": now + 600, "jti": "c4"});
    let changed = |name: &str, value: Value| {
        let mut claims = base.clone();
        claims[name] = value;
        signers.token(Algorithm::Rs256, &json!({"alg": "RS256", "kid": "rsa", "typ": "JWT", "x5t": "a"}), &claims)
    };
    for (name, value) in [
        ("exp", json!(now - 29)),
        ("exp", json!(253_402_300_799_u64)),
        ("exp", json!(253_402_300_799.0)),
        ("nbf", json!(now + 30)),
        ("iat", json!(now + 30)),
        ("nbf", json!(1.5)),
        ("aud", json!(["other", AUDIENCE])),
        ("sub", json!("a".repeat(512))),
        ("jti", json!(["x", "c4"])),
    ] {
        let outcome = bench.verify(&changed(name, value.clone())).await;
        assert!(outcome.is_ok(), "{name} {value}: {outcome:?}");
    }
}

/// Break: either limit in `claims::times`, what it gives back, or `leeway` in `claims::verified`.
#[tokio::test]
async fn e9_an_issuer_may_be_held_to_short_and_young_tokens() {
    let signers = Signers::new();
    let jwks = signers.jwks();
    let mut issuer = settings();
    issuer.max_lifetime = Some(Duration::from_mins(10));
    issuer.max_age = Some(Duration::from_mins(5));
    issuer.leeway = Duration::ZERO;
    let bench = Bench::new(vec![issuer], JwtSettings::default(), answers(move || Reply::json(200, &jwks)));
    let now = bench.now().seconds();
    for (issued, end, reason) in [
        (Some(now), now + 600, None),
        (Some(now), now + 601, Some("jwt_lives_too_long")),
        (Some(now - 299), now + 1, None),
        (Some(now - 300), now + 1, Some("jwt_too_old")),
        (None, now + 1, Some("jwt_claim_missing")),
        (Some(now + 1), now + 2, Some("jwt_issued_later")),
        (Some(now), now, Some("jwt_expired")),
    ] {
        let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": end});
        if let Some(issued) = issued {
            claims["iat"] = json!(issued);
        }
        let token = signers.token(Algorithm::Rs256, &json!({"alg": "RS256", "kid": "rsa"}), &claims);
        let outcome = bench.verify(&token).await;
        assert_eq!(outcome.err().map(|refused| refused.reason), reason, "{issued:?} {end}");
    }
    // What is remembered of a token ends when it is too old.
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": now + 60, "iat": now - 290});
    let token = signers.token(Algorithm::Rs256, &json!({"alg": "RS256", "kid": "rsa"}), &claims);
    bench.verify(&token).await.unwrap();
    bench.clock.advance(Duration::from_secs(10));
    assert!(bench.login.verify_at_once(token.as_bytes()).is_none());
    assert_eq!(bench.verify(&token).await.unwrap_err().reason, "jwt_too_old");
}
