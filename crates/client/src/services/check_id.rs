//! The id of a check: the same for the same check of the same allocation.

use caravan_model::{Allocation, Service, ServiceCheck};
use sha2::{Digest, Sha256};

pub(crate) fn of(
    alloc: &Allocation,
    task: &str,
    service: &Service,
    check: &ServiceCheck,
) -> String {
    let mut hash = Sha256::new();
    let on_update = if check.on_update.is_empty() {
        &service.on_update
    } else {
        &check.on_update
    };
    let parts = [
        &alloc.id.to_string(),
        &alloc.task_group,
        task,
        &check.name,
        &check.r#type,
        &check.port_label,
        on_update,
        &check.address_mode,
        &check.interval.0.to_string(),
        &check.timeout.0.to_string(),
        &check.protocol,
        &check.path,
        &check.method,
        &check.tls_skip_verify.to_string(),
    ];
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
