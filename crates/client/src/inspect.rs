//! Looking into the state database of a node that does not run.

use std::path::Path;

use caravan_codec::json::to_value;
use caravan_model::{AllocDeploymentStatus, AllocNetworkStatus, Allocation, TaskStates};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::store;

/// An allocation as it is kept.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Kept<'a> {
    alloc: &'a Allocation,
    progress: Option<Reached<'a>>,
    tasks: Map<String, Value>,
}

/// How far it came.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reached<'a> {
    task_states: &'a TaskStates,
    deploy_status: &'a Option<AllocDeploymentStatus>,
    network_status: &'a Option<Box<AllocNetworkStatus>>,
}

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
        let kept = Kept {
            alloc: &one.alloc,
            progress: one.progress.as_ref().map(|progress| Reached {
                task_states: &progress.states,
                deploy_status: &progress.deployment_status,
                network_status: &progress.network_status,
            }),
            tasks,
        };
        let shown = to_value(&kept).map_err(|error| error.to_string())?;
        allocs.insert(one.alloc.id.to_string(), shown);
    }
    Ok(json!({"Allocations": allocs, "Node": node}))
}
