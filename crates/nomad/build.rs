//! Asks the linker for a small release binary, where it can make one.

use std::path::Path;
use std::process::{Command, Stdio};

const SMALLER: [&str; 2] = [
    // Functions that came out alike are one: serde makes thousands of them.
    "-Wl,--icf=all",
    // What is moved at the start of the process is a bitmap, not a table of 24 bytes each.
    "-Wl,-z,pack-relative-relocs",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for wish in SMALLER.into_iter().filter(|wish| known(wish)) {
            println!("cargo:rustc-link-arg-bins={wish}");
        }
    }
}

/// Whether the linker of this toolchain knows an option: it is asked to link a program of nothing.
fn known(wish: &str) -> bool {
    let (Some(rustc), Some(out), Some(target)) = (
        std::env::var_os("RUSTC"),
        std::env::var_os("OUT_DIR"),
        std::env::var_os("TARGET"),
    ) else {
        return false;
    };
    let source = Path::new(&out).join("nothing.rs");
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut command = Command::new(rustc);
    command
        .args(["--edition=2024", "--target"])
        .arg(target)
        .arg(format!("-Clink-arg={wish}"))
        .arg("--out-dir")
        .arg(&out)
        .arg(&source)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
