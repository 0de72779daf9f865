//! The agent: starts the rooms that its configuration asks for, joins them, and stops them in order.

mod actions;
mod carry;
mod circle;
mod data;
mod gateway;
mod identity;
mod join;
mod leave;
mod link;
mod logging;
mod memory;
mod node;
mod node_calls;
mod peers;
mod reload;
mod rooms;
mod rpc;
mod secure;
mod server;
mod signals;
mod state_folder;
mod upstream;
mod volumes;

pub(crate) use circle::{Circle, Hello};
pub(crate) use logging::{Form, verbosity};
pub(crate) use reload::Reloader;
pub(crate) use secure::addresses as server_addresses;
pub(crate) use upstream::Upstream;

use crate::config::{AgentConfig, Machine};
use crate::{announce, startup};
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs `nomad agent` with these arguments, until it is told to stop.
#[must_use]
pub fn main(args: Vec<String>) -> ExitCode {
    let config = match startup::configure(&args, &Machine::gather()) {
        Ok(config) => config,
        Err(refusal) => {
            print!("{}", refusal.stdout);
            eprint!("{}", refusal.stderr);
            return ExitCode::from(refusal.code);
        }
    };
    startup::say(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Otherwise a variable of the host is asked, which may hold anything.
        .worker_threads(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .enable_all()
        .max_blocking_threads(memory::BLOCKING_THREADS)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(config, args)),
        Err(error) => refused(&format!(
            "the agent's threads could not be started: {error}"
        )),
    }
}

fn refused(why: &str) -> ExitCode {
    eprintln!("{}", announce::outputs(why));
    ExitCode::FAILURE
}

async fn run(config: AgentConfig, args: Vec<String>) -> ExitCode {
    let log = match logging::start(&config.settings) {
        Ok(log) => log,
        Err(why) => return refused(&why),
    };
    let config = Arc::new(config);
    let closing = CancellationToken::new();
    let _lock = match state_folder::claim(&config) {
        Ok(lock) => lock,
        Err(why) => return refused(&why),
    };
    let rooms = match rooms::start(&config, args, log, &closing).await {
        Ok(rooms) => rooms,
        Err(why) => return refused(&why),
    };
    println!(
        "{}",
        announce::configuration(&config, caravan_cli::VERSION, rooms.server_id.as_deref())
    );
    println!("{}", announce::STARTED);
    let giving_back = tokio::spawn(memory::give_back());
    let stop = signals::wait(&config, &rooms.reloader).await;
    giving_back.abort();
    let code = rooms.end(&config, stop).await;
    closing.cancel();
    code
}
