//! Chains as they are written, and whatever may be done to them afterwards.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const KEY: &str = "a key of at least thirty-two bytes";

fn key(text: &str) -> Arc<ChainKey> {
    Arc::new(ChainKey::new(&text.into()).unwrap())
}

fn access(name: &str) -> AuditRecord {
    AuditRecord {
        at: UnixMillis(1_767_225_600_000),
        request_id: "r1".into(),
        principal: "local".into(),
        peer: None,
        action: "get",
        provider: None,
        name: name.into(),
        version: None,
        outcome: Outcome::Released,
        cached: false,
        policy: None,
        count: 1,
    }
}

/// A file that is written as a sink writes it.
struct File {
    text: Vec<u8>,
    chain: Chain,
}

impl File {
    fn new(key: Option<Arc<ChainKey>>) -> Self {
        let mut file = Self { text: Vec::new(), chain: Chain::new([7; 8], key) };
        file.start();
        file
    }

    fn put(&mut self, line: &ChainLine) {
        self.text.extend_from_slice(line.text.as_bytes());
        self.text.push(b'\n');
        self.chain.take(line);
    }

    /// As a process does that finds the file.
    fn start(&mut self) {
        self.start_after(None, false);
    }

    fn start_after(&mut self, own: Option<&Chain>, moved: bool) {
        let tail = ChainTail::of(&self.text);
        if tail.unended {
            self.text.push(b'\n');
        }
        let offset = Some(self.text.len() as u64);
        let place = ChainPlace { previous: tail.previous, torn: tail.torn, offset, moved };
        let writer = ChainWriter { version: "0.1.0".into(), host: "here".into(), process: 1 };
        self.put(&self.chain.start(UnixMillis(1_767_225_600_000), &writer, &place, own));
    }

    /// Another process goes on.
    fn restart(&mut self, id: u8) {
        self.chain = Chain::new([id; 8], self.chain.key());
        self.start();
    }

    /// A process goes on that has written this chain before.
    fn again(&mut self, id: u8, own: &Chain, moved: bool) {
        self.chain = Chain::new([id; 8], self.chain.key());
        self.start_after(Some(own), moved);
    }

