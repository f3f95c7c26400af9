//! What PostgreSQL stores of a password (RFC 5802, RFC 7677): made here, so that the password itself is in no statement,
//! and in no log of one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockstep_core::{Error, ErrorKind, Random, Result, SecretValue};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// As many as PostgreSQL itself makes.
const ITERATIONS: u32 = 4096;
/// As long as PostgreSQL's own.
const SALT: usize = 16;

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` of an ASCII password, which SASLprep leaves as it is. It
/// has letters, digits and `$:+/=-` alone.
///
/// # Errors
/// None that any password could bring about.
pub(super) fn scram(password: &SecretValue, random: &dyn Random) -> Result<String> {
    let mut salt = [0; SALT];
    random.fill(&mut salt);
    of(password.expose(), &salt)
}

fn of(password: &[u8], salt: &[u8]) -> Result<String> {
    let salted = salted(password, salt)?;
    let client_key = Zeroizing::new(keyed(&*salted, &[b"Client Key"])?);
    let stored_key = Sha256::digest(client_key.as_slice());
    let server_key = keyed(&*salted, &[b"Server Key"])?;
    let [salt, stored, server] = [salt, &stored_key, &server_key].map(|bytes| STANDARD.encode(bytes));
    Ok(format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"))
}

/// PBKDF2 with HMAC-SHA-256, one block.
fn salted(password: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut last = Zeroizing::new(keyed(password, &[salt, &[0, 0, 0, 1]])?);
    let mut all = last.clone();
    for _ in 1..ITERATIONS {
        *last = keyed(password, &[&*last])?;
        for (all, last) in all.iter_mut().zip(last.iter()) {
            *all ^= last;
        }
    }
    Ok(all)
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32]> {
    let broken = |_| Error::new(ErrorKind::Internal, "a password is no key of HMAC");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(broken)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677's example: its server signature with this ServerKey. Break: `Client Key`, `Server Key`, or the count.
    #[test]
    fn the_verifier_is_that_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = of(b"pencil", &salt).unwrap();
        let (stored, server) = verifier.rsplit_once('$').unwrap().1.split_once(':').unwrap();
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{verifier}");
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_key = STANDARD.decode(server).unwrap();
        let signature = keyed(&server_key, &[message.as_bytes()]).unwrap();
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The proof of the client is ClientKey ^ HMAC(StoredKey, message), and StoredKey is the hash of ClientKey.
        let stored_key = STANDARD.decode(stored).unwrap();
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_signature = keyed(&stored_key, &[message.as_bytes()]).unwrap();
        let client_key: Vec<u8> = proof.iter().zip(client_signature).map(|(proof, signed)| proof ^ signed).collect();
        assert_eq!(Sha256::digest(client_key).as_slice(), stored_key);
    }
}
