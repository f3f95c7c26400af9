use std::time::Duration;

use super::*;

const NOW: UnixMillis = lockstep_testkit::clock::START;

fn facts() -> CertificateFacts {
    CertificateFacts {
        fingerprint: [7; 32],
        common_name: Some("api".into()),
        dns: vec!["api.acme.internal".into(), "*.acme.internal".into()],
        uris: vec!["spiffe://acme/ns/prod/sa/api".into()],
        issuer: Some("CN=Acme".into()),
        not_before: UnixMillis(NOW.0 - 1000),
        not_after: NOW.plus(Duration::from_secs(1)),
    }
}

fn rule(matches: &str, issuer: Option<&str>) -> CertificateRule {
    let matches = CertificateMatch::parse(matches).unwrap();
    CertificateRule { name: "api".into(), matches, issuer: issuer.map(str::to_owned) }
}

/// Break: any arm of `CertificateMatch::fits`, or `is_issued`.
#[test]
fn a_rule_is_about_a_certificate_to_the_letter() {
    let fingerprint = format!("sha256:{}", "07".repeat(32));
    for (matches, issuer, fits) in [
        ("spiffe://acme/ns/prod/sa/api", None, true),
        ("spiffe://acme/ns/prod/sa/api", Some("CN=Acme"), true),
        ("spiffe://acme/ns/prod/sa/api", Some("CN=Evil"), false),
        ("spiffe://acme/ns/prod/sa/ap", None, false),
        ("spiffe://acme/ns/prod/sa/api/", None, false),
        ("SPIFFE://acme/ns/prod/sa/api", None, false),
        ("dns:api.acme.internal", None, true),
        ("dns:API.acme.internal", None, true),
        ("dns:other.acme.internal", None, false),
        ("dns:api", None, false),
        (&fingerprint, None, true),
        (&fingerprint.replace('7', "8"), None, false),
    ] {
        let login = CertificateLogin::new(vec![rule(matches, issuer)]).unwrap();
        let outcome = login.verify(&facts(), NOW);
        match outcome {
            Ok(principal) => {
                assert_eq!((&*principal.id, principal.login, fits), ("cert:api", Login::Certificate, true));
                assert_eq!(principal.claims.unwrap()["fingerprint"], "07".repeat(32));
            }
            Err(refused) => assert_eq!((refused.reason, fits), ("cert_unknown", false), "{matches} {issuer:?}"),
        }
    }
    let mut two = facts();
    two.uris.push("spiffe://acme/ns/prod/sa/admin".into());
    let login = CertificateLogin::new(vec![rule("spiffe://acme/ns/prod/sa/api", None)]).unwrap();
    assert_eq!(login.verify(&two, NOW).unwrap_err().reason, "cert_unknown", "of two names nobody knows which is meant");
    assert!(CertificateLogin::new(Vec::new()).unwrap().verify(&facts(), NOW).is_err());
}

/// Break: either look at a date.
#[test]
fn a_certificate_is_good_between_its_dates_and_at_them() {
    let login = CertificateLogin::new(vec![rule("dns:api.acme.internal", None)]).unwrap();
    let facts = facts();
    for (now, reason) in [
        (UnixMillis(facts.not_before.0 - 1), "cert_not_yet_valid"),
        (facts.not_before, ""),
        (facts.not_after, ""),
        (UnixMillis(facts.not_after.0 + 1), "cert_expired"),
    ] {
        assert_eq!(login.verify(&facts, now).err().map_or("", |refused| refused.reason), reason);
    }
}

#[test]
fn a_wrong_rule_says_what_to_write() {
    for bad in
        ["", "api", "dns:", "dns:*.acme.internal", "sha256:07", "spiffe://", "://x", "spiffe://acme/*", "a b://c"]
    {
        let error = CertificateMatch::parse(bad).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.message().contains("write a URI"), "{bad}: {error}");
    }
    let mut wrong = rule("dns:a", None);
    wrong.name = "a:b".into();
    assert_eq!(CertificateLogin::new(vec![wrong]).unwrap_err().kind(), ErrorKind::Config);
}

