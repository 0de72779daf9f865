//! Looking into the state database of a node that does not run.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::store;

/// What the node in `data_dir` would take up again.
///
/// # Errors
/// There is no database, an agent uses it, or it is damaged.
pub fn client_state(data_dir: &Path) -> Result<Value, String> {
    let inside = data_dir.join("client");
    let dir = if inside.join("state.db").exists() {
        inside
    } else {
        data_dir.to_owned()
    };
    let (stored, node) = store::read_all(&dir)?;
    let mut allocs = Map::new();
    for one in stored {
        let tasks: Map<String, Value> = one
            .handles
            .iter()
            .map(|(name, handle)| {
                let handle = &handle.handle;
                (
                    name.clone(),
                    json!({"Driver": handle.driver, "TaskID": handle.config.task_id}),
                )
            })
            .collect();
        let progress = one.progress.map(|progress| {
            json!({
                "TaskStates": progress.states,
                "DeployStatus": progress.deployment_status,
                "NetworkStatus": progress.network_status,
            })
        });
        allocs.insert(
            one.alloc.id.to_string(),
            json!({"Alloc": *one.alloc, "Progress": progress, "Tasks": tasks}),
        );
    }
    Ok(json!({"Allocations": allocs, "Node": node}))
}
