//! [`Clients`]: fifty applications that read a secret through Lockstep and log in with it, again and again. Who is refused
//! reports it, as applications are told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use lockstep_stories::{Running, until};
use serde_json::{Value, json};

use super::database::{Database, wait};

const CLIENTS: usize = 50;

pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    running: Running,
    database: Arc<Database>,
    name: String,
    stopped: AtomicBool,
    refused: AtomicUsize,
    /// What each has got in with last, and how often it has got in.
    last: Mutex<Vec<(Value, usize)>>,
}

impl Clients {
    pub(super) fn start(running: Running, database: &Arc<Database>, name: &str) -> Self {
        let shared = Arc::new(Shared {
            running,
            database: Arc::clone(database),
            name: name.to_owned(),
            stopped: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            last: Mutex::new(vec![(Value::Null, 0); CLIENTS]),
        });
        let threads = (0..CLIENTS).map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                while !shared.stopped.load(Ordering::SeqCst) {
                    shared.log_in(client);
                    std::thread::sleep(shared.database.rest);
                }
            })
        });
        Self { threads: threads.collect(), shared }
    }

    /// Waits until each has got in as this user.
    pub(super) fn all_with(&self, user: &str) {
        self.all(&format!("a login of each client as {user}"), |(secret, _), _| secret["username"] == user);
    }

    /// Waits until each has got in with this password.
    pub(super) fn all_with_password(&self, password: &str) {
        self.all("a login of each client with the new password", |(secret, _), _| secret["password"] == password);
    }

    /// Waits until each has got in once more. The login that is under way may have begun before.
    pub(super) fn all_again(&self) {
        let before: Vec<usize> = self.shared.last.lock().unwrap().iter().map(|(_, count)| *count).collect();
        self.all("two more logins of each client", |(_, count), client| *count > before[client] + 1);
    }

    fn all(&self, what: &str, is_so: impl Fn(&(Value, usize), usize) -> bool) {
        until(what, || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a client has ended");
            let last = self.shared.last.lock().unwrap();
            last.iter().enumerate().all(|(client, last)| is_so(last, client)).then_some(())
        });
    }

    /// How many logins were refused until now.
    pub(super) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Ends them: how many logins were refused in all.
    pub(super) fn stop(self) -> usize {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.shared.refused.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn log_in(&self, client: usize) {
        let read = self.running.get(&format!("/api/v1/secrets/{}", self.name));
        assert_eq!(read.status, 200, "{}", read.text());
        let secret: Value = serde_json::from_str(&read.member("/value")).unwrap();
        if wait(self.database.login(&secret)) {
            let mut last = self.last.lock().unwrap();
            let count = last[client].1 + 1;
            last[client] = (secret, count);
        } else {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let body = json!({ "version": read.member("/version") }).to_string();
            let path = format!("/api/v1/report-stale/{}", self.name);
            let told = self.running.send("POST", &path, &[], body.as_bytes());
            assert_eq!(told.status, 200, "{}", told.text());
        }
    }
}
