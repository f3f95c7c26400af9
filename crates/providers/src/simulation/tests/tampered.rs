//! A recording that is not as it was written is refused whole.

use lockstep_core::{Error, ErrorKind};

use super::*;
use crate::simulation::recording::MAX_BYTES;

/// Five accesses of two runs: lines 1 to 4, and 5 to 7.
async fn recorded(studio: &Studio) -> Vec<String> {
    let mock = mock(&[("a", CANARY), ("b", "two")]);
    for names in [["a", "b", "a"].as_slice(), &["a", "b"]] {
        let record = studio.record(&mock);
        for name in names {
            studio.replayed(&record, name).await.unwrap();
        }
    }
    studio.lines()
}

/// What a replay says of the file as it is now. Nothing of it is answered.
async fn refusal(studio: &Studio, how: &str) -> Error {
    let replay = studio.replay();
    let error = studio.replayed(&replay, "a").await.err().unwrap_or_else(|| panic!("{how}: it was answered"));
    assert_eq!(replay.capabilities(), lockstep_core::Capabilities::default(), "{how}");
    let check = replay.check(&studio.call()).await.unwrap_err();
    assert_eq!(check.kind(), error.kind(), "{how}");
    assert!(!format!("{error:?}").contains(CANARY), "{how}: {error:?}");
    error
}

fn without(lines: &[String], at: usize) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.remove(at);
    lines
}

/// Break: leave the number, or `after` and `tail`, out of `fits` in `recording::read`.
#[tokio::test]
async fn lines_that_are_taken_out_doubled_or_moved_are_found() {
    let studio = Studio::new();
    let lines = recorded(&studio).await;
    assert_eq!(lines.len(), 7);
    let (mut swapped, mut doubled) = (lines.clone(), lines.clone());
    swapped.swap(1, 2);
    doubled.insert(2, lines[1].clone());
    let runs_swapped = [&lines[4..], &lines[..4]].concat();
    let run_doubled = [&lines[..], &lines[4..]].concat();
    // Another recording of the same key, and as long.
    let other = recorded(&Studio { random: TestRandom::seeded(2), ..Studio::new() }).await;
    let mut ways = vec![
        ("the first run is another's", [&other[..4], &lines[4..]].concat()),
        ("swapped", swapped),
        ("doubled", doubled),
        ("runs swapped", runs_swapped),
        ("run doubled", run_doubled),
        ("the first run is gone", lines[4..].to_vec()),
        ("the end of the first run is gone", without(&lines, 3)),
        ("a line from elsewhere", [&lines[..1], &lines[5..6], &lines[1..]].concat()),
    ];
    // Of the last line nobody can tell.
    ways.extend((0..6).map(|at| ("one is gone", without(&lines, at))));
    for (how, lines) in ways {
        studio.write_lines(&lines);
        let error = refusal(&studio, how).await;
        assert_eq!(error.kind(), ErrorKind::Decrypt, "{how}: {error}");
        assert!(error.message().contains("taken out, doubled or moved"), "{how}: {error}");
    }
    // The documented limit: what was cut off behind a whole line is as if it had not been recorded.
    studio.write_lines(&lines[..6]);
    assert!(studio.replayed(&studio.replay(), "a").await.is_ok());
}

/// Break: `then_some` the content whatever `decrypt_inout_detached` says, or open lines when they are asked for.
#[tokio::test]
async fn a_line_that_was_changed_anywhere_is_found_before_anything_is_answered() {
    let studio = Studio::new();
    let lines = recorded(&studio).await;
    for line in 0..lines.len() {
        // In the nonce, in what is sealed, in the tag.
        for at in [3, lines[line].len() / 2, lines[line].len() - 6] {
            let mut changed = lines.clone();
            let other = if changed[line].as_bytes()[at] == b'A' { "B" } else { "A" };
            changed[line].replace_range(at..=at, other);
            studio.write_lines(&changed);
            let error = refusal(&studio, "changed").await;
            assert_eq!(error.kind(), ErrorKind::Decrypt);
            assert!(error.message().contains(&format!("line {} of", line + 1)), "{error}");
            assert!(error.message().contains("can't be opened"), "{error}");
        }
    }
}

/// Break: leave the look at the last line feed out of `lines`.
#[tokio::test]
async fn what_is_cut_off_empty_foreign_or_missing_is_told_apart() {
    let studio = Studio::new();
    let whole = recorded(&studio).await.join("\n") + "\n";
    for cut in [1, 2, 5, 40] {
        studio.files.write(FILE, &whole[..whole.len() - cut]);
        let error = refusal(&studio, "cut").await;
        assert_eq!(error.kind(), ErrorKind::Decrypt);
        assert!(error.message().contains("line 7") && error.message().contains("is cut off"), "{error}");
    }
    for (there, kind, word) in [
        (Vec::new(), ErrorKind::Config, "is empty"),
        (b"db/creds: c4n4ry-of-the-recording\n".to_vec(), ErrorKind::Decrypt, "line 1"),
        (vec![0xff, b'\n'], ErrorKind::Decrypt, "line 1"),
        (format!("\n{whole}").into_bytes(), ErrorKind::Decrypt, "line 1"),
        (format!("{whole}\n").into_bytes(), ErrorKind::Decrypt, "line 8"),
        (vec![b'a'; MAX_BYTES + 1], ErrorKind::TooLarge, "at most"),
    ] {
        studio.files.write(FILE, there);
        let error = refusal(&studio, word).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(word), "{error}");
    }
    studio.files.remove(FILE);
    let error = refusal(&studio, "missing").await;
    assert_eq!(error.kind(), ErrorKind::Config, "a recording that is missing says nothing about a secret");
    // It is looked for again: it may be made by the same process.
    studio.files.write(FILE, &whole);
    assert!(studio.replayed(&studio.replay(), "a").await.is_ok());
    studio.env.set("KEY", &STANDARD.encode([8; 32]));
    let error = refusal(&studio, "another key").await;
    assert!(error.kind() == ErrorKind::Decrypt && error.message().contains("another key"), "{error}");
}
