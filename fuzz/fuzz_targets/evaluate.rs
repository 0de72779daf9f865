//! `cargo fuzz run evaluate`: see [`targets::evaluate`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::evaluate(data));
