//! Pages of a list that is whole in memory. The token is the number of items already answered.

use lockstep_core::{Page, Paged, Result};

/// The part of the items that the page asks for, at most `limit` unless it says less.
///
/// # Errors
/// `InvalidReference` when the token is not one of ours.
pub(crate) fn page_of<T>(items: impl Iterator<Item = T>, page: &Page, limit: u16) -> Result<Paged<T>> {
    let start = match page.token.as_deref() {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| Page::bad_token())?,
    };
    let limit = usize::from(page.limit.unwrap_or(limit).clamp(1, limit));
    let mut rest = items.skip(start);
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().is_some().then(|| (start + items.len()).to_string());
    Ok(Paged { items, next })
}

#[cfg(test)]
mod tests {
    use lockstep_core::ErrorKind;

    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let page = |token: Option<&str>| Page { token: token.map(str::to_owned), limit: Some(2) };
        assert_eq!(page_of(0..5, &page(None), 100).unwrap(), Paged { items: vec![0, 1], next: Some("2".into()) });
        assert_eq!(page_of(0..5, &page(Some("4")), 100).unwrap(), Paged { items: vec![4], next: None });
        assert_eq!(page_of(0..4, &page(Some("2")), 100).unwrap(), Paged { items: vec![2, 3], next: None });
        assert_eq!(page_of(0..4, &page(Some("x")), 100).unwrap_err().kind(), ErrorKind::InvalidReference);
    }
}
