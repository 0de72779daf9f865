//! What a task needs, and what it may log.

use super::{Faults, placement};
use caravan_model::{LogConfig, RequestedDevice, Resources, operand};

const LEAST_CPU: i64 = 1;
const LEAST_MEMORY_MB: i64 = 10;

pub(super) fn resources(resources: &Resources) -> Faults {
    let mut faults = Faults::default();
    let (cpu, cores, memory) = (resources.cpu, resources.cores, resources.memory_mb);
    faults.add_if(
        cores > 0 && cpu > 0,
        "Task can only ask for 'cpu' or 'cores' resource, not both.",
    );
    let mut minima = Faults::default();
    minima.add_if(
        cores == 0 && cpu < LEAST_CPU,
        format!("minimum CPU value is {LEAST_CPU}; got {cpu}"),
    );
    minima.add_if(
        memory < LEAST_MEMORY_MB,
        format!("minimum MemoryMB value is {LEAST_MEMORY_MB}; got {memory}"),
    );
    faults.nest_bare(minima);
    faults.add_if(
        cores < 0,
        format!("cores value ({cores}) cannot be negative"),
    );
    faults.add_if(
        resources.disk_mb > 0,
        "Task can't ask for disk resources, they have to be specified at the task group level.",
    );
    for (at, device) in resources.devices.iter().enumerate() {
        let before = format!("device {} failed validation: ", at + 1);
        faults.nest(&before, validate_device(device));
    }
    let most = resources.memory_max_mb;
    faults.add_if(
        most != 0 && most != -1 && most < memory,
        format!("MemoryMaxMB value ({most}) should be larger than MemoryMB value ({memory})"),
    );
    let secrets = resources.secrets_mb;
    faults.add_if(
        secrets > memory,
        format!("SecretsMB value ({secrets}) cannot be larger than MemoryMB value ({memory})"),
    );
    faults.add_if(
        secrets < 0,
        format!("SecretsMB value ({secrets}) cannot be negative"),
    );
    faults
}

fn validate_device(device: &RequestedDevice) -> Faults {
    let mut faults = Faults::default();
    let mut parts = device.name.splitn(3, '/');
    faults.add_if(
        parts.any(str::is_empty),
        "device name must be given as one of the following: type, vendor/type, or vendor/type/name",
    );
    for (at, constraint) in device.constraints.iter().enumerate() {
        let before = format!("Constraint {} validation failed: ", at + 1);
        let operator = constraint.operand.as_str();
        if [operand::DISTINCT_HOSTS, operand::DISTINCT_PROPERTY].contains(&operator) {
            faults.add(format!("{before}using unsupported operand {operator:?}"));
        } else {
            faults.nest(&before, placement::constraint(constraint));
        }
    }
    placement::affinities(&device.affinities, &mut faults);
    faults
}

pub(super) fn logs(logs: &LogConfig, disk_mb: i64) -> Faults {
    let mut faults = Faults::default();
    let (files, size) = (logs.max_files, logs.max_file_size_mb);
    faults.add_if(
        disk_mb <= files.saturating_mul(size),
        format!(
            "log storage ({} MB) must be less than requested disk capacity ({disk_mb} MB)",
            files.saturating_mul(size)
        ),
    );
    faults.add_if(
        files < 1,
        format!("minimum number of files is 1; got {files}"),
    );
    faults.add_if(size < 1, format!("minimum file size is 1MB; got {size}"));
    faults
}
