//! [`network`]: what one address is counted under.

use std::net::{IpAddr, SocketAddr};

/// What one address, with or without a port, is counted under: an IPv4 address, or the 64 bits of an IPv6 network, since
/// one host has all of those. What is no address stands for itself.
pub fn network(address: &str) -> Box<str> {
    let parsed = address.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| address.parse::<IpAddr>());
    match parsed.map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.to_string().into(),
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64").into()
        }
        Err(_) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_without_its_port_and_a_network_of_ipv6_as_one() {
        for (address, counted) in [
            ("192.0.2.7:5000", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("somewhere", "somewhere"),
        ] {
            assert_eq!(&*network(address), counted, "{address}");
        }
    }
}
