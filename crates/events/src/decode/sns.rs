//! The envelope of Amazon SNS: notifications, confirmations of a subscription, and messages without an envelope.

use http::Uri;
use http::uri::PathAndQuery;
use serde_json::Value;

use super::arn::Arn;
use super::fields::text;
use super::gathered::Gathered;
use super::outcome::{Handshake, Reason};
use super::{aws, message};

/// The longest token of a confirmation.
const MAX_TOKEN_BYTES: usize = 1024;

/// What was posted over HTTPS, or a function was called with.
pub(super) fn delivered(body: &Value, gathered: &mut Gathered<'_>) {
    // An envelope's signature covers members of its own: what stands beside them was signed by nobody.
    if let (None, Some(records)) = (body.get("Type"), body.get("Records").and_then(Value::as_array)) {
        let read = |record: &Value, gathered: &mut Gathered<'_>| match record.get("Sns") {
            Some(envelope) => notification(envelope, gathered),
            None => gathered.ignore(Reason::UnknownShape),
        };
        return gathered.each(records, |_| None, read);
    }
    match text(body, "/Type") {
        Some("SubscriptionConfirmation") => confirmation(body, gathered),
        Some("UnsubscribeConfirmation") => gathered.ignore(Reason::Unsubscribed),
        _ => enveloped(body, gathered),
    }
}

/// A message of a queue or of a topic: EventBridge's event, bare (raw delivery) or in an envelope of SNS.
pub(super) fn enveloped(body: &Value, gathered: &mut Gathered<'_>) {
    match text(body, "/Type") {
        Some("Notification") => notification(body, gathered),
        // Only its own endpoint confirms a subscription.
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => gathered.ignore(Reason::NoNews),
        _ => aws::event(body, gathered),
    }
}

fn notification(envelope: &Value, gathered: &mut Gathered<'_>) {
    let (Some(topic), Some(Value::String(inner))) = (text(envelope, "/TopicArn"), envelope.get("Message")) else {
        return gathered.ignore(Reason::Malformed);
    };
    if !gathered.accepted.expects_topic(topic) {
        return gathered.ignore(Reason::Unexpected);
    }
    match message(inner) {
        // No real way of a message has an envelope in an envelope.
        Ok(inner) if text(&inner, "/TopicArn").is_some() => gathered.ignore(Reason::TooNested),
        Ok(inner) => aws::event(&inner, gathered),
        // People's own words go through topics, too.
        Err(reason) => gathered.ignore(reason),
    }
}

fn confirmation(body: &Value, gathered: &mut Gathered<'_>) {
    let (Some(topic), Some(code)) = (text(body, "/TopicArn"), text(body, "/Token")) else {
        return gathered.ignore(Reason::Malformed);
    };
    if !gathered.accepted.expects_topic(topic) {
        return gathered.ignore(Reason::Unexpected);
    }
    match SnsConfirmation::new(topic, code) {
        Some(confirmation) => gathered.confirm(Handshake::Sns(confirmation)),
        None => gathered.ignore(Reason::Malformed),
    }
}

/// A subscription that wants to be confirmed.
///
/// The address that a delivery names (`SubscribeURL`) is never asked for. Ours is made from the topic's ARN: its region's
/// own host, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsConfirmation {
    /// The topic's ARN.
    pub topic: Box<str>,
    /// What to `GET` to confirm it. Nothing of the answer is needed but its status, 200.
    pub uri: Uri,
}

impl SnsConfirmation {
    fn new(topic: &str, code: &str) -> Option<Self> {
        let host = host(topic)?;
        let is_word = |text: &str, more: &[u8]| {
            text.len() <= MAX_TOKEN_BYTES
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        if !is_word(code, b"-") || !is_word(topic, b":-_.") {
            return None;
        }
        let query = format!("/?Action=ConfirmSubscription&TopicArn={topic}&Token={code}");
        let query: PathAndQuery = query.parse().ok()?;
        let uri = Uri::builder().scheme("https").authority(host).path_and_query(query).build().ok()?;
        Some(Self { topic: topic.into(), uri })
    }
}

/// What SNS signs of an envelope: some of its members, in this order, each where it is there.
#[cfg(feature = "sns")]
pub(crate) struct Envelope<'v>(pub(crate) &'v Value);

#[cfg(feature = "sns")]
impl<'v> Envelope<'v> {
    /// The body of a delivery, within the bounds that decoding has.
    pub(crate) fn parse(body: &[u8]) -> Option<Value> {
        super::json(body, super::MAX_BYTES, super::BODY).ok().filter(Value::is_object)
    }

    /// A member to the letter.
    pub(crate) fn member(&self, name: &str) -> Option<&'v str> {
        self.0.get(name)?.as_str()
    }

    /// The text that is signed.
    pub(crate) fn signed(&self) -> Option<String> {
        const NOTIFICATION: [&str; 6] = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
        const CONFIRMATION: [&str; 7] =
            ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
        let members: &[&str] = match self.member("Type")? {
            "Notification" => &NOTIFICATION,
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => &CONFIRMATION,
            _ => return None,
        };
        let mut text = String::new();
        for name in members {
            match self.member(name) {
                Some(value) => text.extend([name, "\n", value, "\n"]),
                None if *name == "Subject" => {}
                None => return None,
            }
        }
        Some(text)
    }

    /// The host of the region that a topic lives in.
    pub(crate) fn host(topic: &str) -> Option<String> {
        host(topic)
    }
}

/// The host of the region that a topic lives in.
fn host(topic: &str) -> Option<String> {
    let arn = Arn::parse(topic).filter(|arn| arn.service == "sns")?;
    let tld = if topic.starts_with("arn:aws-cn:") { "com.cn" } else { "com" };
    Some(format!("sns.{}.amazonaws.{tld}", arn.region))
}
