//! Digests as text: 64 hex digits.

/// The digest that this text is, in letters of either case.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
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

/// A digest as text, in small letters.
pub(crate) fn text(digest: &[u8; 32]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|digit| char::from(HEX[usize::from(digit)])).collect()
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
