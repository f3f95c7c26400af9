use std::cell::Cell;
use std::collections::BTreeMap;

use lockstep_core::{FileContent, FileStamp, UnixMillis};
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "hunter2-hunter2-hunter2-hunter2";

/// A host with these variables and files, and random bytes that count up.
#[derive(Default)]
struct Host {
    variables: BTreeMap<&'static str, String>,
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Env for Host {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

impl Files for Host {
    fn read(&self, path: &Path, limit: usize) -> Result<FileContent> {
        let bytes = path.to_str().and_then(|path| self.files.get(path));
        let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such file"))?;
        if bytes.len() > limit {
            return Err(Error::new(ErrorKind::TooLarge, "the file is too large"));
        }
        Ok(FileContent { bytes: Zeroizing::new(bytes.clone()), stamp: self.stamp(path)? })
    }

    fn stamp(&self, _: &Path) -> Result<FileStamp> {
        Ok(FileStamp { modified: UnixMillis(0), len: 0, identity: (0, 0), mode: 0o600, own: true })
    }

    fn append(&self, _: &Path, _: &[u8]) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "nothing is written here"))
    }
}

struct Counting;

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        thread_local!(static NEXT: Cell<u8> = const { Cell::new(0) });
        for byte in bytes {
            *byte = NEXT.replace(NEXT.get().wrapping_add(1));
        }
    }
}

fn load(variables: &[(&'static str, &str)], files: &[(&'static str, &[u8])]) -> Result<LocalToken> {
    let host = Host {
        variables: variables.iter().map(|&(name, value)| (name, value.to_owned())).collect(),
        files: files.iter().map(|&(path, bytes)| (path, bytes.to_vec())).collect(),
    };
    let mut origins: Vec<_> = TOKEN_VARIABLES.map(variable).into();
    origins.push(TokenOrigin::Made);
    LocalToken::load(&origins, &host, &host, &Counting)
}

fn variable(name: &str) -> TokenOrigin {
    TokenOrigin::Variable(name.to_owned())
}

#[test]
fn the_first_variable_that_is_set_counts_and_an_empty_one_is_unset() {
    for (variables, token, source) in [
        (&[("AWS_TOKEN", "a"), ("AWS_SESSION_TOKEN", "b")][..], "a", "AWS_TOKEN"),
        (&[("AWS_TOKEN", ""), ("AWS_SESSION_TOKEN", "b")], "b", "AWS_SESSION_TOKEN"),
        (&[("AWS_SESSION_TOKEN", "b"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "c")], "b", "AWS_SESSION_TOKEN"),
        (&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "c")], "c", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    ] {
        let loaded = load(variables, &[]).unwrap();
        assert_eq!(*loaded.origin(), variable(source));
        for other in ["a", "b", "c"] {
            assert_eq!(loaded.verify(other.as_bytes()), other == token, "{variables:?} {other}");
        }
        assert!(loaded.reveal().is_none(), "a token that was read is not printed");
    }
}

#[test]
fn a_file_is_read_once_and_its_newline_is_no_part_of_the_token() {
    for (content, token) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc"), ("a b\n", "a b")] {
        let loaded = load(&[("AWS_TOKEN", "file:///run/token")], &[("/run/token", content.as_bytes())]).unwrap();
        assert!(loaded.verify(token.as_bytes()), "{content:?}");
        assert!(!loaded.verify(b"file:///run/token"));
        assert_eq!(*loaded.origin(), variable("AWS_TOKEN"));
    }
    let longest = vec![b'a'; MAX_TOKEN_BYTES];
    let with_newline = [&longest[..], b"\r\n"].concat();
    assert!(load(&[("AWS_TOKEN", "file://t")], &[("t", &with_newline)]).unwrap().verify(&longest));
}