    fn records(mut self, count: usize) -> Self {
        for number in 0..count {
            let json = access(&format!("db/{number}\n\u{1b}<é")).to_json();
            self.put(&self.chain.record(&json));
        }
        self
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        self.text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
}

fn verify(text: &[u8]) -> ChainReport {
    verify_with(&[text], &[])
}

fn verify_with(files: &[&[u8]], keys: &[&str]) -> ChainReport {
    let mut verifier = ChainVerifier::new(keys.iter().map(|text| (*key(text)).clone()).collect());
    for (at, file) in files.iter().enumerate() {
        if at > 0 {
            verifier.next_file();
        }
        for piece in file.chunks(7) {
            verifier.feed(piece);
        }
    }
    verifier.finish()
}

fn fault(report: &ChainReport) -> Option<(u64, ChainFault)> {
    report.broken.as_ref().map(|broken| (broken.line, broken.fault))
}

#[test]
fn a_chain_is_whole_as_it_was_written_and_says_where_it_ends() {
    let file = File::new(None).records(3);
    let report = verify(&file.text);
    assert_eq!(fault(&report), None, "{report:?}");
    assert_eq!((report.lines, report.records, report.chains, report.keyed), (4, 3, 1, false));
    let end = report.end.unwrap();
    assert_eq!((&*end.chain, end.seq, end.hash), ("0707070707070707", 3, file.chain.last()));
    assert_eq!(report.first.as_deref(), Some("2026-01-01T00:00:00Z"));
}

/// M6: break `escape_beyond_ascii` in `Note::to_json`.
#[test]
fn m6_every_line_of_a_chain_is_printable_ascii() {
    let mut file = File::new(None).records(1);
    let writer = ChainWriter { version: "\u{202e}<".into(), host: "h\n\u{1b}".into(), process: 1 };
    file.put(&file.chain.start(UnixMillis(0), &writer, &ChainPlace::default(), None));
    for line in file.lines() {
        let line = line.strip_suffix(b"\n").unwrap();
        assert!(line.iter().all(|byte| (0x20..0x7f).contains(byte) && *byte != b'<'), "{line:?}");
    }
}

/// Break: the hash in `ChainVerifier::accept`, or a check of `Parts::of`.
#[test]
fn a_flipped_bit_of_any_byte_of_any_line_is_found() {
    let mut file = File::new(None).records(2);
    file.restart(8);
    let file = file.records(1);
    for at in 0..file.text.len() {
        for bit in [0x01, 0x02, 0x04, 0x20, 0x80] {
            let mut text = file.text.clone();
            text[at] ^= bit;
            let report = verify(&text);
            assert!(report.broken.is_some(), "byte {at} bit {bit:#x} of {}", String::from_utf8_lossy(&text));
        }
    }
}

proptest! {
    #[test]
    fn any_other_byte_anywhere_is_found_with_and_without_a_key(
        keyed: bool, records in 0_usize..4, at: prop::sample::Index, byte: u8,
    ) {
        let file = File::new(keyed.then(|| key(KEY))).records(records);
        let mut text = file.text.clone();
        let at = at.index(text.len());
        prop_assume!(text[at] != byte);
        text[at] = byte;
        let keys: &[&str] = if keyed { &[KEY] } else { &[] };
        prop_assert!(verify_with(&[&text], keys).broken.is_some());
    }

    #[test]
    fn no_bytes_make_the_verifier_fail(bytes: Vec<u8>, line in r#"\{"seq":[0-9]{1,3},"chain":"[0-9a-f]{16}",.{0,40}"hash":"[0-9a-f]{64}"\}"#) {
        verify(&bytes);
        verify(line.as_bytes());
        ChainTail::of(&bytes);
    }

    #[test]
    fn lines_in_any_other_order_are_found(order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut file = File::new(None).records(2);
        file.restart(8);
        let lines = file.records(2).lines();
        let text: Vec<u8> = order.iter().flat_map(|at| lines[*at].clone()).collect();
        prop_assert_eq!(verify(&text).broken.is_none(), order.is_sorted());
    }
}

/// Break: an arm of `ChainVerifier::chained`.
#[test]
fn dropped_swapped_duplicated_and_foreign_lines_are_told_apart() {
    let lines = File::new(None).records(5).lines();
    let mut other = File::new(None);
    other.restart(9);
    let other = other.records(3).lines();
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        fault(&verify(&lines.concat()))
    };
    assert_eq!(with(&|_| ()), None);
    assert_eq!(with(&|lines| drop(lines.remove(2))), Some((3, ChainFault::Dropped)));
    assert_eq!(with(&|lines| drop(lines.remove(0))), Some((1, ChainFault::Dropped)));
    assert_eq!(with(&|lines| drop(lines.drain(2..4))), Some((3, ChainFault::Dropped)));
    assert_eq!(with(&|lines| drop(lines.remove(4))), Some((5, ChainFault::Dropped)), "the last but one");
    assert_eq!(with(&|lines| lines.swap(2, 3)), Some((3, ChainFault::Swapped)));
    assert_eq!(with(&|lines| lines.insert(3, lines[2].clone())), Some((4, ChainFault::Duplicated)));
    assert_eq!(with(&|lines| lines.insert(5, lines[2].clone())), Some((6, ChainFault::Duplicated)));
    assert_eq!(with(&|lines| lines.insert(1, lines[0].clone())), Some((2, ChainFault::Duplicated)));
    assert_eq!(with(&|lines| lines.insert(2, other[2].clone())), Some((3, ChainFault::Foreign)));
    assert_eq!(with(&|lines| lines.insert(2, other[1].clone())), Some((3, ChainFault::Dropped)), "a chain of its own");
    assert_eq!(with(&|lines| lines.insert(2, b"{}\n".to_vec())), Some((3, ChainFault::Edited)));
    assert_eq!(with(&|lines| lines.push(b"junk\n".to_vec())), Some((7, ChainFault::Edited)));
    assert_eq!(with(&|lines| lines[2] = b"\n".to_vec()), Some((3, ChainFault::Edited)));
}

