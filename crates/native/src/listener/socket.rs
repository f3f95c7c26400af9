//! Sockets, bound with everything set that an accepted connection inherits.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use lockstep_core::{Error, ErrorKind, Result};
use rustix::fs::Mode;
use socket2::{Domain, Protocol, SockAddr, Type};

/// Connections that the kernel keeps until we accept them; it cuts the number to its own limit.
const BACKLOG: i32 = 1024;

/// A bound socket, not yet on a runtime.
pub(super) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed on drop.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nothing depends on it: the next start removes a dead socket itself.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Socket {
    pub(super) fn tcp(address: SocketAddr, allow_remote: bool) -> Result<Self> {
        let loopback = address.ip().to_canonical().is_loopback();
        if !loopback && !allow_remote {
            let message = format!(
                "{address} can be reached from other machines; listen on 127.0.0.1 or [::1], or allow remote callers \
                 explicitly"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        bind_tcp(address, loopback).map(Self::Tcp).map_err(|error| not_bound(&address.to_string(), &error))
    }

    pub(super) fn unix(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        remove_dead(path)
            .and_then(|()| bind_unix(path))
            .map_err(|error| not_bound(&shown, &error))
            .map(|listener| Self::Unix(listener, SocketFile(path.to_owned())))
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

fn not_bound(what: &str, error: &io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::AddrInUse => format!("{what} is in use; stop what listens there, or choose another"),
        io::ErrorKind::PermissionDenied => format!("may not listen on {what}; choose one that this user may bind"),
        kind => format!("can't listen on {what} ({kind}); choose another"),
    };
    Error::new(ErrorKind::Config, message)
}

fn bind_tcp(address: SocketAddr, loopback: bool) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if loopback {
        // Inherited by accepted connections on Linux.
        if address.is_ipv6() {
            socket.set_unicast_hops_v6(1)?;
        }
        if address.is_ipv4() || address.ip().to_canonical().is_ipv4() {
            socket.set_ttl_v4(1)?;
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux gives the file the mode of the socket: there is no moment in which it is open to others.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Removes a socket of ours that nobody listens on any more. Anything else in its place stays, and binding fails.
fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let ours = found.file_type().is_socket() && found.uid() == rustix::process::geteuid().as_raw();
    let dead = UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if ours && dead { std::fs::remove_file(path) } else { Ok(()) }
}
