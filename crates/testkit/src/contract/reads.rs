//! What is written is what is read.

use lockstep_core::Selector;

use super::{CANARY, Harness, Shape};

pub(super) async fn current(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("current", "one").await;
    let first = harness.get(&name, &Selector::Current).await;
    assert_eq!(first.payload, harness.payload("one"), "the value that was written is read");
    assert_eq!(&first.id.scope.parts().provider, &harness.provider().scope().parts().provider);
    harness.put(&name, &harness.payload("two")).await;
    let second = harness.get(&name, &Selector::Current).await;
    assert_eq!(second.payload, harness.payload("two"), "current is the newest value");
    assert_eq!(first.id, second.id, "the canonical identity stays over an update");
    if first.version.is_some() {
        assert_ne!(first.version, second.version, "an update is a new version");
    }
    let again = harness.get(&name, &Selector::Current).await;
    assert_eq!(again.version, second.version, "the version stays while nobody writes");
    ran.push("current");
}

pub(super) async fn values(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let long = format!("{CANARY} {}", "x".repeat(harness.longest() - CANARY.len() - 1));
    let texts: [(&str, &[u8]); 5] = [
        ("unicode", "c4n4ry Grüße 🔑 \u{202e}\u{0} e\u{301}".as_bytes()),
        ("escapes", b"c4n4ry \"\\\n\r\t/</script>{{secret:x}}"),
        ("number", b"0123.4500"),
        ("json", br#"{"c4n4ry": 1.50, "a": null}"#),
        ("long", long.as_bytes()),
    ];
    for shape in harness.shapes() {
        let bytes: Vec<u8> = [CANARY.as_bytes(), &(0..=255).collect::<Vec<u8>>()].concat();
        let binary: [(&str, &[u8]); 1] = [("binary", &bytes)];
        let samples = if shape == Shape::Binary { &binary[..] } else { &texts[..] };
        for (word, bytes) in samples {
            let name = harness.name(&format!("value-{shape:?}-{word}").to_lowercase());
            let payload = shape.payload(bytes);
            harness.put(&name, &payload).await;
            let read = harness.get(&name, &Selector::Current).await.payload;
            assert!(read == payload, "{shape:?} {word}: every byte comes back");
        }
    }
    ran.push("values");
}

pub(super) async fn many(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let (one, two) = (harness.put_text("many-1", "one").await, harness.put_text("many-2", "two").await);
    let missing = harness.name("many-missing");
    let wanted: Vec<_> =
        [&two, &missing, &one, &two].map(|name| (name.clone(), Selector::Current)).into_iter().collect();
    let answers = harness.provider().get_many(&harness.call(), &wanted).await;
    let texts: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(secret) if secret.payload == harness.payload("one") => "one",
            Ok(secret) if secret.payload == harness.payload("two") => "two",
            Ok(_) => "another value",
            Err(error) => error.kind().code(),
        })
        .collect();
    assert_eq!(texts, ["two", "not_found", "one", "two"], "a batch answers in order, each item on its own");
    ran.push("many");
}

pub(super) async fn spellings(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("spelling", "one").await;
    let secret = harness.get(&name, &Selector::Current).await;
    let canonical = harness.get(&secret.id.name, &Selector::Current).await;
    assert_eq!(canonical.id, secret.id, "the canonical name leads to itself");
    for spelling in harness.spellings(&secret) {
        let other = harness.get(&spelling, &Selector::Current).await;
        assert_eq!(other.id, secret.id, "{spelling} is another spelling of {name}");
        assert_eq!(other.payload, secret.payload, "{spelling} is another spelling of {name}");
    }
    ran.push("spellings");
}