/// Break: `take_while` in `ChainTail::of`, or `is_in_place` in `ChainVerifier::starts`.
#[test]
fn whole_chains_that_are_missing_are_found_where_later_ones_tell_of_them() {
    let mut file = File::new(None);
    file.restart(8);
    file.restart(9);
    let lines = file.lines();
    assert_eq!(fault(&verify(&lines.concat())), None);
    assert_eq!(fault(&verify(&lines[1..].concat())), Some((1, ChainFault::Dropped)));
    assert_eq!(fault(&verify(&[lines[0].clone(), lines[2].clone()].concat())), Some((2, ChainFault::Dropped)));
}

/// Two processes write by turns; then lines are cut out, and one of the two goes on behind the cut.
/// Break: `has_own` in `ChainVerifier::starts`.
#[test]
fn lines_that_are_cut_out_before_their_own_writer_goes_on_are_missed_by_it() {
    let writer = ChainWriter { version: "0.1.0".into(), host: "here".into(), process: 1 };
    let mut file = File::new(None).records(2);
    let mine = file.chain.clone();
    file.restart(8);
    let file = file.records(2);
    let others = file.chain.clone();
    // What is cut: nothing, the last line, all lines of the other, all but the first line.
    for (kept, mine_is_whole, others_is_whole) in
        [(6, true, true), (5, true, false), (3, true, false), (1, false, false)]
    {
        for (own, is_whole) in [(&mine, mine_is_whole), (&others, others_is_whole)] {
            let mut next = File { text: file.lines()[..kept].concat(), chain: Chain::new([9; 8], None) };
            let previous = ChainTail::of(&next.text).previous;
            next.start_after(Some(own), false);
            let found = fault(&verify(&next.text));
            assert_eq!(found, (!is_whole).then_some((kept as u64 + 1, ChainFault::Dropped)), "{kept}");
            // Where what was before is in other files, it can't be known.
            let place = ChainPlace { previous, ..ChainPlace::default() };
            let mut alone = File { text: Vec::new(), chain: Chain::new([9; 8], None) };
            alone.put(&alone.chain.start(UnixMillis(0), &writer, &place, Some(own)));
            let report = verify(&alone.text);
            assert_eq!((fault(&report), report.elsewhere), (None, 1));
        }
    }
}

/// Break: `own_moved` in `Chain::start` or in `has_own`, or the count of what is elsewhere.
#[test]
fn of_a_file_that_others_have_moved_away_it_is_said_that_nothing_is_known() {
    let mine = File::new(None).records(2).chain;
    for (moved, found) in [(true, (None, 1)), (false, (Some((2, ChainFault::Dropped)), 0))] {
        let mut file = File { text: Vec::new(), chain: Chain::new([8; 8], None) };
        file.start();
        file.again(9, &mine, moved);
        let report = verify(&file.text);
        assert_eq!((fault(&report), report.elsewhere), found, "{moved}");
    }
    // What is there of it has to be all of it.
    let mut cut = File { text: File::new(None).records(1).text, chain: Chain::new([7; 8], None) };
    cut.again(9, &mine, true);
    assert_eq!(fault(&verify(&cut.text)), Some((3, ChainFault::Dropped)));
}

/// A first line whose writer took it for unwritten comes once more, under another id.
/// Break: forget a chain once it was named.
#[test]
fn a_chain_that_is_named_twice_is_there_twice() {
    let mut file = File::new(None).records(2);
    let mine = file.chain.clone();
    file.restart(8);
    file.again(9, &mine, false);
    file.again(10, &mine, false);
    assert_eq!(fault(&verify(&file.text)), None);
}

