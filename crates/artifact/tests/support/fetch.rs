//! The fetching process as a program of its own, for tests.

fn main() {
    std::process::exit(caravan_artifact::fetch_main());
}
