//! A program that one test starts for itself, and that ends with the test.
//!
//! The child stays in the test's process group: nextest ends that whole group when it ends a test, so a hung test
//! leaves nothing behind either.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::Duration;

/// A running child; dropped, it is killed and waited for.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Errors
    /// What the system says when the program can't be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.spawn()? })
    }

    /// The child itself: its pid, its pipes, its end.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until something accepts connections on loopback `port`, looking every 20 ms.
    ///
    /// # Errors
    /// `TimedOut` after `patience`; `BrokenPipe` when the child has ended before.
    pub fn listening(&mut self, port: u16, patience: Duration) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let pause = Duration::from_millis(20);
        let looks = (patience.as_millis() / pause.as_millis()).max(1);
        for _ in 0..looks {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::new(
                    io::ErrorKind::BrokenPipe,
                    format!("the program ended ({status}) before it listened on {address}"),
                ));
            }
            thread::sleep(pause);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing listens on {address} after {patience:?}")))
    }

    /// Waits for the child's own end, looking every 20 ms; `None` when it still runs after `patience`.
    ///
    /// # Errors
    /// What the system says when the child can't be waited for.
    pub fn ended(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let pause = Duration::from_millis(20);
        for _ in 0..(patience.as_millis() / pause.as_millis()).max(1) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(pause);
        }
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that was free a moment ago. Whoever can bind port 0 itself should do that instead.
///
/// # Errors
/// What the system says when no port can be bound.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