/// Break: the look for what was named in `end_chain`, or `has_forgotten` there.
#[test]
fn of_too_many_chains_those_are_forgotten_first_whose_writer_has_gone_on() {
    for (named, found) in [(true, (Some((5005, ChainFault::Dropped)), 0)), (false, (None, 1))] {
        let mut file = File::new(None).records(2);
        let mut mine = file.chain.clone();
        mine.take(&mine.record(&access("db").to_json()));
        file.restart(8);
        for _ in 0..5000 {
            let before = file.chain.clone();
            if named { file.again(9, &before, false) } else { file.restart(9) }
        }
        file.again(10, &mine, false);
        let report = verify(&file.text);
        assert_eq!((fault(&report), report.elsewhere), found, "{named}");
    }
}

/// Kill -9 at any byte, and once more at any byte of what the next process writes first.
/// Break: `torn` in `ChainTail::of`, or `Odd` in the verifier.
#[test]
fn a_file_that_is_cut_off_anywhere_is_whole_up_to_there_and_goes_on_whole() {
    let whole = File::new(None).records(3);
    let starts: Vec<usize> =
        whole.lines().iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
    for cut in 1..=whole.text.len() {
        let text = &whole.text[..cut];
        // A line counts without its line break too.
        let complete = starts.iter().skip(1).chain([&whole.text.len()]).filter(|end| cut + 1 >= **end).count() as u64;
        let report = verify(text);
        assert_eq!(report.lines, complete, "{cut}");
        let rest = text.iter().rposition(|byte| *byte == b'\n').map_or(cut, |at| cut - at - 1);
        if complete > 0 {
            assert_eq!(fault(&report), None, "{cut}");
            let is_torn = rest > 0 && !text.ends_with(b"\"}");
            assert_eq!(report.tail, is_torn.then_some(rest as u64), "{cut}");
        } else {
            assert_eq!(fault(&report), Some((1, ChainFault::Missing)), "{cut}");
        }
        let mut next = File { text: text.to_vec(), chain: Chain::new([8; 8], None) };
        next.start();
        let again = next.records(2);
        let report = verify(&again.text);
        assert_eq!((fault(&report), report.records), (None, complete.saturating_sub(1) + 2), "{cut}");
        // The process that went on was killed too.
        for second in (text.len()..again.text.len()).step_by(13) {
            let mut third = File { text: again.text[..second].to_vec(), chain: Chain::new([9; 8], None) };
            let report = verify(&third.text);
            assert!(
                report.broken.is_none_or(|broken| broken.fault == ChainFault::Missing || second < cut + 12),
                "{cut} {second}"
            );
            third.start();
            let report = verify(&third.records(1).text);
            assert_eq!(fault(&report), None, "{cut} {second} {report:?}");
        }
    }
}

/// Break: `has_more_than_a_line`.
#[test]
fn a_line_break_that_became_something_else_is_an_edit_and_none_at_all_is_not() {
    let mut text = File::new(None).records(2).text;
    text.pop();
    let report = verify(&text);
    assert_eq!((fault(&report), report.records, report.tail), (None, 2, None));
    text.push(b' ');
    assert_eq!(fault(&verify(&text)), Some((3, ChainFault::Edited)));
}

/// Break: `CUT_START` in `ChainVerifier::unended`.
#[test]
fn a_torn_end_does_not_hide_an_edited_line_before_it() {
    let mut file = File::new(None).records(2);
    let at = file.text.len() - 3;
    file.text[at] = b'x';
    file.text.extend_from_slice(b"{\"seq\":3,\"ch");
    assert_eq!(fault(&verify(&file.text)), Some((3, ChainFault::Edited)));
}

#[test]
fn lines_of_before_there_was_a_chain_are_counted_and_not_vouched_for() {
    let mut file = File { text: b"{\"old\":1}\n{\"old\":2}\n".to_vec(), chain: Chain::new([1; 8], None) };
    file.start();
    let file = file.records(1);
    let report = verify(&file.text);
    assert_eq!((fault(&report), report.unchained, report.records), (None, 2, 1));
    // One of them less, and the chain stands where it was not written.
    assert_eq!(fault(&verify(&file.text[10..])), Some((2, ChainFault::Dropped)));
}

