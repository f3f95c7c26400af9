//! The search for a secret in everything that was said, in each form that it may have taken on the way.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use lockstep_stories::Response;

/// The forms of a secret that are looked for.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let url: String = bytes
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let json = serde_json::to_string(secret).unwrap();
    let json = json.trim_matches('"');
    let debug = format!("{secret:?}");
    let ascii: String =
        json.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    let half = (bytes.len() / 2..bytes.len()).find(|at| secret.is_char_boundary(*at)).unwrap();
    let (first, second) = secret.split_at(half);
    let mut forms: Vec<Vec<u8>> = [
        secret,
        first,
        second,
        &url,
        json,
        debug.trim_matches('"'),
        &ascii,
        &url.to_lowercase(),
        &hex,
        &hex.to_uppercase(),
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    // A list of numbers is what a derived `Debug` makes of bytes.
    forms.push(bytes[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(", ").into_bytes());
    for shift in 0..3 {
        // The bytes that stand before shift the groups; what they and the end share with others is cut off.
        let shifted = [&b"xx"[..shift], bytes].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            forms.push(text.as_bytes()[(shift * 8).div_ceil(6)..text.len() - 2].to_vec());
        }
    }
    forms
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Everything that was said, by place, and the search through it.
#[derive(Default)]
pub(crate) struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    pub(crate) fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// The head alone, or the whole.
    pub(crate) fn answer(&mut self, place: &str, response: &Response, whole: bool) {
        let headers: Vec<_> = response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.add(format!("{place}, head"), headers.join("\n"));
        if whole {
            self.add(format!("{place}, body"), response.body.clone());
        }
    }

    pub(crate) fn holds_none_of(&self, secrets: &[&str]) {
        let texts = self.texts();
        for (at, secret) in secrets.iter().enumerate() {
            for form in forms(secret) {
                let form = latin1(&form);
                for (place, text) in &texts {
                    assert!(!text.contains(&form), "secret {at} stands in {place}: {text}");
                }
            }
        }
    }

    /// None of these is said as it is.
    pub(crate) fn holds_nowhere(&self, secrets: &BTreeSet<String>) {
        for (place, text) in &self.texts() {
            for secret in secrets {
                assert!(!text.contains(secret), "{secret} stands in {place}: {text}");
            }
        }
    }

    /// Everything as text, a character for each byte: the search of texts is fast.
    fn texts(&self) -> Vec<(&str, String)> {
        self.0.iter().map(|(place, bytes)| (place.as_str(), latin1(bytes))).collect()
    }
}

const SAMPLE: &str = "cAnary/7+\"\\<&é%>~one_half=other_half~k4Zq9wXv";
const KEY: &str = "wJalrCanaryKeyK7MDENGbPxRfiCYzz";

/// Break: return no form in `forms`.
#[test]
fn the_search_finds_every_form_of_a_secret() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use serde_json::json;
    let bytes = SAMPLE.as_bytes();
    for (place, text) in [
        ("raw", SAMPLE.to_owned()),
        ("first half", SAMPLE[..SAMPLE.len() / 2 + 2].to_owned()),
        ("second half", SAMPLE[SAMPLE.len() / 2 - 2..].to_owned()),
        ("json", json!({ "a": SAMPLE }).to_string()),
        ("json in json", json!({ "a": json!({ "a": KEY }).to_string() }).to_string()),
        ("debug", format!("{SAMPLE:?}")),
        ("debug of bytes", format!("{bytes:?}")),
        ("hex", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()),
        ("url", "token=cAnary%2F7%2B%22%5C%3C%26%C3%A9%25%3E%7Eone%5Fhalf%3Dother%5Fhalf%7Ek4Zq9wXv&x".to_owned()),
        ("base64", STANDARD.encode(SAMPLE)),
        ("base64 after one", STANDARD.encode(format!("u{SAMPLE}tail"))),
        ("base64 after two", URL_SAFE.encode(format!("ab{SAMPLE}"))),
        ("base64 of basic auth", STANDARD.encode(format!("user:{KEY}"))),
    ] {
        let mut said = Said::default();
        said.add(place, text);
        let found = std::panic::catch_unwind(|| said.holds_none_of(&[SAMPLE, KEY])).is_err();
        assert!(found, "{place}");
    }
}
