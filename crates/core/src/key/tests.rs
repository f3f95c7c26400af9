use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn key(text: &str) -> KeyPath {
    KeyPath::parse(text).unwrap()
}

/// What a key reads, as text and encoding, or the kind of the error.
fn read(payload: &Payload, path: &str) -> Result<(String, Encoding), ErrorKind> {
    payload
        .select(&key(path))
        .map(|field| (field.value.expose_text().unwrap().to_owned(), field.encoding))
        .map_err(|error| error.kind())
}

fn fields(of: &[(&str, &str, Encoding)]) -> Payload {
    let field = |value: &str, encoding| Field { value: SecretValue::from(value), encoding };
    Payload::Fields(of.iter().map(|&(name, value, encoding)| (name.into(), field(value, encoding))).collect())
}

const DOCUMENT: &str = r#" {
    "user": "app", "": "empty", "a/b": 1, "m~n": 2, "~1": 3, "gone": null, "on": true,
    "big": 12345678901234567890.1234567890e+5, "neg": -0.0,
    "object": { "x" : [1, 2] , "n": null }, "list": ["zero", {"k": "v"}, null],
    "escaped\u0041": "\"\\\/\b\f\n\r\t\u00e9\ud83d\udd11x"
} "#;

#[test]
fn a_key_reads_a_member_as_it_is_written() {
    use Encoding::{Json, Text};
    let payload = Payload::text(DOCUMENT);
    for (path, text, encoding) in [
        ("user", "app", Text),
        ("/user", "app", Text),
        ("/", "empty", Text),
        ("a/b", "1", Json),
        ("/a~1b", "1", Json),
        ("/m~0n", "2", Json),
        ("/~01", "3", Json),
        ("on", "true", Json),
        ("big", "12345678901234567890.1234567890e+5", Json),
        ("neg", "-0.0", Json),
        ("object", r#"{ "x" : [1, 2] , "n": null }"#, Json),
        ("/object/x", "[1, 2]", Json),
        ("/object/x/1", "2", Json),
        ("/list/0", "zero", Text),
        ("/list/1/k", "v", Text),
        ("escapedA", "\"\\/\u{8}\u{c}\n\r\té🔑x", Text),
    ] {
        assert_eq!(read(&payload, path), Ok((text.to_owned(), encoding)), "{path}");
    }
}

#[test]
fn what_is_not_there_or_null_is_an_answer() {
    let payload = Payload::text(DOCUMENT);
    for path in [
        "User",
        "gone",
        "/gone",
        "/object/n",
        "/list/2",
        "/list/3",
        "/list/-",
        "/list/00",
        "/list/01",
        "/list/+1",
        "/list/99999999999999999999",
        "/list/",
        "/user/x",
        "/on/x",
        "/object/x/1/2",
        "object/x",
    ] {
        assert_eq!(read(&payload, path), Err(ErrorKind::VersionNotFound), "{path}");
    }
}

#[test]
fn a_key_of_what_is_no_json_object_is_unsupported() {
    for text in ["hunter2", "", "123", "\"a\"", "null", "{", "{\"a\":1} x", "{\"a\":1,}", "{'a':1}"] {
        assert_eq!(read(&Payload::text(text), "a"), Err(ErrorKind::Unsupported), "{text}");
        assert_eq!(read(&Payload::text(text), "/a"), Err(ErrorKind::Unsupported), "{text}");
    }
    assert_eq!(read(&Payload::text("[1]"), "0"), Err(ErrorKind::Unsupported));
    assert_eq!(read(&Payload::text("[1]"), "/0"), Ok(("1".to_owned(), Encoding::Json)));
    assert_eq!(read(&Payload::binary(&b"\xff\xfe"[..]), "a"), Err(ErrorKind::Unsupported));
    assert_eq!(read(&Payload::binary(&br#"{"a":"b"}"#[..]), "a"), Ok(("b".to_owned(), Encoding::Text)));
    assert_eq!(read(&Payload::text(r#"{"a":"\ud800"}"#), "a"), Err(ErrorKind::Unsupported));
    assert_eq!(read(&Payload::text(r#"{"a":"\ud800\u0041"}"#), "a"), Err(ErrorKind::Unsupported));
    assert_eq!(read(&Payload::text(r#"{"a":"\udc00\ud800"}"#), "a"), Err(ErrorKind::Unsupported));
}

#[test]
fn an_object_with_a_name_twice_is_malformed_even_when_another_key_is_read() {
    for text in [r#"{"a":1,"a":2}"#, r#"{"b":0,"a":1,"\u0061":2}"#] {
        assert_eq!(read(&Payload::text(text), "a"), Err(ErrorKind::Malformed), "{text}");
        assert_eq!(read(&Payload::text(text), "b"), Err(ErrorKind::Malformed), "{text}");
    }
    assert_eq!(read(&Payload::text(r#"{"o":{"a":1,"a":2}}"#), "/o/a"), Err(ErrorKind::Malformed));
}

#[test]
fn fields_are_read_by_name_and_a_pointer_goes_on_into_one() {
    use Encoding::{Binary, Json, Text};
    let payload = fields(&[
        ("user", "app", Text),
        ("json", r#"{"deep":{"er":"x"}}"#, Text),
        ("list", "[10, 20]", Json),
        ("null", "null", Json),
        ("word", "null", Text),
        ("bytes", "\u{1}", Binary),
        ("/odd", "slash", Text),
    ]);
    for (path, answer) in [
        ("user", Ok(("app", Text))),
        ("/user", Ok(("app", Text))),
        ("/json/deep/er", Ok(("x", Text))),
        ("json", Ok((r#"{"deep":{"er":"x"}}"#, Text))),
        ("/list/1", Ok(("20", Json))),
        ("word", Ok(("null", Text))),
        ("bytes", Ok(("\u{1}", Binary))),
        ("/~1odd", Ok(("slash", Text))),
        ("null", Err(ErrorKind::VersionNotFound)),
        ("missing", Err(ErrorKind::VersionNotFound)),
        ("/json/missing", Err(ErrorKind::VersionNotFound)),
        ("/user/x", Err(ErrorKind::Unsupported)),
    ] {
        assert_eq!(read(&payload, path), answer.map(|(text, encoding)| (text.to_owned(), encoding)), "{path}");
    }
}

#[test]
fn a_bad_key_says_what_to_write() {
    for (text, error) in [
        ("", KeyPathError::Empty),
        ("a\nb", KeyPathError::Control),
        ("a\u{202e}", KeyPathError::Control),
        ("/a~", KeyPathError::Tilde),
        ("/a~2", KeyPathError::Tilde),
        ("/~~0", KeyPathError::Tilde),
    ] {
        assert_eq!(KeyPath::parse(text), Err(error), "{text:?}");
    }
    assert!(KeyPath::parse("a~2").is_ok(), "a plain key has no escapes");
    assert!(KeyPath::parse(&"/a".repeat(MAX_KEY_DEPTH)).is_ok());
    assert_eq!(KeyPath::parse(&"/a".repeat(MAX_KEY_DEPTH + 1)), Err(KeyPathError::TooDeep));
    assert!(KeyPath::parse(&"a".repeat(MAX_KEY_BYTES)).is_ok());
    assert_eq!(KeyPath::parse(&"a".repeat(MAX_KEY_BYTES + 1)), Err(KeyPathError::TooLong));
}

/// Break: keep serde_json's error as the cause, or quote the value in a message.
#[test]
fn m1_no_error_quotes_the_value() {
    for text in
        ["hunter2", "\"hunter2\"", "{\"hunter2\"", r#"{"a":"hunter2\ud800"}"#, r#"{"a":{"hunter2":1,"hunter2":2}}"#]
    {
        for path in ["a", "/a/b", "/a/0"] {
            if let Err(error) = Payload::text(text).select(&key(path)) {
                let output =
                    format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string));
                assert!(!output.contains("hunter"), "{output}");
            }
        }
    }
}

/// Break: `crowded = true` in `Members`; or `>` before it as `>=`.
#[test]
fn o3_an_object_of_too_many_members_is_refused_and_a_long_list_is_not() {
    let object = |members| {
        let members: Vec<_> = (0..members).map(|n| format!("\"{n}\":1")).collect();
        Payload::text(format!("{{\"a\":{{{}}}}}", members.join(",")))
    };
    assert_eq!(read(&object(MAX_MEMBERS), "/a/7"), Ok(("1".to_owned(), Encoding::Json)));
    assert_eq!(read(&object(MAX_MEMBERS + 1), "/a/7"), Err(ErrorKind::TooLarge));
    let list = Payload::text(format!("[{}7]", "0,".repeat(2 * MAX_MEMBERS)));
    assert_eq!(read(&list, &format!("/{}", 2 * MAX_MEMBERS)), Ok(("7".to_owned(), Encoding::Json)));
    assert_eq!(read(&list, &format!("/{}", 2 * MAX_MEMBERS + 1)), Err(ErrorKind::VersionNotFound));
}

#[test]
fn deep_nesting_costs_no_stack() {
    let text = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(&Payload::text(text), "/a/0/0/1"), Err(ErrorKind::VersionNotFound));
}

#[test]
fn fields_become_one_json_object() {
    use Encoding::{Binary, Json, Text};
    let field = fields(&[("n", "1.50", Json), ("a\"b", "x\\\n\u{1}\u{1f}\u{7f}é", Text), ("empty", "", Text)])
        .to_field()
        .unwrap();
    assert_eq!(
        field.value.expose_text(),
        Some("{\"a\\\"b\":\"x\\\\\\n\\u0001\\u001f\u{7f}é\",\"empty\":\"\",\"n\":1.50}")
    );
    assert_eq!(field.encoding, Json);
    assert_eq!(fields(&[]).to_field().unwrap().value.expose(), b"{}");
    assert_eq!(fields(&[("b", "x", Binary)]).to_field().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(Payload::text("whole").to_field().unwrap(), Field { value: "whole".into(), encoding: Text });
}

proptest! {
    #[test]
    fn what_is_put_in_fields_is_read_back_from_their_json(members in proptest::collection::btree_map("\\PC{1,8}", ".{0,16}", 0..6)) {
        let list: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str(), Encoding::Text)).collect();
        let object = fields(&list).to_field().unwrap();
        let parsed: BTreeMap<String, String> = serde_json::from_slice(object.value.expose()).unwrap();
        prop_assert_eq!(&parsed, &members);
        let whole = Payload::Whole(object);
        for (name, value) in &members {
            let mut pointer = String::from("/");
            write!(pointer, "{}", name.replace('~', "~0").replace('/', "~1")).unwrap();
            if let Ok(key) = KeyPath::parse(&pointer) {
                let field = whole.select(&key).unwrap();
                prop_assert_eq!(field.value.expose(), value.as_bytes());
            }
        }
    }

    #[test]
    fn strings_are_unescaped_as_serde_json_does(text in "\\PC{0,16}|[\\x00-\\x7f]{0,16}") {
        let json = serde_json::json!({ "a": text }).to_string();
        let field = Payload::text(json).select(&key("a")).unwrap();
        prop_assert_eq!(field.value.expose(), text.as_bytes());
    }

    #[test]
    fn no_text_panics(text in "[{}\\[\\]\",:\\\\aunl10 ]{0,24}|\\PC{0,24}", path in "[a/~01]{1,6}") {
        if let Ok(key) = KeyPath::parse(&path) {
            let _ = Payload::text(text).select(&key);
        }
    }
}
