//! Tables of an imitation of DynamoDB: made, filled, damaged and emptied behind the journal's back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Change, Journal, Transport};
use lockstep_events::journal::{DynamoDbJournal, DynamoDbSettings};
use lockstep_native::{LocalFiles, OsRandom, RingSigner, SystemClock};
use lockstep_providers::Ports;
use lockstep_providers::aws::{DynamoDb, ServiceSettings, Session, SessionSettings};
use lockstep_testkit::TestEnv;
use lockstep_testkit::contract::CANARY;
use lockstep_testkit::fake::{Cut, CuttingProxy};
use lockstep_testkit::journal::JournalHarness;
use lockstep_testkit::servers::{SigningServer, unique};
use serde_json::{Value, json};

use crate::{call_of, transport};

/// Ways to damage a table, each of which somebody with the right to write to it can do.
pub(crate) const DAMAGES: [&str; 13] = [
    "the heads are no heads",
    "the heads have no numbers",
    "the heads are of the end of all numbers",
    "the heads list more than they count",
    "the heads list what is no change",
    "the heads list a canary that is no list",
    "the heads are enormous",
    "the heads are of another version",
    "one head is gone and its copies are not",
    "the entries are no changes",
    "the entries are enormous",
    "an entry is gone",
    "an entry has a type that is not of this protocol",
];

/// Tables on one server, reached directly and, for journals, through a proxy that can cut.
pub(crate) struct Tables {
    pub(crate) server: SigningServer,
    pub(crate) proxy: CuttingProxy,
    prefix: String,
    admin: DynamoDb,
    made: Mutex<BTreeMap<String, String>>,
    saved: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// A journal whose server is this transport.
pub(crate) fn journal_over(transport: Arc<dyn Transport>) -> DynamoDbJournal {
    let any = SigningServer { url: String::new(), key_id: "test".into(), secret_key: "test".into() };
    let settings = DynamoDbSettings { table: "journal".to_owned(), service: ServiceSettings::default() };
    DynamoDbJournal::new(&settings, session("https://d.example", &any, transport), Arc::new(OsRandom::new())).unwrap()
}

/// A login at this address.
fn session(url: &str, server: &SigningServer, transport: Arc<dyn Transport>) -> Arc<Session> {
    let clock = Arc::new(SystemClock::new());
    let env = TestEnv::of(&[
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", url),
        ("AWS_ACCESS_KEY_ID", &server.key_id),
        ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
    ]);
    let ports = Ports {
        env,
        files: Arc::new(LocalFiles),
        transport,
        clock,
        random: Arc::new(OsRandom::new()),
        signer: Arc::new(RingSigner),
        exec: Arc::new(lockstep_core::NoExec),
    };
    Session::new(&SessionSettings::default(), ports).unwrap()
}

impl Tables {
    pub(crate) async fn on(server: SigningServer) -> Self {
        let at = server.url.trim_start_matches("http://").parse().unwrap();
        let admin = DynamoDb::new(session(&server.url, &server, transport()), &ServiceSettings::default()).unwrap();
        Self {
            proxy: CuttingProxy::before(at).await,
            prefix: unique("journal"),
            admin,
            server,
            made: Mutex::default(),
            saved: Mutex::default(),
        }
    }

    /// What an operator does.
    pub(crate) async fn admin(&self, operation: &'static str, input: &Value) -> Value {
        let answer = self.admin.send(&call_of(Duration::from_secs(30)), operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// Makes a table as `docs/journal.md` says, or with another key.
    pub(crate) async fn create(&self, table: &str, keys: [(&str, &str); 2]) {
        let schema = [(keys[0].0, "HASH"), (keys[1].0, "RANGE")];
        let input = json!({
            "TableName": table,
            "KeySchema": schema.map(|(name, kind)| json!({ "AttributeName": name, "KeyType": kind })),
            "AttributeDefinitions": keys.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind })),
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.admin("CreateTable", &input).await;
    }

    /// The table of a journal, made when it is first asked for.
    pub(crate) async fn table(&self, name: &str) -> String {
        if let Some(table) = self.made.lock().unwrap().get(name) {
            return table.clone();
        }
        let table = format!("{}-{}", self.prefix, name.replace(' ', "-"));
        self.create(&table, [("pk", "S"), ("sk", "N")]).await;
        self.made.lock().unwrap().insert(name.to_owned(), table.clone());
        table
    }

    pub(crate) fn journal(&self, table: &str) -> DynamoDbJournal {
        let url = format!("http://{}", self.proxy.address());
        let settings = DynamoDbSettings { table: table.to_owned(), service: ServiceSettings::default() };
        DynamoDbJournal::new(&settings, session(&url, &self.server, transport()), Arc::new(OsRandom::new())).unwrap()
    }

    pub(crate) async fn items(&self, name: &str) -> Vec<Value> {
        let input = json!({ "TableName": self.table(name).await, "ConsistentRead": true });
        let answer = self.admin("Scan", &input).await;
        assert!(answer.get("LastEvaluatedKey").is_none(), "the tables of these tests are small");
        answer["Items"].as_array().unwrap().clone()
    }

    pub(crate) async fn put(&self, name: &str, item: &Value) {
        let input = json!({ "TableName": self.table(name).await, "Item": item });
        self.admin("PutItem", &input).await;
    }

    pub(crate) async fn remove(&self, name: &str, item: &Value) {
        let key = json!({ "pk": item["pk"], "sk": item["sk"] });
        let input = json!({ "TableName": self.table(name).await, "Key": key });
        self.admin("DeleteItem", &input).await;
    }

    /// Changes every item whose partition key begins like this.
    async fn edit(&self, name: &str, prefix: &str, change: impl Fn(&mut Value)) {
        for mut item in self.items(name).await {
            if item["pk"]["S"].as_str().unwrap().starts_with(prefix) {
                change(&mut item);
                self.put(name, &item).await;
            }
        }
    }
}

fn seq_of(item: &Value) -> u64 {
    item["sk"]["N"].as_str().unwrap().parse().unwrap()
}

#[async_trait]
impl JournalHarness for Tables {
    async fn open(&self, name: &str) -> Arc<dyn Journal> {
        Arc::new(self.journal(&self.table(name).await))
    }

