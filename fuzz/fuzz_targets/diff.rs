//! `cargo fuzz run diff`: see [`targets::diff`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::diff(data));
