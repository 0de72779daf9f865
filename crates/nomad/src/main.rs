//! The `nomad` binary: hands its arguments to the supervisor, the fetching process, the agent or the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next();
    match first.as_deref().and_then(std::ffi::OsStr::to_str) {
        // Before any thread exists: the supervisor forks.
        Some("supervise") => exit_code(caravan_host::supervise_main(args)),
        // What comes from elsewhere is handled by a process that is shut in.
        Some("fetch-artifact") => exit_code(caravan_artifact::fetch_main()),
        Some("agent") => {
            caravan_host::keep_inherited_from_programs();
            caravan_nomad::agent::main(text(args))
        }
        _ => caravan_cli::run(
            text(first.into_iter().chain(args)),
            caravan_cli::Lent {
                validate_config: caravan_nomad::startup::validate,
                look_into: caravan_nomad::folders::look_into,
                with_functions: caravan_client::with_sprig,
                wrong_blocks: caravan_client::wrong_blocks,
                words_of_parsing: caravan_client::words_of_parsing,
            },
        ),
    }
}

fn text(args: impl Iterator<Item = std::ffi::OsString>) -> Vec<String> {
    args.map(|arg| arg.to_string_lossy().into_owned()).collect()
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
