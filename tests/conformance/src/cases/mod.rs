//! The table of cases. Each is a sentence that holds of every endpoint.

mod browse;
mod control;
mod headers;
mod logins;
mod open;
mod refusals;
mod values;

use crate::endpoint::{Endpoint, Verdict};

/// A sentence, and how it is looked at.
pub(crate) struct Case {
    pub(crate) sentence: &'static str,
    pub(crate) holds: fn(&Endpoint) -> Verdict,
}

const fn case(sentence: &'static str, holds: fn(&Endpoint) -> Verdict) -> Case {
    Case { sentence, holds }
}

/// All of them. `rotate` comes last: it changes something.
pub(crate) const CASES: &[Case] = &[
    case("a text comes back as it was written", values::text),
    case("bytes come as base64", values::binary),
    case("an object comes whole, and by key", values::keys),
    case("a key that is not there, or is null, is no value", values::no_such_key),
    case("a name has slashes in its path, and more than letters", values::deep),
    case("a name in the query is the name in the path", values::by_query),
    case("a name of letters from anywhere, with spaces, is one name", values::odd),
    case("an escaped letter is the letter", values::escaped),
    case("the version before is `previous`, and each has its id", values::versions_by_id),
    case("a second read comes from the cache and says its age", values::cached),
    case("a caller can have the provider asked", values::no_cache),
    case("who holds the answer is told so, after the login", values::not_modified),
    case("a journal's cursor comes with a value", values::cursor),
    case("HEAD is GET without its body", values::head),
    case("HEAD says of a value what GET says, and whether the caller holds it", headers::head),
    case("who holds a value is told its age, the cache and the cursor", headers::not_modified),
    case("each part of a value has a tag of its own", headers::tag_of_a_part),
    case("OPTIONS is a method of no route that is asked here", headers::options),
    case("a batch answers each item by itself, in order", values::batch),
    case("a batch of twenty is answered whole, though one of it fails", values::batch_of_twenty),
    case("a batch says of each value whether the cache had it", headers::batch_cache),
    case("a batch is for 1 to as many as the endpoint takes", values::batch_sizes),
    case("the calls of every client are answered", values::every_call),
    case("a list has what may be seen below its prefix, and no value", browse::list),
    case("a list comes in pages", browse::pages),
    case("a list can be narrowed by a tag", browse::tags),
    case("metadata has facts and no value", browse::metadata),
    case("versions have ids and states and no value", browse::versions),
    case("versions come in pages", browse::version_pages),
    case("what is reported is asked for anew, and once", control::report_stale),
    case("what is forgotten is asked for anew", control::invalidate),
    case("a whole prefix can be forgotten", control::invalidate_prefix),
    case("it lives, and says so to anybody", open::live),
    case("it is ready, and says so to anybody without a name", open::ready),
    case("its numbers are for who logs in, and hold no name", open::metrics),
    case("its description is there for who may read it", open::description),
    case("nobody is let in without a credential, on any route", logins::nobody),
    case("a wrong credential looks like none", logins::wrong),
    case("two credentials are none", logins::two),
    case("a web page's request is refused", logins::browser),
    case("a request for another host is refused", logins::foreign_host),
    case("what is denied is not released by any route", logins::denied),
    case("who may do nothing is told the same of everything", logins::outsider),
    case("what is not there is 404", refusals::absent),
    case("a version that is not there is 404", refusals::absent_version),
    case("a provider that is not there is no provider", refusals::absent_provider),
    case("names that are none are 400", refusals::bad_names),
    case("paths that can be read in two ways are 400", refusals::bad_paths),
    case("an escape that hides a slash, or is no UTF-8, is no path", refusals::hiding_escapes),
    case("parameters are known, once, and as they should be", refusals::parameters),
    case("a parameter that is not known is refused on every route", refusals::unknown_parameters),
    case("a query that is no UTF-8 is no query", refusals::no_query),
    case("a body is JSON of the route's shape", refusals::bodies),
    case("a GET has no body", refusals::get_with_body),
    case("a body has a limit", refusals::too_large),
    case("each route says which methods it takes", refusals::methods),
    case("a route that is not there is 404", refusals::routes),
    case("a caller's request id comes back, one with other characters does not", refusals::request_ids),
    case("a rotation is asked for where there is one", control::rotate),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_cases_have_one_sentence() {
        let mut sentences: Vec<_> = CASES.iter().map(|case| case.sentence).collect();
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), CASES.len());
    }
}
