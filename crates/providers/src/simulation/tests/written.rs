//! What is written, what is not, and what happens when it can't be.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use lockstep_core::{ErrorKind, Payload};

use super::*;
use crate::simulation::recording::MAX_BYTES;

/// M1. Break: write the JSON as it is, or leave `encrypt_inout_detached` out.
#[tokio::test]
async fn m1_the_file_holds_no_value_and_no_name_in_any_form() {
    let (studio, mock) = (Studio::new(), mock(&[("secret-name", CANARY)]));
    let record = studio.record(&mock);
    studio.replayed(&record, "secret-name").await.unwrap();
    studio.replayed(&record, "secret-name").await.unwrap();
    let file = studio.bytes();
    let opened: Vec<u8> = studio.lines().iter().flat_map(|line| STANDARD.decode(line).unwrap()).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    for word in [CANARY, "secret-name", "Access"] {
        let mut forms = vec![word.to_owned(), hex(word.as_bytes())];
        // Base64 within other base64: the three places where a group can begin.
        forms.extend(
            (0..3).map(|shift| STANDARD.encode(&word.as_bytes()[shift..word.len() - (word.len() - shift) % 3])),
        );
        for form in forms {
            for bytes in [&file, &opened] {
                assert!(!bytes.windows(form.len()).any(|window| window == form.as_bytes()), "{form}");
            }
        }
    }
    assert_ne!(studio.lines()[1], studio.lines()[2], "the same access is another line");
}

/// M1. Break: put the credential into the message of `Seal::read`.
#[tokio::test]
async fn m1_a_key_that_is_none_says_how_one_is_made_and_not_what_it_was() {
    let (studio, mock) = (Studio::new(), mock(&[]));
    for bad in ["canary", "Y2FuYXJ5", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33]), &"ab".repeat(32)] {
        studio.env.set("KEY", bad);
        let errors =
            [studio.try_record(&mock).err().unwrap(), Replay::new(recording(), &studio.ports()).err().unwrap()];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains("openssl rand -base64 32"), "{error}");
            assert!(!format!("{error:?}").contains(bad), "{error:?}");
        }
    }
}

/// Break: take the number of a line outside of the lock in `Writer::write`.
#[tokio::test]
async fn a_thousand_reads_at_once_are_recorded_each_and_in_order() {
    let (studio, mock) = (Studio::new(), mock(&[]));
    let names: Vec<_> = (0..1000).map(|number| format!("n{number}")).collect();
    for name in &names {
        mock.put(&super::name(name), Payload::text(name.as_str()));
    }
    let record = studio.record(&mock);
    std::thread::scope(|scope| {
        for names in names.chunks(125) {
            let (record, studio) = (&record, &studio);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let reads = names.iter().map(|name| studio.replayed(record, name));
                runtime.block_on(join_all(reads)).into_iter().for_each(|read| drop(read.unwrap()));
            });
        }
    });
    assert_eq!((record.lost(), studio.lines().len()), (0, 1001));
    let replay = studio.replay();
    let mut heard = BTreeSet::new();
    for name in &names {
        let secret = studio.replayed(&replay, name).await.unwrap();
        assert_eq!(text(&secret), name);
        heard.insert(text(&secret).to_owned());
    }
    assert_eq!(heard.len(), 1000);
}

/// Break: return the error of `append` from `Record::get`, tell each loss, or leave `lost` out of the line.
#[tokio::test]
async fn a_write_that_fails_fails_no_read_and_is_counted_and_told_once_a_minute() {
    let (studio, mock, heard) = (Studio::new(), mock(&[("a", CANARY)]), Heard::default());
    let listening = tracing::subscriber::set_default(heard.clone());
    let record = studio.record(&mock);
    studio.files.fail_appends(Some(ErrorKind::Unavailable));
    for (minutes, told) in [(0, 1), (0, 1), (1, 2)] {
        studio.clock.advance(Duration::from_mins(minutes));
        assert_eq!(text(&studio.replayed(&record, "a").await.unwrap()), CANARY);
        assert_eq!(heard.lines().len(), told);
    }
    assert_eq!(record.lost(), 3);
    studio.files.fail_appends(None);
    studio.replayed(&record, "a").await.unwrap();
    studio.files.fail_appends(Some(ErrorKind::Unavailable));
    studio.replayed(&record, "a").await.unwrap();
    studio.files.fail_appends(None);
    mock.put(&name("a"), Payload::text("later"));
    studio.replayed(&record, "a").await.unwrap();

    let replay = studio.replay();
    assert_eq!(text(&studio.replayed(&replay, "a").await.unwrap()), CANARY);
    assert_eq!(text(&studio.replayed(&replay, "a").await.unwrap()), "later");
    let lines = heard.lines();
    assert!(lines.last().unwrap().contains("the recording is not whole") && lines.last().unwrap().contains("lost=4"));
    assert!(!lines.concat().contains(CANARY), "{lines:?}");
    drop(listening);
}

/// Break: leave the length of what is there out of `Run::bytes`.
#[tokio::test]
async fn a_full_recording_ends_and_its_provider_does_not() {
    let (studio, mock) = (Studio::new(), mock(&[]));
    // Base64 of base64 is 16/9 of the value: two of them fit, and a third does not.
    let length = MAX_BYTES / 4;
    for name in ["a", "b", "c"] {
        mock.put(&super::name(name), Payload::binary(vec![1; length]));
    }
    for (name, lost) in [("a", 0), ("b", 0), ("c", 1)] {
        let record = studio.record(&mock);
        assert_eq!(studio.replayed(&record, name).await.unwrap().payload.size(), length);
        assert_eq!(record.lost(), lost, "{name}");
    }
    assert!(studio.replayed(&studio.replay(), "b").await.is_ok());
}

/// Break: leave the look at the last line out of `Writer::begin`.
#[tokio::test]
async fn what_is_no_recording_of_this_key_is_not_gone_on_with() {
    let (studio, mock) = (Studio::new(), mock(&[("a", "one")]));
    studio.replayed(&studio.record(&mock), "a").await.unwrap();
    let whole = studio.bytes();
    for (there, kind) in [
        (b"token = 1\n".to_vec(), ErrorKind::Decrypt),
        (vec![0xff, 0xfe], ErrorKind::Decrypt),
        (whole[..whole.len() - 1].to_vec(), ErrorKind::Decrypt),
        (vec![b'a'; MAX_BYTES + 1], ErrorKind::TooLarge),
    ] {
        studio.files.write(FILE, &there);
        assert_eq!(studio.try_record(&mock).err().unwrap().kind(), kind);
        assert_eq!(studio.bytes(), there, "and stays as it was");
    }
    studio.files.write(FILE, &whole);
    studio.env.set("KEY", &STANDARD.encode([8; 32]));
    assert_eq!(studio.try_record(&mock).err().unwrap().kind(), ErrorKind::Decrypt);
}
