//! The suite as a command. Credentials come from variables, since arguments are for everybody to see.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its report is its output")]

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep_conformance::{Endpoint, Inputs, run};
use lockstep_core::Env as _;
use lockstep_native::ProcessEnv;

const USAGE: &str = "\
lockstep-conformance BASE_URL --prefix NAME --provider ALIAS [options]

  LOCKSTEP_CONFORMANCE_CREDENTIAL   the caller's bearer credential
  LOCKSTEP_CONFORMANCE_OUTSIDER     that of one who may do nothing (optional)

  --prefix NAME        the seeds stand below it (see tests/conformance/README.md)
  --provider ALIAS     the provider that holds them
  --odd ALIAS          the provider that holds the name of letters from anywhere
  --ca FILE            the root to trust, in PEM
  --differs FILE       lines of `sentence = reason`: cases that somebody else's front makes different
  --local              the listener is for its own machine alone
  --hides-denied       what is denied looks like what is not there
  --journal            there is a journal

Exit codes: 0 every case holds, 1 one does not, 2 usage.";

struct Told {
    inputs: Inputs,
    differences: Vec<(String, String)>,
}

fn told() -> Result<Told, String> {
    let mut inputs = Inputs::default();
    let mut differences = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--prefix" => inputs.prefix = value()?,
            "--provider" => inputs.provider = value()?,
            "--odd" => inputs.odd_provider = Some(value()?),
            "--ca" => inputs.ca = Some(PathBuf::from(value()?)),
            "--differs" => differences = list(&value()?)?,
            "--local" => inputs.is_local = true,
            "--hides-denied" => inputs.hides_denied = true,
            "--journal" => inputs.has_journal = true,
            url if !url.starts_with('-') && inputs.base_url.is_empty() => {
                url.trim_end_matches('/').clone_into(&mut inputs.base_url);
            }
            other => return Err(format!("{other} is not known")),
        }
    }
    let credential = ProcessEnv.var("LOCKSTEP_CONFORMANCE_CREDENTIAL").unwrap_or_default();
    for (what, text) in [
        ("BASE_URL", &inputs.base_url),
        ("--prefix", &inputs.prefix),
        ("--provider", &inputs.provider),
        ("LOCKSTEP_CONFORMANCE_CREDENTIAL", &credential),
    ] {
        if text.is_empty() {
            return Err(format!("{what} is missing"));
        }
    }
    let outsider = ProcessEnv.var("LOCKSTEP_CONFORMANCE_OUTSIDER").filter(|text| !text.is_empty());
    Ok(Told { inputs: Inputs { credential, outsider, ..inputs }, differences })
}

fn list(path: &str) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (sentence, why) = line.split_once(" = ").ok_or_else(|| format!("{path}: no ` = ` in {line:?}"))?;
            Ok((sentence.trim().to_owned(), why.trim().to_owned()))
        })
        .collect()
}

fn main() -> ExitCode {
    let told = match told() {
        Ok(told) => told,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let endpoint = match Endpoint::new(told.inputs) {
        Ok(endpoint) => endpoint,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let differences: Vec<_> =
        told.differences.iter().map(|(sentence, why)| (sentence.as_str(), why.as_str())).collect();
    let report = run(&endpoint, &differences);
    println!("{report}");
    if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