#[test]
fn a_variable_that_is_set_and_wrong_is_an_error_and_never_another_token() {
    let long = "a".repeat(MAX_TOKEN_BYTES + 1);
    for (value, files, says) in [
        ("file://", &[][..], "names no file"),
        ("file:///missing", &[], "can't be read"),
        ("file:///t", &[("/t", &b""[..])], "is empty"),
        ("file:///t", &[("/t", b"\n")], "is empty"),
        ("file:///t", &[("/t", b"hunter2\nhunter2\n")], "printable ASCII"),
        ("file:///t", &[("/t", b"hunter2\n\n")], "printable ASCII"),
        ("file:///t", &[("/t", b"hunter2\xff")], "printable ASCII"),
        ("file:///t", &[("/t", long.as_bytes())], "longer than"),
        (" hunter2", &[], "printable ASCII"),
        ("hunter2\t", &[], "printable ASCII"),
        ("hünter2", &[], "printable ASCII"),
        (&long, &[], "longer than"),
    ] {
        let error = load(&[("AWS_TOKEN", value), ("AWS_SESSION_TOKEN", "b")], files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says) && error.to_string().contains("AWS_TOKEN"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}

/// Break: go on to the next origin when a file is missing, or make a token where none was asked to be made.
#[test]
fn l1_only_the_origins_that_are_named_count_in_their_order() {
    let host = Host {
        variables: [("MINE", TOKEN.to_owned()), ("AWS_TOKEN", "other".to_owned())].into(),
        files: [("t", b"from-file\n".to_vec())].into(),
    };
    let load = |origins: &[TokenOrigin]| LocalToken::load(origins, &host, &host, &Counting);
    let (file, gone) = (TokenOrigin::File("t".into()), TokenOrigin::File("gone".into()));
    let mine = load(&[variable("UNSET"), variable("MINE"), variable("AWS_TOKEN")]).unwrap();
    assert!(mine.verify(TOKEN.as_bytes()) && *mine.origin() == variable("MINE"));
    let read = load(&[file.clone(), variable("MINE")]).unwrap();
    assert!(read.verify(b"from-file") && *read.origin() == file);
    for (origins, says) in [
        (&[gone, TokenOrigin::Made][..], "the file gone"),
        (&[variable("UNSET")], "the variable UNSET"),
        (&[], "no local token"),
    ] {
        let error = load(origins).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn with_no_variable_a_token_is_made_and_shown_once() {
    let (first, second) = (load(&[], &[]).unwrap(), load(&[("AWS_TOKEN", "")], &[]).unwrap());
    assert_eq!(*first.origin(), TokenOrigin::Made);
    let text = first.reveal().unwrap();
    assert_eq!(text.len(), 64);
    assert!(text.expose().iter().all(u8::is_ascii_hexdigit));
    assert!(first.reveal().is_none());
    assert!(first.verify(text.expose()) && !second.verify(text.expose()), "each is its own");
}

/// Break: compare anything but digests of the whole in `verify`.
#[test]
fn l2_prefixes_and_other_lengths_are_refused() {
    let token = load(&[("AWS_TOKEN", TOKEN)], &[]).unwrap();
    assert!(token.verify(TOKEN.as_bytes()));
    for length in 0..TOKEN.len() {
        assert!(!token.verify(&TOKEN.as_bytes()[..length]), "prefix of {length}");
        assert!(!token.verify(&TOKEN.as_bytes()[TOKEN.len() - length..]), "suffix of {length}");
    }
    for longer in
        [format!("{TOKEN}x"), format!(" {TOKEN}"), format!("{TOKEN}\n"), format!("{TOKEN}\0"), TOKEN.repeat(2)]
    {
        assert!(!token.verify(longer.as_bytes()), "{longer:?}");
    }
    assert!(!token.verify(TOKEN.to_uppercase().as_bytes()));
    assert!(!token.verify(&vec![b'a'; MAX_TOKEN_BYTES + 1]));
}

/// What is compared has one length, whatever was presented, and `ct_eq` compares it. Break: store the token instead of
/// its digest.
#[test]
fn l2_what_is_compared_is_a_digest_of_fixed_length() {
    let token = load(&[("AWS_TOKEN", TOKEN)], &[]).unwrap();
    assert_eq!(token.digest, digest(TOKEN.as_bytes()));
    assert!(token.verify(TOKEN.as_bytes()) && !token.verify(&token.digest), "the digest itself is no token");
}

/// Break: leave out the check for an empty token in `verify` and in `of`.
#[test]
fn l2_an_empty_token_never_verifies() {
    assert!(!load(&[], &[]).unwrap().verify(b""));
    assert!(!load(&[("AWS_TOKEN", TOKEN)], &[]).unwrap().verify(b""));
    let of_nothing =
        LocalToken { digest: digest(b""), origin: TokenOrigin::Made, holder: holder(), made: Mutex::new(None) };
    assert!(!of_nothing.verify(b""));
}

/// Break: derive `Debug` for `LocalToken`.
#[test]
fn m1_debug_shows_neither_token_nor_digest() {
    let token = load(&[("AWS_TOKEN", TOKEN)], &[]).unwrap();
    assert_eq!(format!("{token:?}"), r#"LocalToken { origin: Variable("AWS_TOKEN"), .. }"#);
}

proptest! {
    /// Break: return anything but the comparison from `verify`.
    #[test]
    fn l2_only_the_token_itself_verifies(token in "[!-~]([ -~]{0,40}[!-~])?", other in proptest::collection::vec(any::<u8>(), 0..48), flip in any::<prop::sample::Index>()) {
        let loaded = LocalToken::of(token.as_bytes(), "a test", &TokenOrigin::Made).unwrap();
        prop_assert!(loaded.verify(token.as_bytes()));
        prop_assert_eq!(loaded.verify(&other), other == token.as_bytes());
        let mut flipped = token.into_bytes();
        let at = flip.index(flipped.len());
        flipped[at] ^= 1;
        prop_assert!(!loaded.verify(&flipped));
    }
}
