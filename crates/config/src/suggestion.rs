//! "Did you mean": the known word that is nearest to what was written.

/// The nearest of `known`, unless all are too far away to be meant.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(written);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wanted, &plain(word)), word))
        .min()
        .filter(|(distance, word)| *distance <= (wanted.len().max(word.len()) / 3).max(1))
        .map(|(_, word)| word)
}

/// What to add to a message: the nearest word, or all of them when there are few.
pub(crate) fn hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(word) = nearest(written, known.clone()) {
        return format!("; did you mean `{word}`?");
    }
    let mut words: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    words.sort();
    if words.is_empty() { String::new() } else { format!("; write one of {}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let known = ["ttl", "max_entries", "max_stale", "aws-secrets-manager"];
        for (written, expected) in [
            ("tll", Some("ttl")),
            ("maxentries", Some("max_entries")),
            ("max-stale", Some("max_stale")),
            ("aws_secretsmanager", Some("aws-secrets-manager")),
            ("kubernetes", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }
}
