//! [`Seal`]: lines that only the holder of the key can write and read.
//!
//! A line is base64 of a random nonce and of JSON sealed with XChaCha20-Poly1305: its nonces of 24 bytes may be chosen
//! at random for as many lines as a file can hold.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use lockstep_core::{Env, Error, ErrorKind, Files, Random, Result, SecretValue};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::Credential;
use crate::binary::{decoded, encoded};

/// Authenticated with every line: another version of the form has other words here.
const FORM: &[u8] = b"lockstep-recording-1";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The key of a recording. It is wiped on drop.
pub(super) struct Seal(XChaCha20Poly1305);

impl Seal {
    /// The key that stands there.
    ///
    /// # Errors
    /// `Unauthenticated` when it is missing, `Config` when it is no key.
    pub(super) fn read(key: &Credential, env: &dyn Env, files: &dyn Files) -> Result<Self> {
        let text = key.read(env, files)?;
        let bytes = decoded(text.expose()).unwrap_or_else(|| SecretValue::from(""));
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.expose().try_into().map_err(|_| {
            let message = "the key of a recording is 32 bytes in base64; make one with `openssl rand -base64 32`";
            Error::new(ErrorKind::Config, message)
        })?);
        Ok(Self(XChaCha20Poly1305::new(<&Key>::from(&*bytes))))
    }

    /// One line, with its line feed.
    pub(super) fn line(&self, random: &dyn Random, content: &impl Serialize) -> Result<String> {
        let failed = || Error::new(ErrorKind::Internal, "what is recorded can't be written down; report this");
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        // Counted first, so that the buffer with the values is allocated once and never moves.
        let mut count = Count(0);
        serde_json::to_writer(&mut count, content).map_err(|_| failed())?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(NONCE_BYTES + count.0 + TAG_BYTES));
        bytes.extend_from_slice(&nonce);
        serde_json::to_writer(&mut *bytes, content).map_err(|_| failed())?;
        let sealed = self.0.encrypt_inout_detached(&XNonce::from(nonce), FORM, (&mut bytes[NONCE_BYTES..]).into());
        bytes.extend_from_slice(&sealed.map_err(|_| failed())?);
        let mut line = encoded(&bytes);
        let mut line = String::from_utf8(std::mem::take(&mut *line)).map_err(|_| failed())?;
        line.push('\n');
        Ok(line)
    }

    /// What a line holds; nothing when it was not sealed with this key, or is not as it was then.
    pub(super) fn open(&self, line: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = decoded(line.as_bytes())?;
        let (nonce, rest) = sealed.expose().split_first_chunk::<NONCE_BYTES>()?;
        let (content, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut content = Zeroizing::new(content.to_vec());
        let opened =
            self.0.decrypt_inout_detached(&XNonce::from(*nonce), FORM, content.as_mut_slice().into(), &Tag::from(*tag));
        opened.is_ok().then_some(content)
    }
}

/// Counts what is written.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
