//! [`Upstream`] and [`Faked`]: testkit's hostile server and its stateful fakes, each on a runtime of its own, for tests
//! that wait on processes.

use std::ops::Deref;

use lockstep_testkit::fake::{Answer, HttpServer, Served};
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
        let runtime = runtime();
        let server = runtime.block_on(HttpServer::start());
        Self { server, runtime }
    }

    /// Closes every open connection; they are closed when it returns.
    pub fn drop_connections(&self) {
        self.runtime.block_on(self.server.drop_connections());
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

/// A fake that keeps state, over plain HTTP. It ends when it is dropped.
pub struct Faked {
    served: Served,
    _runtime: Runtime,
}

impl Faked {
    /// Serves what this function answers.
    ///
    /// # Panics
    /// When there is no port or no thread to be had.
    pub fn serve(answer: Answer) -> Self {
        let runtime = runtime();
        let served = runtime.block_on(Served::plain(answer));
        Self { served, _runtime: runtime }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.served.url()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
