//! Fields as `name=value&…`: [`append_fields`] for a query, [`form`] for `application/x-www-form-urlencoded` in a buffer
//! that is allocated once and wiped when it was sent.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// RFC 3986: what is not reserved stays as it is.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Writes fields behind a text, their values encoded, in no buffer of its own.
pub(crate) fn append_fields<'a>(text: &mut String, fields: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, UNRESERVED));
    }
}

/// A form. Its fields may hold a token: no half of it is left behind.
pub(crate) fn form(fields: &[(&str, &str)]) -> Bytes {
    let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut text = Zeroizing::new(String::with_capacity(room));
    append_fields(&mut text, fields.iter().copied());
    Bytes::from_owner(Zeroizing::new(std::mem::take(&mut *text).into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_encoded() {
        let text = form(&[("grant_type", "client_credentials"), ("scope", "https://vault.azure.net/.default a~b é")]);
        let expected = "grant_type=client_credentials&scope=https%3A%2F%2Fvault.azure.net%2F.default%20a~b%20%C3%A9";
        assert_eq!(text, expected);
    }
}
