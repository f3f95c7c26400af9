//! What is printed beside the bars: a hit with every record written, and a batch against one read.

use std::fs;
use std::path::Path;

use super::contender::Contender;
use super::load::{Load, What};
use super::{best, proc};
use crate::failure::{Doing as _, Outcome};

/// Secrets in the batch.
const BATCH: usize = 20;

/// Rounds of each.
const ROUNDS: usize = 4;

/// CPU µs per request of the cheapest round.
#[derive(Debug)]
pub(super) struct Beside {
    /// One cached read, each with its own audit record.
    pub(super) full: f64,
    /// One cached read of the native API.
    pub(super) native: f64,
    /// A batch of [`BATCH`] cached reads.
    pub(super) batch: f64,
}

/// Measures `ours` (default config) and `full` (`audit.hits = full`), both with every secret cached.
pub(super) fn measure(load: &Load<'_>, ours: &Contender, full: &Contender, folder: &Path) -> Outcome<Beside> {
    let script = folder.join("batch.lua");
    fs::write(&script, batch()).at("write", &script)?;
    let shapes = [(full, What::Drop), (ours, What::Native), (ours, What::Batch(&script))];
    let mut cpu = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((contender, what), cpu) in shapes.iter().zip(&mut cpu) {
            let before = proc::cpu(contender.pid())?;
            let requests = load.press(contender, 1, *what)?;
            let after = proc::cpu(contender.pid())?;
            let spent = (after.user + after.system).saturating_sub(before.user + before.system);
            cpu.push(spent.as_secs_f64() * 1e6 / requests);
        }
    }
    let [full, native, batch] = cpu.map(|rounds| best(&rounds));
    Ok(Beside { full, native, batch })
}

/// wrk's script of the batch.
fn batch() -> String {
    let items: Vec<String> = (0..BATCH).map(|index| format!("{{\"name\":\"bench/s{index:04}\"}}")).collect();
    format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = '{{\"secrets\":[{}]}}'\n",
        items.join(",")
    )
}
