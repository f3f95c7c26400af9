//! [`signed`]: a JWT of ours, signed with a private key of ours (RFC 7515, compact form). Nothing is verified here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::{Error, ErrorKind, Result, SecretValue, SignatureAlgorithm, Signer};
use serde_json::{Map, Value, json};

/// A JWT with these claims. `alg` and `typ` are set here; `header` holds the rest, such as `kid`.
///
/// # Errors
/// The signer's.
pub(crate) async fn signed(
    signer: &dyn Signer,
    key: &SecretValue,
    algorithm: SignatureAlgorithm,
    mut header: Map<String, Value>,
    claims: &Value,
) -> Result<SecretValue> {
    header.insert("alg".into(), json!(algorithm.name()));
    header.insert("typ".into(), json!("JWT"));
    let part = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
    let broken = |_| Error::new(ErrorKind::Internal, "an assertion can't be written as JSON");
    let header = serde_json::to_vec(&header).map_err(broken)?;
    let claims = serde_json::to_vec(claims).map_err(broken)?;
    let mut token = format!("{}.{}", part(&header), part(&claims));
    let signature = signer.sign(key, algorithm, token.as_bytes()).await?;
    // Without its signature the text proves nothing; the buffer that grows here leaves no secret behind.
    token.push('.');
    token.push_str(&part(&signature));
    Ok(SecretValue::from(token))
}

#[cfg(test)]
mod tests {
    use lockstep_native::RingSigner;
    use lockstep_testkit::RSA_KEY;

    use super::*;

    /// Break: leave out `typ`, or sign anything but header and claims.
    #[tokio::test]
    async fn header_and_claims_stand_before_a_signature_over_both() {
        let header = Map::from_iter([("kid".to_owned(), json!("k1"))]);
        let claims = json!({"iss": "us"});
        let key = SecretValue::from(RSA_KEY);
        let token = signed(&RingSigner, &key, SignatureAlgorithm::Rs256, header, &claims).await.unwrap();
        let text = token.expose_text().unwrap();
        let (content, signature) = text.rsplit_once('.').unwrap();
        let (header, claims) = content.split_once('.').unwrap();
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
        assert_eq!(read(header), json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}));
        assert_eq!(read(claims), json!({"iss": "us"}));
        let expected = RingSigner.sign(&key, SignatureAlgorithm::Rs256, content.as_bytes()).await.unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap(), expected);
    }
}
