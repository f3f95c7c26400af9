//! The verbs.

mod audit;
mod config;
mod dev;
mod events;
mod key;
mod policy;
mod read;
mod serve;

use crate::arguments::{Arguments, Verb};
use crate::failure::Failure;
use crate::host::Host;
use crate::output::Output;

/// Runs the verb of the command line.
pub(crate) async fn run(arguments: Arguments, host: &Host, output: Output) -> Result<(), Failure> {
    let everywhere = arguments.everywhere;
    match arguments.verb {
        Verb::Dev { dir, listen } => dev::run(&everywhere, dir, listen, host, output).await,
        Verb::Serve { listen } => serve::run(&everywhere, listen, host, output).await,
        Verb::Key { id } => key::run(&id, host, output),
        Verb::Policy { what } => policy::run(&everywhere, what, host, output),
        Verb::Audit { what } => audit::run(what, host, output),
        Verb::Events { what } => events::run(what, host, output),
        Verb::Config { what } => config::run(&everywhere, what, host, output),
        Verb::Get { reference, raw } => read::get(&read::open(&everywhere, host, output)?, &reference, raw).await,
        Verb::List { prefix } => read::list(&read::open(&everywhere, host, output)?, &prefix).await,
        Verb::Describe { name } => read::describe(&read::open(&everywhere, host, output)?, &name).await,
        Verb::Versions { name } => read::versions(&read::open(&everywhere, host, output)?, &name).await,
        Verb::Rotate { name } => read::rotate(&read::open(&everywhere, host, output)?, &name).await,
    }
}
