//! Volumes, mounts and storage plugins.

use super::Faults;
use caravan_model::{
    CsiPluginConfig, Job, Task, TaskGroup, VolumeMount, VolumeRequest, volume_type,
};

pub(super) fn requests(job: &Job, group: &TaskGroup, faults: &mut Faults) {
    for (name, volume) in &group.volumes {
        let before = format!("Task group volume validation for {name} failed: ");
        faults.nest(&before, request(job, group, volume));
    }
}

fn request(job: &Job, group: &TaskGroup, volume: &VolumeRequest) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(volume.source.is_empty(), "volume has an empty source");
    if volume.per_alloc {
        faults.add_if(
            job.is_system_like(),
            "volume cannot be per_alloc for system or sysbatch jobs",
        );
        faults.add_if(
            group
                .update
                .as_ref()
                .is_some_and(|update| update.canary > 0),
            "volume cannot be per_alloc when canaries are in use",
        );
        faults.add_if(
            volume.sticky,
            "volume cannot be per_alloc and sticky at the same time",
        );
    }
    match volume.r#type.as_str() {
        volume_type::HOST => host(volume, &mut faults),
        volume_type::CSI => csi(group, volume, &mut faults),
        other => faults.add(format!("volume has unrecognized type {other}")),
    }
    faults
}

fn host(volume: &VolumeRequest, faults: &mut Faults) {
    faults.add_if(
        volume.mount_options.is_some(),
        "host volumes cannot have mount options",
    );
    match volume.access_mode.as_str() {
        ""
        | "single-node-writer"
        | "single-node-reader-only"
        | "single-node-single-writer"
        | "single-node-multi-writer" => {}
        other => faults.add(format!(
            "host volumes cannot be mounted with {other} access mode"
        )),
    }
    if volume.access_mode == "single-node-reader-only" {
        faults.add_if(
            !volume.read_only,
            "single-node-reader-only volumes must be read-only",
        );
    }
}

fn csi(group: &TaskGroup, volume: &VolumeRequest, faults: &mut Faults) {
    match volume.attachment_mode.as_str() {
        "" => faults.add("CSI volumes must have an attachment mode"),
        "block-device" => faults.add_if(
            volume.mount_options.is_some(),
            "block devices cannot have mount options",
        ),
        _ => {}
    }
    let mode = volume.access_mode.as_str();
    match mode {
        "" => faults.add("CSI volumes must have an access mode"),
        "single-node-reader-only" | "multi-node-reader-only" => {
            faults.add_if(
                !volume.read_only,
                format!("{mode} volumes must be read-only"),
            );
            faults.add_if(
                mode == "single-node-reader-only" && group.count > 1 && !volume.per_alloc,
                format!("volume with {mode} access mode allows only one reader"),
            );
        }
        "single-node-writer" | "multi-node-single-writer" => faults.add_if(
            group.count > 1
                && !volume.per_alloc
                && (mode == "single-node-writer" || !volume.read_only),
            match mode {
                "single-node-writer" => {
                    format!("volume with {mode} access mode allows only one reader or writer")
                }
                _ => format!("volume with {mode} access mode allows only one writer"),
            },
        ),
        "multi-node-multi-writer" | "single-node-single-writer" | "single-node-multi-writer" => {}
        other => faults.add(format!("volume has unrecognized access mode {other}")),
    }
}

pub(super) fn mounts(group: &TaskGroup, task: &Task, faults: &mut Faults) {
    for (at, mount) in task.volume_mounts.iter().enumerate() {
        // A mount without a volume mounts nothing.
        if mount.volume.is_empty() {
            continue;
        }
        faults.add_if(
            !group.volumes.contains_key(&mount.volume),
            format!(
                "Volume Mount ({at}) references undefined volume {}",
                mount.volume
            ),
        );
        let inner = validate_mount(mount);
        if !inner.is_empty() {
            faults.add(format!("Volume Mount ({at}) is invalid: \"{inner}\""));
        }
    }
}

fn validate_mount(mount: &VolumeMount) -> Faults {
    let mut faults = Faults::default();
    let modes = ["", "private", "host-to-task", "bidirectional"];
    faults.add_if(
        !modes.contains(&mount.propagation_mode.as_str()),
        format!(
            "volume mount has an invalid propagation mode: {:?}",
            mount.propagation_mode
        ),
    );
    faults.add_if(
        !["", "z", "Z"].contains(&mount.selinux_label.as_str()),
        format!(
            "volume mount has an invalid SELinux label: {:?}",
            mount.selinux_label
        ),
    );
    faults
}

pub(super) fn plugin(plugin: &CsiPluginConfig, faults: &mut Faults) {
    faults.add_if(
        plugin.id.is_empty(),
        "CSIPluginConfig must have a non-empty PluginID",
    );
    faults.add_if(
        !["node", "controller", "monolith"].contains(&plugin.r#type.as_str()),
        format!(
            "CSIPluginConfig PluginType must be one of 'node', 'controller', or 'monolith', got: {:?}",
            plugin.r#type
        ),
    );
    let (stage, mount) = (&plugin.stage_publish_base_dir, &plugin.mount_dir);
    let below = stage
        .strip_prefix(mount.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    faults.add_if(
        below && !mount.is_empty(),
        format!(
            "CSIPluginConfig StagePublishBaseDir must not be a subdirectory of MountDir, got: \
             StagePublishBaseDir={stage:?} MountDir={mount:?}"
        ),
    );
}
