//! [`Port`]: a loopback port that stays free for the program that a test starts.
//!
//! Between asking for a free port and listening there, somebody else can get it, and a sandbox starts its extension late.
//! So the port is held by a socket that is bound and does not listen: Linux gives it to nobody by chance, and lets who
//! names it (and reuses addresses, as every listener here does) listen there.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// A held port.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn hold() -> Self {
        let held = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        set_socket_reuseaddr(&held, true).unwrap();
        bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddrV4::try_from(getsockname(&held).unwrap()).unwrap();
        Self { number: address.port(), _held: held }
    }
}
