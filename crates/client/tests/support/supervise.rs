//! The supervisor as a program of its own, for the tests of the node agent.

fn main() {
    std::process::exit(caravan_host::supervise_main(std::env::args_os().skip(1)));
}
