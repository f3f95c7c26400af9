//! [`CountingProxy`]: stands before a server, passes every request on and remembers it. It can be led to another server,
//! and be gone.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request as it went by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Passed {
    /// Request line and headers.
    head: String,
    body: Vec<u8>,
}

/// A proxy that counts. It ends when it is dropped.
#[derive(Debug)]
pub struct CountingProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    passed: Mutex<Vec<Passed>>,
    /// While this is set, connections are closed at once: the server is down.
    cut: AtomicBool,
    /// Nobody listens any more.
    ended: AtomicBool,
}

impl CountingProxy {
    /// A proxy to `http://HOST:PORT`.
    ///
    /// # Panics
    /// When the address is no loopback address and port, or no port is to be had.
    pub fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target(url)),
            passed: Mutex::default(),
            cut: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let accepting = Mutex::new(Some(accept(listener, &shared)));
        Self { address, shared, accepting }
    }

    /// Passes later requests on to this server.
    ///
    /// # Panics
    /// As [`CountingProxy::to`].
    pub fn lead_to(&self, url: &str) {
        *self.shared.target.lock().unwrap() = target(url);
    }

    /// Listens no more: who connects is refused by the system.
    ///
    /// # Panics
    /// When the thread that listens has panicked.
    pub fn leave(&self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            self.shared.ended.store(true, Ordering::SeqCst);
            // Wakes the thread that accepts.
            let _ = TcpStream::connect(self.address);
            accepting.join().unwrap();
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Panics
    /// When somebody else has taken the port.
    pub fn come_back(&self) {
        let mut accepting = self.accepting.lock().unwrap();
        if accepting.is_none() {
            self.shared.ended.store(false, Ordering::SeqCst);
            *accepting = Some(accept(TcpListener::bind(self.address).unwrap(), &self.shared));
        }
    }

    /// How many requests went by.
    ///
    /// # Panics
    /// When a connection's thread has panicked.
    pub fn total(&self) -> usize {
        self.shared.passed.lock().unwrap().len()
    }

    /// Its own address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests went by whose head or body holds this.
    ///
    /// # Panics
    /// When a connection's thread has panicked.
    pub fn count(&self, wanted: &str) -> usize {
        let holds = |bytes: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes());
        let passed = self.shared.passed.lock().unwrap();
        passed.iter().filter(|passed| passed.head.contains(wanted) || holds(&passed.body)).count()
    }

    /// Closes every connection without an answer, as a server that is down; or stops doing so.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::SeqCst);
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn target(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches('/').parse().expect("http://ADDRESS:PORT")
}

fn accept(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            if shared.ended.load(Ordering::SeqCst) {
                return;
            }
            let (Ok(client), shared) = (client, Arc::clone(&shared)) else { continue };
            std::thread::spawn(move || shared.pass(client));
        }
    })
}

impl Shared {
    /// One connection with one request: it is read whole, counted and passed on. The answer ends with its connection,
    /// so the client's does too.
    fn pass(&self, mut client: TcpStream) {
        let is_cut = || self.cut.load(Ordering::SeqCst) || self.ended.load(Ordering::SeqCst);
        if let Ok(Some(passed)) = request(&mut client)
            && !is_cut()
        {
            self.passed.lock().unwrap().push(passed.clone());
            // How an exchange ends is the affair of its two sides.
            let _ = self.exchange(&mut client, &passed);
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    fn exchange(&self, client: &mut TcpStream, passed: &Passed) -> io::Result<()> {
        let mut server = TcpStream::connect(*self.target.lock().unwrap())?;
        // `Connection` is no signed header; with it, the answer's end is the connection's.
        let mut lines = passed.head.split_inclusive("\r\n");
        let mut head: String = lines.next().unwrap_or_default().to_owned();
        head.push_str("connection: close\r\n");
        head.extend(lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:")));
        server.write_all(head.as_bytes())?;
        server.write_all(&passed.body)?;
        io::copy(&mut server, client)?;
        Ok(())
    }
}

fn request(client: &mut TcpStream) -> io::Result<Option<Passed>> {
    let mut unread = Vec::new();
    let mut buffer = [0; 8192];
    let mut more = |unread: &mut Vec<u8>| -> io::Result<usize> {
        let read = client.read(&mut buffer)?;
        unread.extend_from_slice(&buffer[..read]);
        Ok(read)
    };
    let end = loop {
        if let Some(at) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if more(&mut unread)? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = unread.drain(..end).collect();
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.filter_map(|(_, value)| value.trim().parse().ok()).next_back().unwrap_or(0);
    while unread.len() < length {
        if more(&mut unread)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Passed { head, body: unread.drain(..length).collect() }))
}
