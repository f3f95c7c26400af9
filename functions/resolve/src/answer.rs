//! An answer becomes what Lambda, and whoever stands in front of it, takes for one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::payload::Form;

/// Bytes of JSON that Lambda takes as an answer that is not streamed (its `maximum allowed payload size`).
const MAX_BYTES: usize = 6_291_556;

/// The answer is larger than Lambda takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'a str, Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<&'a str, Vec<Cow<'a, str>>>>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

/// Writes an answer in the form that belongs to the event. What is no text goes as base64.
///
/// # Errors
/// [`TooLarge`]: Lambda would not take it.
pub(crate) fn write(form: Form, response: &Response<Bytes>) -> Result<Box<RawValue>, TooLarge> {
    let mut all: BTreeMap<&str, Vec<Cow<'_, str>>> = BTreeMap::new();
    // Of a body's length those in front know better, and of one that HEAD leaves out they would think that it is missing.
    for (name, value) in response.headers().iter().filter(|(name, _)| **name != CONTENT_LENGTH) {
        all.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()));
    }
    let (headers, multi_value_headers) = match form {
        Form::RestApi => (None, Some(all)),
        // Format 2.0 has one text per header.
        Form::FunctionUrl | Form::HttpApi => {
            (Some(all.into_iter().map(|(name, values)| (name, values.join(", ").into())).collect()), None)
        }
    };
    let (body, is_base64_encoded) = match std::str::from_utf8(response.body()) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (Cow::Owned(STANDARD.encode(response.body())), true),
    };
    if body.len() > MAX_BYTES {
        return Err(TooLarge);
    }
    let status_code = response.status().as_u16();
    let answer = Answer { status_code, headers, multi_value_headers, body, is_base64_encoded };
    let text = serde_json::value::to_raw_value(&answer).map_err(|_| TooLarge)?;
    if text.get().len() > MAX_BYTES { Err(TooLarge) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(form: Form, response: &Response<Bytes>) -> serde_json::Value {
        serde_json::from_str(write(form, response).unwrap().get()).unwrap()
    }

    fn response(body: &'static [u8]) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(body));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        for (name, value) in [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("content-length", "7")] {
            response.headers_mut().append(name, http::HeaderValue::from_static(value));
        }
        response
    }

    /// Break: the arms of `form`, or the filter on `content-length`.
    #[test]
    fn each_form_has_its_own_way_to_write_headers() {
        let two = json!({
            "statusCode": 404, "headers": { "x-a": "1, 3", "x-b": "2" }, "body": "{}", "isBase64Encoded": false,
        });
        let one = json!({
            "statusCode": 404, "multiValueHeaders": { "x-a": ["1", "3"], "x-b": ["2"] }, "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(written(Form::FunctionUrl, &response(b"{}")), two);
        assert_eq!(written(Form::HttpApi, &response(b"{}")), two);
        assert_eq!(written(Form::RestApi, &response(b"{}")), one);
    }

    /// Break: `from_utf8_lossy` instead of the `match`.
    #[test]
    fn what_is_no_text_goes_as_base64_and_every_text_as_itself() {
        let answer = written(Form::FunctionUrl, &response(b"\xff\x00\x01"));
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("/wAB"), &json!(true)));
        let answer = written(Form::FunctionUrl, &response("λ\"\n\u{0}".as_bytes()));
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("λ\"\n\u{0}"), &json!(false)));
    }

    /// Break: look at the body's length alone.
    #[test]
    fn the_whole_answer_is_measured_and_not_its_body() {
        let frame = write(Form::FunctionUrl, &Response::new(Bytes::new())).unwrap().get().len();
        let of = |byte: u8, count: usize| write(Form::FunctionUrl, &Response::new(Bytes::from(vec![byte; count])));
        assert_eq!(of(b'a', MAX_BYTES - frame).unwrap().get().len(), MAX_BYTES);
        assert_eq!(of(b'a', MAX_BYTES - frame + 1).err(), Some(TooLarge));
        // A quote is written as two bytes.
        assert_eq!(of(b'"', (MAX_BYTES - frame) / 2 + 1).err(), Some(TooLarge));
        assert_eq!(of(0xff, MAX_BYTES / 4 * 3).err(), Some(TooLarge));
    }
}