    fn call(&self) -> Call {
        call_of(Duration::from_mins(1))
    }

    /// As the time to live does, in no order.
    async fn trim(&self, name: &str, keep: usize) {
        let entries: Vec<_> = self.items(name).await.into_iter().filter(is_entry).collect();
        let last = entries.iter().map(seq_of).max().unwrap();
        for entry in entries.iter().filter(|entry| seq_of(entry) + keep as u64 <= last) {
            self.remove(name, entry).await;
        }
    }

    async fn lose(&self, name: &str) {
        for item in self.items(name).await {
            self.remove(name, &item).await;
        }
    }

    async fn save(&self, name: &str) {
        let items = self.items(name).await;
        self.saved.lock().unwrap().insert(name.to_owned(), items);
    }

    async fn restore(&self, name: &str) {
        self.lose(name).await;
        let saved = self.saved.lock().unwrap().remove(name).unwrap();
        for item in &saved {
            self.put(name, item).await;
        }
    }

    /// Every try is cut until the caller gives up.
    async fn append_unheard(&self, name: &str, changes: &[Change], before: bool) {
        let journal = self.open(name).await;
        let cut = if before { Cut::BeforeTaken } else { Cut::AfterTaken };
        let count = self.proxy.cuts();
        self.proxy.arm(cut, "TransactWriteItems", usize::MAX);
        let outcome = journal.append(&call_of(Duration::from_millis(500)), changes).await;
        self.proxy.disarm();
        assert!(
            outcome.is_err() && self.proxy.cuts() > count + 1,
            "the answer is lost, and that of the retry: {outcome:?}"
        );
    }

    fn damages(&self) -> Vec<&'static str> {
        DAMAGES.to_vec()
    }

    async fn damage(&self, name: &str, damage: &str) {
        let text = |text: String| json!({ "S": text });
        let head = |member: &'static str, value: Value| {
            let value = value.clone();
            move |item: &mut Value| item[member] = value.clone()
        };
        match damage {
            "the heads are no heads" => {
                self.edit(name, "head#", |item| {
                    *item = json!({ "pk": item["pk"], "sk": item["sk"], "x": { "S": CANARY } });
                })
                .await;
            }
            "the heads have no numbers" => self.edit(name, "head#", head("seq", text(CANARY.to_owned()))).await,
            "the heads are of the end of all numbers" => {
                self.edit(name, "head#", head("seq", json!({ "N": u64::MAX.to_string() }))).await;
            }
            "the heads list more than they count" => {
                self.edit(name, "head#", head("seq", json!({ "N": "3" }))).await;
            }
            "the heads list what is no change" => {
                let list = serde_json::to_string(&["17", CANARY]).unwrap();
                self.edit(name, "head#", head("newest", text(list))).await;
            }
            "the heads list a canary that is no list" => {
                self.edit(name, "head#", head("newest", text(CANARY.to_owned()))).await;
            }
            "the heads are enormous" => {
                let list = serde_json::to_string(&[format!("{CANARY}{}", "x".repeat(300 << 10))]).unwrap();
                self.edit(name, "head#", head("newest", text(list))).await;
            }
            "the heads are of another version" => {
                self.edit(name, "head#", head("heads", json!({ "N": "3" }))).await;
            }
            "one head is gone and its copies are not" => {
                self.remove(name, &json!({ "pk": { "S": "head#0" }, "sk": { "N": "0" } })).await;
            }
            "the entries are no changes" => {
                self.edit(name, "entry#", head("change", text(format!("{{\"id\":\"{CANARY}\"}}")))).await;
            }
            "the entries are enormous" => {
                self.edit(name, "entry#", |item| {
                    if seq_of(item) == 30 {
                        item["change"]["S"] = format!("\"{CANARY}{}\"", "x".repeat(300 << 10)).into();
                    }
                })
                .await;
            }
            "an entry is gone" => {
                let items = self.items(name).await;
                let entry = items.iter().find(|item| is_entry(item) && seq_of(item) == 30).unwrap();
                self.remove(name, entry).await;
            }
            "an entry has a type that is not of this protocol" => {
                self.edit(name, "entry#", head("change", json!({ "L": [{ "S": CANARY }] }))).await;
            }
            other => panic!("{other}"),
        }
    }
}

fn is_entry(item: &Value) -> bool {
    item["pk"]["S"].as_str().unwrap().starts_with("entry#")
}
