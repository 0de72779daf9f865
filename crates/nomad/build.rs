//! Lets the linker fold functions that came out alike, where it can: serde makes thousands of them, and a third of
//! a release binary is such copies.

use std::path::Path;
use std::process::{Command, Stdio};

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && folds() {
        println!("cargo:rustc-link-arg-bins={FOLD}");
    }
}

/// Whether the linker of this toolchain knows how: it is asked to link a program of nothing.
fn folds() -> bool {
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
        .arg(format!("-Clink-arg={FOLD}"))
        .arg("--out-dir")
        .arg(&out)
        .arg(&source)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
