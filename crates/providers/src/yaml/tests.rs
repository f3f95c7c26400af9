use proptest::prelude::*;

use super::*;

const MEMBERS: usize = 100_000;

/// The tree as text: `"a"` is text, `5` verbatim, `-` nothing that a secret can be.
fn shown(node: &Node) -> String {
    let text = |value: &lockstep_core::SecretValue| value.expose_text().unwrap().to_owned();
    match node {
        Node::Text(value) => format!("{:?}", text(value)),
        Node::Verbatim(value) => text(value),
        // No secret is a list.
        Node::Other | Node::List(_) => "-".to_owned(),
        Node::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|entry| format!("{}: {}", entry.key, shown(&entry.node))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn read(text: &str) -> String {
    match parse(text, MEMBERS) {
        Ok(node) => shown(&node),
        Err(fault) => fault.to_string(),
    }
}

/// Break: take `core_kind` for scalars in quotes too.
#[test]
fn a_scalar_is_what_the_core_schema_says() {
    for verbatim in [
        "0",
        "-17",
        "+5",
        "0123",
        "0x1F",
        "0o17",
        "1.5",
        "1.",
        ".5",
        "-.5",
        "1e3",
        "1E-3",
        "6.02e+23",
        "true",
        "True",
        "FALSE",
        ".inf",
        "-.Inf",
        "+.INF",
        ".nan",
        ".NaN",
        "99999999999999999999999999999999999999999999",
    ] {
        assert_eq!(read(&format!("a: {verbatim} # spelled")), format!("{{a: {verbatim}}}"));
        assert_eq!(read(&format!("a: '{verbatim}'")), format!("{{a: {verbatim:?}}}"));
        assert_eq!(read(&format!("a: !!str {verbatim}")), format!("{{a: {verbatim:?}}}"));
        assert_eq!(read(&format!("a: ! {verbatim}")), format!("{{a: {verbatim:?}}}"));
    }
    for text in [
        "yes",
        "no",
        "on",
        "Off",
        "y",
        "tRUE",
        "1_000",
        "0b1",
        "0x",
        "0o8",
        "0o",
        ".",
        "-",
        "+",
        "e5",
        ".e5",
        "1e",
        "1e+",
        "1.2.3",
        "1-2",
        "--1",
        "+-1",
        "2026-01-01",
        "nULL",
        ".Nan",
        "-.nan",
        "inf",
        "12:30",
        "5432x",
        "١",
    ] {
        assert_eq!(read(&format!("a: {text:?}")), format!("{{a: {text:?}}}"));
        if text != "-" {
            assert_eq!(read(&format!("a: {text}")), format!("{{a: {text:?}}}"));
        }
    }
    for null in ["", "~", "null", "Null", "NULL", "!!null x", "[1, {b: [2]}, 3]", "[]"] {
        assert_eq!(read(&format!("a: {null}\nb: c")), r#"{a: -, b: "c"}"#, "{null}");
    }
}

#[test]
fn tags_of_another_kind_are_refused_and_unknown_ones_say_nothing() {
    assert_eq!(read("a: !!int '5'\nb: !!bool true\nc: !!float 1"), "{a: 5, b: true, c: 1}");
    assert_eq!(read("a: !mine 5\nb: !mine text"), r#"{a: 5, b: "text"}"#);
    for wrong in ["!!int c4n4ry", "!!bool 'yes'", "!!float c4n4ry"] {
        assert!(read(&format!("a: {wrong}")).contains("not what its tag says"), "{wrong}");
    }
    assert!(read("a: !!binary aGk=").contains("{ binary: … }"));
}

/// Break: the extension by `merged` in `map`, or its filter.
#[test]
fn aliases_and_merge_keys_stand_for_what_they_name() {
    assert_eq!(read("a: &x one\nb: *x\n"), r#"{a: "one", b: "one"}"#);
    assert_eq!(read("a: &x one\nb: &x two\nc: *x\n"), r#"{a: "one", b: "two", c: "two"}"#);
    assert_eq!(read("a: &m {b: &n 1}\nc: *m\nd: *n\n"), "{a: {b: 1}, c: {b: 1}, d: 1}");
    assert_eq!(read("a: &k one\n*k : two\n"), r#"{a: "one", one: "two"}"#);
    assert_eq!(
        read("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {y: 3, <<: *a}\n"),
        "{a: {x: 1, y: 2}, b: {y: 3, x: 1}, c: {y: 3, x: 1}}"
    );
    assert_eq!(
        read("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}\n"),
        "{a: {x: 1}, b: {x: 2, z: 3}, c: {x: 1, z: 3}}"
    );
    assert_eq!(read("a: {'<<': 1}"), "{a: {<<: 1}}", "in quotes it is a key like others");
    for wrong in ["a: {<<: 1}", "a: {<<: [1]}", "a: {<<: [[{b: 1}]]}", "a: {<<: }"] {
        assert!(read(wrong).contains("`<<` takes a map"), "{wrong}");
    }
    for wrong in ["a: &x [*x]", "a: &x {b: *x}", "a: *x"] {
        assert!(read(wrong).starts_with("line 1, column "), "{wrong}");
    }
}

#[test]
fn places_are_those_of_keys_and_a_doubled_key_is_kept_for_who_tells_it() {
    let Ok(Node::Map(entries)) = parse("# é\n\"ü\": 1\nb:\n  c: 2\nb: &x 3\n*x : 4\n", MEMBERS) else {
        panic!("a map")
    };
    let places: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.place.map(|place| (place.line, place.column)).unwrap()))
        .collect();
    assert_eq!(places, [("ü", (2, 1)), ("b", (3, 1)), ("b", (5, 1)), ("3", (6, 1))]);
}

#[test]
fn what_is_no_map_of_names_is_refused() {
    for (text, expected) in [
        ("# nothing", "-"),
        ("- a", "-"),
        (
            "a: 1\n---\nb: 2",
            "line 2, column 1: a second document is not valid YAML here; remove the `---` between the two",
        ),
        ("a: 1\n...\n", "{a: 1}"),
        ("---\na: 1\n", "{a: 1}"),
        ("\u{feff}a: 1\n", "{a: 1}"),
        ("? [a]\n: 1\n", "line 1, column 3: a key is text; write `name: value`"),
        ("? {a: 1}\n: 1\n", "line 1, column 3: a key is text; write `name: value`"),
        ("~: 1\n", "line 1, column 1: a key is text; write `name: value`"),
        ("a: [1\n", "line 1, column 4: this is not valid YAML; write `name: value`, one name per line"),
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

/// Break: any of the bounds.
#[test]
fn what_would_grow_is_refused_where_it_would() {
    let nested = |depth: usize| "{a: ".repeat(depth) + "1" + &"}".repeat(depth);
    assert_eq!(read(&nested(DEPTH)), nested(DEPTH));
    let aliases = |count: usize| "a: &x 1\n".to_owned() + &"b: *x\n".repeat(count);
    assert!(parse(&aliases(MAX_ALIASES), MEMBERS).is_ok());
    let names = |count: usize| "a: 1\n".repeat(count);
    assert!(parse(&names(MEMBERS), MEMBERS).is_ok());

    // Twelve levels, each four times the one before.
    let level = |level: usize| {
        let below = format!("*a{}", level.saturating_sub(1));
        let below = if level == 0 { "lol" } else { below.as_str() };
        format!("a{level}: &a{level} {{x: {below}, y: {below}, z: {below}, w: {below}}}\n")
    };
    let laughs: String = (0..12).map(level).collect();
    let lists = laughs.replace('{', "[").replace('}', "]").replace("x: ", "").replace("y: ", "");
    let lists = lists.replace("z: ", "").replace("w: ", "");
    let long = format!("a: &x {}\n{}", "v".repeat(MAX_TEXT / 500), "b: *x\n".repeat(500));
    let deep = format!("a: &x {}\nb: {}", nested(DEPTH - 1), "{a: {a: *x}}");
    for (text, what) in [
        (nested(DEPTH + 1), TOO_DEEP),
        (deep, TOO_DEEP),
        (aliases(MAX_ALIASES + 1), TOO_LARGE),
        (names(MEMBERS + 1), TOO_MANY),
        (laughs, TOO_MANY),
        (lists, TOO_MANY),
        (long, TOO_LARGE),
        ("[".repeat(100_000), INVALID),
        ("{a: ".repeat(100_000), INVALID),
        ("- ".repeat(100_000), TOO_DEEP),
    ] {
        let fault = parse(&text, MEMBERS).err().map(|fault| fault.what);
        assert_eq!(fault, Some(what), "{}", &text[..40]);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "[a-c:{}\\[\\]\"'&*!|>#,<?%~\\- \n\t0-9]{0,80}") {
        let _ = parse(&text, MEMBERS);
    }

    #[test]
    fn a_number_of_json_is_one_and_keeps_its_spelling(number in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?") {
        prop_assert_eq!(read(&format!("a: {number}")), format!("{{a: {number}}}"));
    }
}
