//! `lockstep audit verify`: is the chain whole, and where does it end. It needs no configuration, and reads files of any
//! size with a small buffer.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lockstep_core::{ChainBreak, ChainFault, ChainKey, ChainReport, ChainVerifier, Error, ErrorKind, SecretValue};
use serde_json::{Value, json};

use crate::arguments::AuditVerb;
use crate::failure::Failure;
use crate::host::Host;
use crate::output::{Output, printable};

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The longest file with a key.
const MAX_KEY_BYTES: usize = 64 << 10;
/// The most files that one was rotated to.
const MAX_ROTATED: u32 = 1000;

pub(crate) fn run(what: AuditVerb, host: &Host, output: Output) -> Result<(), Failure> {
    let AuditVerb::Verify { files, key_env, key_file } = what;
    let keys = keys(host, &key_env, &key_file)?;
    let has_keys = !keys.is_empty();
    let files = with_rotated(files);
    let mut verifier = ChainVerifier::new(keys);
    for (at, path) in files.iter().enumerate() {
        if at > 0 {
            verifier.next_file();
        }
        if !read(path, &mut verifier)? {
            break;
        }
    }
    let report = verifier.finish();
    if let (false, Some(ChainFault::Key)) = (has_keys, report.broken.as_ref().map(|broken| broken.fault)) {
        return Err(usage("this chain was made with a key; name it with `--key-env NAME` or `--key-file PATH`"));
    }
    if output.json {
        output.json(&in_json(&report, &files))?;
    } else {
        output.data(&in_words(&report, &files))?;
    }
    match &report.broken {
        None => Ok(()),
        Some(broken) => {
            let place = format!("{}:{}", name(&files, broken), broken.line);
            Err(Failure::Verdict(Error::new(ErrorKind::Conflict, format!("the chain is broken at {place}"))))
        }
    }
}

fn usage(message: impl Into<Box<str>>) -> Failure {
    Failure::Verdict(Error::new(ErrorKind::Config, message))
}

fn keys(host: &Host, variables: &[String], files: &[PathBuf]) -> Result<Vec<ChainKey>, Failure> {
    let mut keys = Vec::new();
    for name in variables {
        let text =
            host.ports.env.var(name).ok_or_else(|| usage(format!("the variable {name} is not set, or empty")))?;
        keys.push(SecretValue::from(text));
    }
    for path in files {
        let content = host.ports.files.read(path, MAX_KEY_BYTES).map_err(|error| usage(error.message()))?;
        keys.push(SecretValue::from(content.bytes.trim_ascii_end()));
    }
    keys.iter().map(|key| ChainKey::new(key).map_err(|error| usage(error.message()))).collect()
}

/// The one file with those that it was rotated to before it; several files as they are named.
fn with_rotated(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let [newest] = files.as_slice() else { return files };
    let numbered = |number: u32| {
        let mut name = newest.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let rotated = (1..=MAX_ROTATED).map(numbered).take_while(|path| path.is_file());
    let mut all: Vec<_> = std::iter::once(newest.clone()).chain(rotated).collect();
    all.reverse();
    all
}

/// Says whether there is a point in reading on.
fn read(path: &Path, verifier: &mut ChainVerifier) -> Result<bool, Failure> {
    let failed = |error: io::Error| usage(format!("can't read {} ({error}); name a file that exists", path.display()));
    let mut input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) if !verifier.feed(buffer.get(..read).unwrap_or_default()) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn name(files: &[PathBuf], broken: &ChainBreak) -> String {
    files.get(broken.file).map(|path| printable(&path.display().to_string())).unwrap_or_default()
}

fn in_words(report: &ChainReport, files: &[PathBuf]) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = match (&report.broken, &report.end) {
        (None, Some(end)) => writeln!(text, "whole up to line {} of chain {}", end.seq, end.chain),
        (Some(broken), _) => {
            let word = broken.fault.as_str();
            writeln!(text, "broken at {}:{}: {word}: {}", name(files, broken), broken.line, broken.message)
        }
        (None, None) => Ok(()),
    };
    let _ = writeln!(text, "records: {} (lines: {}, chains: {})", report.records, report.lines, report.chains);
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        let _ = writeln!(text, "from {} to {}", printable(first), printable(last));
    }
    if let Some(end) = &report.end {
        let _ = writeln!(text, "last whole line: {} of chain {}, hash {}", end.seq, end.chain, end.hash);
    }
    if let Some(bytes) = report.tail {
        let _ = writeln!(text, "the last line is incomplete ({bytes} bytes)");
    }
    if report.torn > 0 {
        let _ = writeln!(text, "{} bytes were cut off by the end of a process before", report.torn);
    }
    if report.lost > 0 {
        let _ = writeln!(text, "records of {} accesses were lost while they were written", report.lost);
    }
    if let Some(hash) = &report.follows {
        let _ = writeln!(text, "it follows {hash}, which is not in these files");
    }
    if report.elsewhere > 0 {
        let elsewhere = report.elsewhere;
        let _ =
            writeln!(text, "chains whose writer wrote another one before, which is not in these files: {elsewhere}");
    }
    if report.unchained > 0 {
        let _ = writeln!(text, "{} lines before the first chain are not vouched for", report.unchained);
    }
    if !report.keyed {
        text.push_str("without a key: whoever can write these files could have made them anew\n");
    }
    text
}

fn in_json(report: &ChainReport, files: &[PathBuf]) -> Value {
    let hash = |hash: &lockstep_core::ChainHash| hash.to_string();
    json!({
        "whole": report.broken.is_none(),
        "records": report.records,
        "lines": report.lines,
        "chains": report.chains,
        "first": report.first,
        "last": report.last,
        "end": report.end.as_ref().map(|end| json!({ "chain": end.chain, "seq": end.seq, "hash": hash(&end.hash) })),
        "incomplete_bytes": report.tail,
        "torn_bytes": report.torn,
        "lost": report.lost,
        "follows": report.follows.as_ref().map(hash),
        "elsewhere": report.elsewhere,
        "unchained_lines": report.unchained,
        "keyed": report.keyed,
        "broken": report.broken.as_ref().map(|broken| json!({
            "file": name(files, broken),
            "line": broken.line,
            "fault": broken.fault.as_str(),
            "message": broken.message,
        })),
    })
}
