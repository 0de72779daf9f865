//! Allocations, one line each.

use super::{max_run_deadline, moment, version};
use crate::format::id;
use crate::json::Fields;
use crate::table::columns;
use serde_json::Value;

/// The list of allocations.
pub(crate) fn alloc_list(allocs: &[Value], verbose: bool) -> String {
    alloc_list_of(&Value::Null, allocs, verbose)
}

/// The list of allocations of a job, which says until when they may run where its groups do.
fn alloc_list_of(job: &Value, allocs: &[Value], verbose: bool) -> String {
    let groups = job.items("TaskGroups");
    let limited = groups.iter().any(|group| group.int("MaxRunDuration") > 0);
    let mut allocs: Vec<&Value> = allocs.iter().collect();
    allocs.sort_by_key(|alloc| std::cmp::Reverse((alloc.int("CreateIndex"), alloc.str("ID"))));
    let mut rows = vec![titles(verbose)];
    if limited {
        rows[0].push("Max Run Deadline".to_owned());
    }
    for alloc in allocs {
        let mut row = row_of(alloc, verbose);
        if limited {
            let name = alloc.str("TaskGroup");
            let group = groups.iter().find(|group| group.str("Name") == name);
            let until = group.and_then(|group| max_run_deadline(alloc, group));
            row.push(until.map_or_else(String::new, |at| moment(at, verbose)));
        }
        rows.push(row);
    }
    columns(&rows)
}

fn titles(verbose: bool) -> Vec<String> {
    let mut titles = row!["ID"];
    if verbose {
        titles.extend(row!["Eval ID", "Node ID", "Node Name"]);
    } else {
        titles.extend(row!["Node ID"]);
    }
    titles.extend(row![
        "Task Group",
        "Version",
        "Desired",
        "Status",
        "Created",
        "Modified"
    ]);
    titles
}

fn row_of(alloc: &Value, verbose: bool) -> Vec<String> {
    let mut row = row![id(alloc.str("ID"), verbose)];
    if verbose {
        row.extend(row![
            alloc.str("EvalID"),
            alloc.str("NodeID"),
            alloc.str("NodeName")
        ]);
    } else {
        row.push(id(alloc.str("NodeID"), false));
    }
    row.extend(row![
        alloc.str("TaskGroup"),
        version(alloc),
        alloc.str("DesiredStatus"),
        alloc.str("ClientStatus"),
        moment(alloc.int("CreateTime"), verbose),
        moment(alloc.int("ModifyTime"), verbose)
    ]);
    row
}

/// The list, or that there is none.
pub(crate) fn alloc_list_or_none(allocs: &[Value], verbose: bool) -> String {
    job_alloc_list(&Value::Null, allocs, verbose)
}

/// The list of a job's allocations, or that there is none.
pub(crate) fn job_alloc_list(job: &Value, allocs: &[Value], verbose: bool) -> String {
    match allocs.is_empty() {
        true => "No allocations placed".to_owned(),
        false => alloc_list_of(job, allocs, verbose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{nanos, time};
    use serde_json::json;

    #[test]
    fn a_job_whose_groups_end_says_when() {
        let started = json!({"t": {"StartedAt": "2026-01-02T15:04:05Z"}});
        let alloc = json!({"ID": "0123456789", "TaskGroup": "g", "TaskStates": started});
        let job = json!({"TaskGroups": [{"Name": "g", "MaxRunDuration": 60_000_000_000_i64}]});
        let table = job_alloc_list(&job, std::slice::from_ref(&alloc), true);
        assert!(table.contains("Max Run Deadline"), "{table}");
        let end = time(nanos(&json!("2026-01-02T15:05:05Z")));
        assert!(table.trim_end().ends_with(&end), "{table}");
        let free = json!({"TaskGroups": [{"Name": "g"}]});
        assert!(!job_alloc_list(&free, &[alloc], true).contains("Max Run"));
    }
}
