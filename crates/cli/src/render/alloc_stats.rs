//! What a task uses, measure by measure.

use crate::format::size;
use crate::json::Fields;
use crate::table::columns;
use serde_json::Value;

/// Tables of everything that was measured.
pub(crate) fn task_stats(usage: &Value) -> String {
    if usage.is_null() {
        return String::new();
    }
    let mut out = String::new();
    out += &table("Memory Stats", &memory(usage.at("MemoryStats")));
    out += &table("CPU Stats", &cpu(usage.at("CpuStats")));
    out
}

fn table(title: &str, measures: &[(String, String)]) -> String {
    if measures.is_empty() {
        return String::new();
    }
    let head = measures.iter().map(|(name, _)| name.clone()).collect();
    let values = measures.iter().map(|(_, value)| value.clone()).collect();
    format!("\n\n{title}\n{}", columns(&[head, values]))
}

fn measured(stats: &Value) -> Vec<&str> {
    let mut names = stats.strs("Measured");
    names.sort_unstable();
    names
}

fn memory(stats: &Value) -> Vec<(String, String)> {
    let bytes = |member: &str| size(u64::try_from(stats.int(member)).unwrap_or_default());
    let value = |name: &str| {
        let member = match name {
            "Kernel Usage" => "KernelUsage",
            "Kernel Max Usage" => "KernelMaxUsage",
            "Max Usage" => "MaxUsage",
            "Mapped File" => "MappedFile",
            other => other,
        };
        (name.to_owned(), bytes(member))
    };
    measured(stats).into_iter().map(value).collect()
}

fn cpu(stats: &Value) -> Vec<(String, String)> {
    let percent = |member: &str| format!("{:.2}%", stats.at(member).as_f64().unwrap_or_default());
    let value = |name: &str| {
        let text = match name {
            "Throttled Periods" => stats.int("ThrottledPeriods").to_string(),
            "Throttled Time" => stats.int("ThrottledTime").to_string(),
            "User Mode" => percent("UserMode"),
            "System Mode" => percent("SystemMode"),
            other => percent(other),
        };
        (name.to_owned(), text)
    };
    measured(stats).into_iter().map(value).collect()
}
