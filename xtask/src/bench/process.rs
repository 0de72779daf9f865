//! What `/proc` says of a process and its descendants.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Resident memory of one process in MiB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    field(&format!("/proc/{pid}/status"), "VmRSS:").map(|kib| kib / 1024.0)
}

/// Memory that is this process's share, in MiB.
pub(crate) fn proportional(pid: u32) -> Result<f64> {
    field(&format!("/proc/{pid}/smaps_rollup"), "Pss:").map(|kib| kib / 1024.0)
}

fn field(path: &str, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .with_context(|| format!("{path} has no {name}"))?;
    line.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{path}: {line:?}"))
}

/// Seconds of processor time so far, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Ok(fields.iter().sum::<f64>() / 100.0)
}

/// The supervisors of an agent's tasks, and the process that makes them.
pub(crate) fn supervisors(binary: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe"));
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        program.is_ok_and(|program| program == binary)
            && words.split(|byte| *byte == 0).nth(1) == Some(b"supervise")
    })
    .collect()
}
