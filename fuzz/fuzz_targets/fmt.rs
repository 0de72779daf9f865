//! `cargo fuzz run fmt`: see [`targets::fmt`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::fmt(data));