/// Break: `hash` without its key, or any arm of `takes_key`.
#[test]
fn with_a_key_only_its_owner_writes_what_is_whole() {
    let file = File::new(Some(key(KEY))).records(2);
    let report = verify_with(&[&file.text], &["another key of thirty-two bytes..", KEY]);
    assert_eq!((fault(&report), report.keyed), (None, true), "one of the keys fits");
    assert_eq!(fault(&verify(&file.text)), Some((1, ChainFault::Key)));
    assert_eq!(fault(&verify_with(&[&file.text], &["another key of thirty-two bytes.."])), Some((1, ChainFault::Key)));
    // Somebody without the key writes the whole file anew.
    let forged = File::new(None).records(2);
    assert_eq!(fault(&verify_with(&[&forged.text], &[KEY])), Some((1, ChainFault::Key)));
    assert_eq!(fault(&verify(&forged.text)), None, "without a key, whoever can write the file can make it anew");
    // The same under the key's name.
    let name = format!("\"key\":\"{}\",", key(KEY).name());
    let text = String::from_utf8(forged.text).unwrap().replacen("\"offset\"", &format!("{name}\"offset\""), 1);
    assert_eq!(fault(&verify_with(&[text.as_bytes()], &[KEY])), Some((1, ChainFault::Edited)));
}

#[test]
fn a_short_key_is_refused_and_none_is_shown() {
    let error = ChainKey::new(&"short".into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("short\""), "{error}");
    assert!(!format!("{:?}", key(KEY)).contains("thirty"), "{:?}", key(KEY));
}

/// Break: `goes_on`.
#[test]
fn a_chain_goes_on_in_the_next_file_and_each_file_stands_alone() {
    let first = File::new(None).records(2);
    let mut second = File { text: Vec::new(), chain: first.chain.clone() };
    second.put(&second.chain.continued(UnixMillis(0)));
    let second = second.records(2);
    let mut third = File { text: Vec::new(), chain: second.chain.clone() };
    third.put(&third.chain.continued(UnixMillis(0)));
    let third = third.records(1);
    let report = verify_with(&[&first.text, &second.text, &third.text], &[]);
    assert_eq!((fault(&report), report.records, report.lines, report.follows), (None, 5, 8, None));
    let report = verify_with(&[&second.text, &third.text], &[]);
    assert_eq!((fault(&report), report.records, report.follows), (None, 3, Some(first.chain.last())));
    let report = verify_with(&[&first.text, &third.text], &[]);
    assert_eq!(report.broken.map(|broken| (broken.file, broken.line, broken.fault)), Some((1, 1, ChainFault::Dropped)));
    let report = verify_with(&[&third.text, &first.text], &[]);
    assert!(report.broken.is_some());
}

#[test]
fn what_was_lost_is_counted_in_the_chain() {
    let mut file = File::new(None).records(1);
    file.put(&file.chain.record(&lost_line(UnixMillis(0), 41)));
    let file = file.records(1);
    let report = verify(&file.text);
    assert_eq!((fault(&report), report.records, report.lost), (None, 2, 41));
}

/// What an access says of itself, a caller has chosen: it must not pass for what the chain says.
#[test]
fn a_name_that_looks_like_a_start_is_a_name() {
    let mut file = File::new(None);
    for record in [
        access("\",\"action\":\"chain-start\",\"hash\":\""),
        AuditRecord { request_id: "\"action\":\"lost\"".into(), ..access("x") },
    ] {
        file.put(&file.chain.record(&record.to_json()));
    }
    let report = verify(&file.text);
    assert_eq!((fault(&report), report.records, report.chains, report.lost), (None, 2, 1, 0));
}

/// Break: `MAX_LINE_BYTES`.
#[test]
fn a_line_without_end_is_no_line_and_is_not_kept() {
    let mut verifier = ChainVerifier::new(Vec::new());
    verifier.feed(&File::new(None).records(1).text);
    for _ in 0..1000 {
        verifier.feed(&[b'x'; 4096]);
    }
    assert!(verifier.kept() <= 512 << 10, "{}", verifier.kept());
    assert_eq!(fault(&verifier.finish()), Some((3, ChainFault::Edited)));
}
