//! [`Upstream`]: testkit's hostile server on a runtime of its own, for tests that wait on processes.

use std::ops::Deref;

use lockstep_testkit::fake::HttpServer;
use tokio::runtime::Runtime;

/// A hostile server. It ends when it is dropped.
pub struct Upstream {
    server: HttpServer,
    runtime: Runtime,
}

impl Upstream {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no port or no thread to be had.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(HttpServer::start());
        Self { server, runtime }
    }

    /// Waits until at least this many requests have arrived.
    pub fn until_seen(&self, count: usize) {
        self.runtime.block_on(self.server.until_seen(count));
    }
}

impl Deref for Upstream {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}
