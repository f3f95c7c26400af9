//! [`CuttingProxy`]: bytes to a real server and back, until a request comes that is to be cut off.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::host::locked;

/// When the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before a byte of the request has reached the server.
    BeforeTaken,
    /// When the server has begun to answer: it has done what it was asked, and nobody hears of it.
    AfterTaken,
}

/// Which requests are cut: those with these bytes in them, so many of them.
#[derive(Debug, Clone)]
struct Armed {
    cut: Cut,
    needle: Vec<u8>,
    left: usize,
}

/// A proxy in front of a server, at a free port of loopback. It ends when it is dropped.
pub struct CuttingProxy {
    address: SocketAddr,
    armed: Arc<Mutex<Option<Armed>>>,
    count: Arc<Mutex<usize>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl CuttingProxy {
    /// A proxy that lets everything through.
    ///
    /// # Panics
    /// When no port can be had.
    #[expect(clippy::disallowed_methods, reason = "the server of a test has no Call to spawn with")]
    #[expect(clippy::unwrap_used, reason = "a test without a port is none")]
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (armed, count) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(0)));
        let (cuts, counted) = (Arc::clone(&armed), Arc::clone(&count));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (armed, count) = (Arc::clone(&cuts), Arc::clone(&counted));
                // How a connection ends is the business of both its ends.
                tokio::spawn(async move { carry(client, server, &armed, &count).await.ok() });
            }
        });
        Self { address, armed, count, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the next `times` requests that have these bytes in them.
    pub fn arm(&self, cut: Cut, needle: &str, times: usize) {
        *locked(&self.armed) = Some(Armed { cut, needle: needle.into(), left: times });
    }

    /// Lets everything through again.
    pub fn disarm(&self) {
        *locked(&self.armed) = None;
    }

    /// How many requests were cut.
    pub fn cuts(&self) -> usize {
        *locked(&self.count)
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What is to be done with a request that begins with these bytes.
fn verdict(bytes: &[u8], armed: &Mutex<Option<Armed>>, count: &Mutex<usize>) -> Option<Cut> {
    let mut armed = locked(armed);
    let found = armed
        .as_mut()
        .filter(|armed| armed.left > 0 && bytes.windows(armed.needle.len()).any(|window| window == armed.needle))?;
    found.left -= 1;
    *locked(count) += 1;
    Some(found.cut)
}

async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    armed: &Mutex<Option<Armed>>,
    count: &Mutex<usize>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut cut_at_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                match verdict(bytes, armed, count) {
                    Some(Cut::BeforeTaken) => return Ok(()),
                    Some(Cut::AfterTaken) => cut_at_answer = true,
                    None => {}
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut answered) => {
                let bytes = &answered[..read?];
                if bytes.is_empty() || cut_at_answer {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
