//! Bytes as hexadecimal digits.

use std::fmt::Write as _;

/// The digest of 32 bytes that this text is, in letters of either case.
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Bytes as text, in small letters.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hex_digits_and_nothing_else() {
        let all: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8 + 3).unwrap());
        assert_eq!(digest(&text(&all)), Some(all));
        assert_eq!(digest(&text(&all).to_uppercase()), Some(all));
        for bad in
            [&text(&all)[1..], &format!("{}0", text(&all)), &format!("+{}", &text(&all)[1..]), "", &"é".repeat(32)]
        {
            assert_eq!(digest(bad), None, "{bad}");
        }
    }
}
