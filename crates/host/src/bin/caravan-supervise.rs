//! The supervisor as a program of its own, for tests; the shipped binary is `nomad supervise`.

fn main() {
    let code = caravan_host::supervise_main(std::env::args_os().skip(1));
    std::process::exit(code);
}
