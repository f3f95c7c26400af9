//! [`is_loopback`]: whether what is sent to a host stays on this machine.

use std::net::IpAddr;

/// Whether a host is this machine: `localhost` and literal loopback addresses, IPv6 with or without brackets. Every other
/// name can be made to point elsewhere.
///
/// ```
/// use lockstep_core::is_loopback;
/// assert!(is_loopback("localhost") && is_loopback("127.0.0.2") && is_loopback("[::1]"));
/// assert!(!is_loopback("localhost.example.com") && !is_loopback("10.0.0.1"));
/// ```
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
