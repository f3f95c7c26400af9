//! Journals that several processes share: one instance tells, another one hears; and what each does while the journal is
//! away.

use std::process::Command;
use std::time::Duration;

use lockstep_stories::{Lockstep, Running, until};
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, RedisServer, unique};

const SECRET: &str = "/api/v1/secrets/db/creds";

/// An instance with this journal that reads `db/creds` from a file, at which it looks as often as `poll` says. Its TTL is a
/// day: nothing but the journal makes it ask again.
fn instance(journal: &str, more: &str, path: &str, poll: &str, env: &[(&str, &str)]) -> Lockstep {
    let config = format!(
        "[freshness]\njournal = \"{journal}\"\nmax_staleness = \"200ms\"\ncheck_timeout = \"5s\"\n{more}\n\
         [cache]\nttl = \"24h\"\nttl_with_journal = \"24h\"\nrefresh_ahead = \"0\"\n\
         [providers.file]\ntype = \"file\"\npath = \"{path}\"\npoll = \"{poll}\"\n"
    );
    Lockstep::new(config.as_str(), env)
}

/// The second of two instances sees no edit itself.
fn told_by_the_other(journal: &str, env: &[(&str, &str)]) {
    let first = instance(journal, "", "secrets.yaml", "20ms", env);
    first.file("secrets.yaml", "db/creds: first value\n");
    let path = first.folder().join("secrets.yaml").display().to_string();
    let first = first.start();
    let second = instance(journal, "", &path, "1h", env).start();
    for instance in [&first, &second] {
        assert_eq!(instance.value("db/creds"), "first value");
    }
    for (nth, value) in ["second value", "third value"].into_iter().enumerate() {
        first.home().file("secrets.yaml", &format!("db/creds: {value}\n"));
        let heard = until(value, || {
            let answer = second.get(SECRET);
            (answer.member("/value") == value).then_some(answer)
        });
        let cursor = heard.header("lockstep-cursor");
        assert!(cursor.ends_with(&format!(".{}", nth + 1)), "the journal alone has told it: {cursor}");
    }
}

// Break: leave `sources` out of `Watch::new`, or the version of a file in what is told.
#[test]
fn an_edit_that_one_instance_sees_is_served_by_another_through_redis() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(require!(servers::redis()), folder.path(), &[]);
    told_by_the_other(&format!("redis://127.0.0.1:{}/story", redis.port()), &[]);
}

#[test]
fn an_edit_that_one_instance_sees_is_served_by_another_through_dynamodb_on_ministack() {
    let server = require!(servers::ministack());
    let table = unique("story");
    let make = "import boto3, sys\n\
                url, key, secret, table = sys.argv[1:]\n\
                boto3.client('dynamodb', endpoint_url=url, region_name='us-east-1', aws_access_key_id=key, \
                aws_secret_access_key=secret).create_table(TableName=table, BillingMode='PAY_PER_REQUEST', \
                KeySchema=[dict(AttributeName='pk', KeyType='HASH'), dict(AttributeName='sk', KeyType='RANGE')], \
                AttributeDefinitions=[dict(AttributeName='pk', AttributeType='S'), \
                dict(AttributeName='sk', AttributeType='N')])\n";
    let python = require!(servers::python());
    let arguments = [make, &server.url, &server.key_id, &server.secret_key, &table];
    assert!(Command::new(python).arg("-c").args(arguments).status().unwrap().success());
    let env = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &*server.url),
        ("AWS_ACCESS_KEY_ID", &*server.key_id),
        ("AWS_SECRET_ACCESS_KEY", &*server.secret_key),
    ];
    told_by_the_other(&format!("dynamodb://{table}"), &env);
}

// Break: leave the token, `after` or the changes out of the feed, or `changes` out of what the command links.
#[test]
fn an_edit_that_one_instance_sees_is_served_by_another_that_reads_its_feed() {
    let first = instance("memory://", "", "secrets.yaml", "20ms", &[]);
    first.file("secrets.yaml", "db/creds: first value\n");
    let path = first.folder().join("secrets.yaml").display().to_string();
    let first = first.start();
    let token = "journal_token = { env = \"FEED\" }";
    let second = instance(&format!("http://{}", first.address), token, &path, "1h", &[("FEED", &first.token)]).start();
    assert_eq!((first.value("db/creds"), second.value("db/creds")), ("first value".into(), "first value".into()));
    first.home().file("secrets.yaml", "db/creds: second value\n");
    until("the second value", || (second.value("db/creds") == "second value").then_some(()));
    let feed = first.get("/api/v1/changes");
    assert_eq!((feed.status, feed.member("/changes/0/change/name/name")), (200, "db/creds".to_owned()));
    assert!(!String::from_utf8_lossy(&feed.body).contains("second value"), "a change holds no value");
}

/// Redis is killed while an instance serves, the secret changes while nobody can tell, and Redis comes back.
fn while_redis_is_away(on_outage: &str, away: impl Fn(&Running)) {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = RedisServer::start(require!(servers::redis()), folder.path(), &[]);
    let more = format!("on_outage = \"{on_outage}\"");
    let journal = format!("redis://127.0.0.1:{}/story", redis.port());
    let lockstep = instance(&journal, &more, "secrets.yaml", "1h", &[]);
    lockstep.file("secrets.yaml", "db/creds: old value\n");
    let path = lockstep.folder().join("secrets.yaml").display().to_string();
    let lockstep = lockstep.start();
    // Somebody else has told of a change, and goes away: an empty journal has nothing to lose.
    let teller = instance(&journal, "", &path, "20ms", &[]).start();
    assert_eq!(
        (teller.value("db/creds"), lockstep.value("db/creds")),
        ("old value".to_owned(), "old value".to_owned())
    );
    lockstep.home().file("secrets.yaml", "db/creds: first value\n");
    until("the change that was told", || (lockstep.value("db/creds") == "first value").then_some(()));
    teller.stop();
    redis.kill();
    away(&lockstep);
    // Longer than the bound after the last check that succeeded: until then an old value is within it, gap or not.
    std::thread::sleep(Duration::from_millis(400));
    lockstep.home().file("secrets.yaml", "db/creds: second value\n");
    redis.run();
    until("what has changed meanwhile", || {
        let answer = lockstep.get(SECRET);
        if answer.status != 200 {
            return None;
        }
        let is_marked = answer.header("cache-status").contains("stale");
        let is_old = answer.member("/value") == "first value";
        assert!(is_marked || !is_old, "trust is back, and what was missed is not seen: {answer:?}");
        (!is_old && !is_marked).then_some(())
    });
}

// Break: leave `run_id` out of Redis's epoch, or `supersede_older` out of the gap.
#[test]
fn c13_with_serve_what_is_held_goes_on_marked_while_redis_is_dead_and_is_due_when_it_is_back() {
    while_redis_is_away("serve", |lockstep| {
        until("a marked answer", || {
            let answer = lockstep.get(SECRET);
            assert_eq!((answer.status, answer.member("/value")), (200, "first value".to_owned()));
            answer.header("cache-status").contains("detail=stale-").then_some(())
        });
    });
}

#[test]
fn c13_with_fail_what_is_held_is_refused_while_redis_is_dead_and_is_due_when_it_is_back() {
    while_redis_is_away("fail", |lockstep| {
        let refused = until("a refusal", || {
            let answer = lockstep.get(SECRET);
            (answer.status != 200).then_some(answer)
        });
        assert!([502, 503, 504].contains(&refused.status), "{refused:?}");
    });
}
