//! `cargo fuzz run canonicalize`: see [`targets::canonicalize`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::canonicalize(data));
