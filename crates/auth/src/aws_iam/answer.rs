//! [`identity`]: what STS answers to `GetCallerIdentity`, in XML.
//!
//! What STS writes is one short document of a known shape, so anything else is refused rather than parsed: comments,
//! entities, declarations, attributes, a name that stands twice. An answer to another action, into which its caller could
//! have written, never looks like this one.

use super::identity::Identity;

/// The identity in an answer; `None` when it is not exactly one.
pub(crate) fn identity(body: &[u8]) -> Option<Identity<'_>> {
    let text = std::str::from_utf8(body).ok()?.trim_ascii();
    let rest = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_ascii_start(),
        None => text,
    };
    if rest.contains(['&', '\0']) || rest.contains("<!") || rest.contains("<?") {
        return None;
    }
    let rest = rest.strip_prefix("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">")?;
    let inside = rest.strip_suffix("</GetCallerIdentityResponse>")?;
    let result = element(inside, "GetCallerIdentityResult")?;
    let leaf =
        |name| element(result, name).filter(|text| !text.is_empty() && !text.contains(['<', '>'])).map(str::trim);
    // The whole, not the result alone: a second one elsewhere is no answer of STS either.
    let is_once = |name: &str| inside.matches(&format!("<{name}")).count() == 1;
    ["Arn", "Account", "UserId"].iter().all(|name| is_once(name)).then_some(())?;
    Some(Identity { arn: leaf("Arn")?, account: leaf("Account")?, user_id: leaf("UserId")? })
}

/// What stands in the only element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (before, rest) = xml.split_once(&open)?;
    let (inside, after) = rest.split_once(&close)?;
    let is_only = [before, inside, after].iter().all(|part| !part.contains(&open) && !part.contains(&close));
    is_only.then_some(inside)
}
