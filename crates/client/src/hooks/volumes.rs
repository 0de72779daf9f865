//! Resolves volume mounts to directories of the host.

use std::path::PathBuf;

use caravan_driver::MountConfig;
use caravan_model::volume_type;

use super::{Context, Draft, HookError};

pub(super) fn run(context: &Context, draft: &mut Draft) -> Result<(), HookError> {
    let node = context.shared.node();
    for mount in &context.task.volume_mounts {
        let Some(request) = context.group.volumes.get(&mount.volume) else {
            return Err(HookError::fatal(format!(
                "volume {:?} is not declared by the group",
                mount.volume
            )));
        };
        if request.r#type != volume_type::HOST {
            continue;
        }
        let source = request.source_for(&context.alloc.name);
        let Some(volume) = node.host_volumes.get(&source) else {
            return Err(HookError::fatal(format!(
                "host volume {source:?} is not on this node"
            )));
        };
        if volume.read_only && !(request.read_only || mount.read_only) {
            return Err(HookError::fatal(format!(
                "host volume {source:?} can only be read"
            )));
        }
        if !context.driver.capabilities().mounts {
            return Err(HookError::fatal(format!(
                "driver {:?} cannot mount volumes",
                context.task.driver
            )));
        }
        draft.mounts.push(MountConfig {
            host_path: PathBuf::from(&volume.path),
            task_path: PathBuf::from(&mount.destination),
            readonly: volume.read_only || request.read_only || mount.read_only,
            propagation: if mount.propagation_mode.is_empty() {
                "private".into()
            } else {
                mount.propagation_mode.clone()
            },
        });
    }
    Ok(())
}
