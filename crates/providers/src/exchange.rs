//! [`exchange`]: the one way from a provider to its server and back. An answer comes back wiped on drop, and within the
//! bounds of its [`Limits`], before anybody parses it: size and time are the transport's, structure is held here.

use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{Bound, Error, ErrorKind, Limits, Result, Structure, Transport};

use crate::wiped::wiped;

/// Sends a request and gives the answer back, whatever its status.
///
/// # Errors
/// The transport's, and `TooLarge` for JSON with more keys, items or levels than the limits allow.
pub(crate) async fn exchange(
    transport: &dyn Transport,
    request: Request<Bytes>,
    limits: Limits,
) -> Result<Response<Bytes>> {
    let response = transport.send(request, limits).await?.map(wiped);
    bounded(response.body(), limits.members)?;
    Ok(response)
}

/// Holds JSON to its bounds before anybody builds a tree of it.
///
/// # Errors
/// `TooLarge`, with the place.
pub(crate) fn bounded(body: &[u8], members: usize) -> Result<()> {
    // A page of a proxy or an error in XML has commas of its own, and nobody builds a tree of it.
    let is_json = body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[");
    if !is_json {
        return Ok(());
    }
    Structure { members, ..Structure::default() }.check(body).map_err(|excess| {
        let advice = match excess.bound {
            Bound::Members(_) => "raise `max_members` if that is meant",
            Bound::Depth(_) => "look at the address and what is before it",
        };
        Error::new(ErrorKind::TooLarge, format!("the answer has {excess}; {advice}"))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockstep_testkit::{FakeTransport, Reply};

    use super::*;

    async fn answered(body: String, members: usize) -> Result<usize> {
        let transport = FakeTransport::by(move |_| Reply::new(200, body.clone()));
        let limits = Limits { time: Duration::from_secs(1), response_bytes: 1 << 20, members };
        let request = Request::get("https://vault.internal/").body(Bytes::new()).unwrap();
        exchange(&*transport, request, limits).await.map(|response| response.body().len())
    }

    /// Break: leave out `bounded` in `exchange`, or either half of `is_json`.
    #[tokio::test]
    async fn o3_an_answer_of_too_many_keys_or_levels_is_refused_with_its_place() {
        for (body, place) in [
            (r#"{"c4n4ry":1,"b":2,"c":3}"#, "keys and items (line 1, column 18)"),
            (" [\n\"c4n4ry\",2,3]", "keys and items (line 2, column 11)"),
        ] {
            assert_eq!(answered(body.to_owned(), 3).await.unwrap(), body.len());
            let error = answered(body.to_owned(), 2).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            let expected = format!("the answer has more than 2 {place}; raise `max_members` if that is meant");
            assert_eq!(error.message(), expected);
        }
        let deep = |levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(answered(deep(128), 1000).await.is_ok());
        let error = answered(deep(129), 1000).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().starts_with("the answer has more than 128 levels (line 1, column 129)"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_json_has_no_members() {
        assert!(answered("<p>a,b,c,d</p>".to_owned(), 2).await.is_ok());
        assert!(answered(String::new(), 2).await.is_ok());
    }
}
