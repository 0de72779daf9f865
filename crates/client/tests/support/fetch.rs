//! The process that fetches artifacts as a program of its own, for the tests of the node agent.

fn main() {
    std::process::exit(caravan_artifact::fetch_main());
}
