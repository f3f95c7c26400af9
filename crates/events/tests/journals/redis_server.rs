//! Journals in a Redis of a test's own, and what somebody else does to them there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Change, Journal, SocketTarget, TlsProfile};
use lockstep_events::journal::{RedisJournal, RedisPorts, RedisSettings};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, SystemClock, TcpSockets, TransportSettings};
use lockstep_testkit::TestEnv;
use lockstep_testkit::contract::CANARY;
use lockstep_testkit::fake::{Cut, CuttingProxy};
use lockstep_testkit::journal::JournalHarness;
use lockstep_testkit::servers::{RedisProgram, RedisServer};

use crate::call_of;

/// Ways to damage a journal, each of which somebody with the right to write its keys can do.
pub(crate) const DAMAGES: [&str; 12] = [
    "the head is no hash",
    "the head has no numbers",
    "the head is at the end of all numbers",
    "the head counts fewer than there are",
    "the head counts more than there are",
    "the name of this life is enormous",
    "the entries are no stream",
    "an entry is no change",
    "an entry is enormous",
    "an entry has other fields",
    "an entry is gone",
    "the ids are no sorted set",
];

/// A journal at this address.
pub(crate) fn journal(name: &str, target: SocketTarget, password: Option<(&str, &TestEnv)>) -> RedisJournal {
    let clock = Arc::new(SystemClock::new());
    let env = TestEnv::of(&[]);
    if let Some((variable, from)) = password {
        env.set(variable, &lockstep_core::Env::var(from, variable).unwrap_or_default());
    }
    let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &*env, TransportSettings::default());
    let ports = RedisPorts {
        sockets: Arc::new(TcpSockets::new(Arc::new(transports))),
        env,
        files: Arc::new(LocalFiles),
        random: Arc::new(OsRandom::new()),
    };
    let password = password.map(|(variable, _)| lockstep_providers::Credential::Env(variable.into()));
    RedisJournal::new(RedisSettings { target, name: name.to_owned(), user: None, password }, ports).unwrap()
}

/// This machine, with TLS or without.
pub(crate) fn at(port: u16, tls: Option<TlsProfile>) -> SocketTarget {
    SocketTarget { host: "127.0.0.1".into(), port, tls }
}

/// Journals of one server, reached through a proxy that can cut.
pub(crate) struct Redises {
    pub(crate) server: RedisServer,
    pub(crate) proxy: CuttingProxy,
    /// Its data, which goes after it.
    _folder: tempfile::TempDir,
}

impl Redises {
    pub(crate) async fn start(program: RedisProgram) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start(program, folder.path(), &[]);
        let proxy = CuttingProxy::before(([127, 0, 0, 1], server.port()).into()).await;
        Self { server, proxy, _folder: folder }
    }
}

fn word(name: &str) -> String {
    name.replace(' ', "-")
}

fn key(name: &str, part: &str) -> String {
    format!("{{{}}}:{part}", word(name))
}

#[async_trait]
impl JournalHarness for Redises {
    async fn open(&self, name: &str) -> Arc<dyn Journal> {
        Arc::new(journal(&word(name), at(self.proxy.address().port(), None), None))
    }

    fn call(&self) -> Call {
        call_of(Duration::from_mins(1))
    }

    /// As an operator might: nothing of the head is told.
    async fn trim(&self, name: &str, keep: usize) {
        self.server.done(&["XTRIM", &key(name, "entries"), "MAXLEN", "=", &keep.to_string()]);
    }

    async fn lose(&self, name: &str) {
        self.server.done(&["DEL", &key(name, "head"), &key(name, "entries"), &key(name, "ids")]);
    }

    async fn save(&self, name: &str) {
        for part in ["head", "entries", "ids"] {
            self.server.done(&["COPY", &key(name, part), &key(name, &format!("saved-{part}"))]);
        }
    }

    async fn restore(&self, name: &str) {
        for part in ["head", "entries", "ids"] {
            self.server.done(&["COPY", &key(name, &format!("saved-{part}")), &key(name, part), "REPLACE"]);
        }
    }

    async fn append_unheard(&self, name: &str, changes: &[Change], before: bool) {
        let cut = if before { Cut::BeforeTaken } else { Cut::AfterTaken };
        let count = self.proxy.cuts();
        self.proxy.arm(cut, "XADD", usize::MAX);
        let outcome = self.open(name).await.append(&call_of(Duration::from_secs(5)), changes).await;
        self.proxy.disarm();
        assert!(outcome.is_err() && self.proxy.cuts() > count, "the answer is lost: {outcome:?}");
    }

    fn damages(&self) -> Vec<&'static str> {
        DAMAGES.to_vec()
    }

    async fn damage(&self, name: &str, damage: &str) {
        let [head, entries, ids] = ["head", "entries", "ids"].map(|part| key(name, part));
        let canary = format!("{CANARY}{}", "x".repeat(100 << 10));
        let done = |words: &[&str]| self.server.done(words);
        // The last entry has the number 60; another one in its place leaves the stream as long as it was.
        let replace = |field: &str, value: &str| {
            done(&["XDEL", &entries, "60-0"]);
            done(&["XTRIM", &entries, "MAXLEN", "=", "0"]);
            done(&["XGROUP", "CREATE", &entries, "none", "0"]);
            done(&["DEL", &entries]);
            for number in 1..=60 {
                done(&["XADD", &entries, &format!("{number}-0"), field, value]);
            }
        };
        match damage {
            "the head is no hash" => {
                done(&["SET", &head, CANARY]);
            }
            "the head has no numbers" => {
                done(&["HSET", &head, "seq", CANARY, "trimmed_to", CANARY]);
            }
            "the head is at the end of all numbers" => {
                done(&["HSET", &head, "seq", &u64::MAX.to_string()]);
            }
            "the head counts fewer than there are" => {
                done(&["HSET", &head, "seq", "0"]);
            }
            "the head counts more than there are" => {
                done(&["HSET", &head, "seq", "600"]);
            }
            "the name of this life is enormous" => {
                done(&["HSET", &head, "base", &canary]);
            }
            "the entries are no stream" => {
                done(&["SET", &entries, CANARY]);
            }
            "an entry is no change" => replace("change", &format!("{{\"id\":\"{CANARY}\"}}")),
            "an entry is enormous" => replace("change", &format!("\"{canary}\"")),
            "an entry has other fields" => replace(CANARY, "17"),
            "an entry is gone" => {
                done(&["XDEL", &entries, "30-0"]);
            }
            "the ids are no sorted set" => {
                done(&["SET", &ids, CANARY]);
                done(&["XDEL", &entries, "30-0"]);
            }
            other => panic!("{other}"),
        }
    }
}