/// Break: either comparison at the beginning of `from_cloudflare`, or any check of `openssl_time`.
#[test]
fn cloudflares_word_counts_when_it_is_success_and_not_revoked() {
    let digits = "07".repeat(32);
    let good = CloudflareCertificate {
        verified: "SUCCESS",
        revoked: "0",
        fingerprint_sha256: &digits,
        issuer_dn: "CN=Acme",
        not_before: "Dec 22 19:39:00 2018 GMT",
        not_after: "Jan  2 03:04:05 2030 GMT",
    };
    let facts = CertificateFacts::from_cloudflare(&good).unwrap();
    assert_eq!(facts.fingerprint, [7; 32]);
    assert_eq!(facts.not_before.to_rfc3339(), "2018-12-22T19:39:00Z");
    assert_eq!(facts.not_after.to_rfc3339(), "2030-01-02T03:04:05Z");
    let unverified = ["NONE", "FAILED:expired", "FAILED:self signed certificate", "success", "", "SUCCESS "];
    for verified in unverified {
        let refused = CertificateFacts::from_cloudflare(&CloudflareCertificate { verified, ..good }).unwrap_err();
        assert_eq!(refused.reason, "cert_unverified", "{verified}");
    }
    for revoked in ["1", "", "false", "00"] {
        let refused = CertificateFacts::from_cloudflare(&CloudflareCertificate { revoked, ..good }).unwrap_err();
        assert_eq!(refused.reason, "cert_unverified", "{revoked}");
    }
    for bad in [
        "",
        "2030-01-02",
        "Jan 2 03:04:05 2030",
        "Jan 2 03:04:05 2030 CET",
        "Jan 32 03:04:05 2030 GMT",
        "Foo 2 03:04:05 2030 GMT",
    ] {
        let refused = CertificateFacts::from_cloudflare(&CloudflareCertificate { not_after: bad, ..good }).unwrap_err();
        assert_eq!(refused.reason, "cert_malformed", "{bad}");
    }
    let short = CloudflareCertificate { fingerprint_sha256: "07", ..good };
    assert_eq!(CertificateFacts::from_cloudflare(&short).unwrap_err().reason, "cert_malformed");
}

#[cfg(feature = "mtls")]
mod x509 {
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType};

    use super::*;

    fn params() -> CertificateParams {
        let mut params = CertificateParams::new(vec!["api.acme.internal".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(Ia5String::try_from("spiffe://acme/ns/prod/sa/api").unwrap()));
        params.distinguished_name.push(DnType::CommonName, "api");
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params
    }

    fn issued(params: &CertificateParams) -> rcgen::Certificate {
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    /// Break: the names in `from_der`, or the fingerprint.
    #[test]
    fn what_a_certificate_says_is_read() {
        use sha2::Digest as _;
        let certificate = issued(&params());
        let facts = CertificateFacts::from_der(certificate.der()).unwrap();
        assert_eq!(facts.fingerprint[..], sha2::Sha256::digest(certificate.der())[..]);
        assert_eq!(facts.common_name.as_deref(), Some("api"));
        assert_eq!(facts.dns, ["api.acme.internal"]);
        assert_eq!(facts.uris, ["spiffe://acme/ns/prod/sa/api"]);
        assert_eq!(facts.not_before.to_rfc3339(), "2025-01-01T00:00:00Z");
        assert_eq!(facts.not_after.to_rfc3339(), "2027-01-01T00:00:00Z");
        let login = CertificateLogin::new(vec![rule("spiffe://acme/ns/prod/sa/api", None)]).unwrap();
        assert_eq!(&*login.verify(&facts, NOW).unwrap().id, "cert:api");
        let later = UnixMillis::from_rfc3339("2027-01-01T00:00:01Z").unwrap();
        assert_eq!(login.verify(&facts, later).unwrap_err().reason, "cert_expired");
    }

    /// Break: any check in `from_der`.
    #[test]
    fn what_is_no_single_certificate_of_a_caller_is_refused() {
        let certificate = issued(&params());
        let mut authority = params();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut two_names = params();
        two_names.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "admin");
        let reason = |der: &[u8]| CertificateFacts::from_der(der).unwrap_err().reason;
        assert_eq!(reason(issued(&authority).der()), "cert_is_ca");
        assert_eq!(reason(&[certificate.der(), &[0][..]].concat()), "cert_malformed");
        assert_eq!(reason(&certificate.der()[..100]), "cert_malformed");
        assert_eq!(reason(issued(&two_names).der()), "cert_malformed");
        assert_eq!(reason(&[]), "cert_malformed");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), flip: u8) {
            let _ = CertificateFacts::from_der(&bytes);
            let mut der = issued(&params()).der().to_vec();
            let at = at.index(der.len());
            der[at] ^= flip;
            let _ = CertificateFacts::from_der(&der);
        }
    }
}
