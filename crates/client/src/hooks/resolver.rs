//! Gives a task in a root of its own the name servers that its group's network asks for.

use std::path::PathBuf;

use caravan_driver::{FsIsolation, MountConfig};

use super::{Context, Draft, HookError, driver_config};

const TARGET: &str = "/etc/resolv.conf";

pub(super) fn run(context: &Context, draft: &mut Draft) -> Result<(), HookError> {
    // Containers are given them by their engine; others see the host's file.
    if context.isolation() != FsIsolation::Chroot || !context.driver.capabilities().mounts {
        return Ok(());
    }
    let Some(dns) = driver_config::dns(context, &context.env(draft)) else {
        return Ok(());
    };
    let host = std::fs::read_to_string(TARGET).unwrap_or_default();
    let text = dns.resolv_conf(&host);
    let folder = context.dir.network();
    let path = crate::network::write_file(&folder, "resolv.conf", text.as_bytes());
    let host_path: PathBuf =
        path.map_err(|error| HookError::fatal(format!("{TARGET} cannot be made: {error}")))?;
    draft.mounts.push(MountConfig {
        host_path,
        task_path: TARGET.into(),
        readonly: true,
        propagation: "private".into(),
    });
    Ok(())
}
