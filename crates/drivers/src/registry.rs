//! Which drivers there are, made from the agent's `plugin` blocks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use caravan_driver::{Driver, DriverError};
use caravan_host::Supervisors;
use serde_json::Value;

use crate::docker::Docker;
use crate::exec::Exec;
use crate::java::Java;
use crate::mock::Mock;
use crate::process_driver::ProcessDriver;
use crate::qemu::Qemu;
use crate::raw_exec::RawExec;

/// What the agent says about its drivers.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Driver name to the `config` of its `plugin` block.
    pub plugins: BTreeMap<String, Value>,
    /// The node, for names and labels that must be told apart from those of another agent.
    pub node_id: String,
    pub node_name: String,
    /// What `exec` and `java` tasks see of the host: host path to path in the task; empty: the default.
    pub chroot_env: BTreeMap<String, String>,
    /// Where images for `exec` are kept; empty: nowhere.
    pub images_dir: PathBuf,
    /// Offers `mock_driver` too.
    pub mock: bool,
}

/// Drivers by the name jobs use.
pub struct Drivers;

impl Drivers {
    /// Makes every built-in driver. `supervisors` is shared with nothing else.
    pub fn builtin(
        settings: &Settings,
        supervisors: Arc<Supervisors>,
    ) -> Result<BTreeMap<String, Arc<dyn Driver>>, DriverError> {
        let config = |name: &str| settings.plugins.get(name).cloned().unwrap_or(Value::Null);
        let chroot = &settings.chroot_env;
        let mut drivers: Vec<Arc<dyn Driver>> = vec![
            Arc::new(ProcessDriver::new(
                RawExec::new(&config("raw_exec"))?,
                Arc::clone(&supervisors),
            )),
            Arc::new(ProcessDriver::new(
                Exec::new(&config("exec"), chroot, &settings.images_dir)?,
                Arc::clone(&supervisors),
            )),
            Arc::new(ProcessDriver::new(
                Java::new(&config("java"), chroot)?,
                Arc::clone(&supervisors),
            )),
            Arc::new(ProcessDriver::new(Qemu::new(&config("qemu"))?, supervisors)),
            Arc::new(Docker::new(&config("docker"), settings)?),
        ];
        if settings.mock {
            drivers.push(Arc::new(Mock::new(&config("mock_driver"))?));
        }
        Ok(drivers
            .into_iter()
            .map(|driver| (driver.name().to_owned(), driver))
            .collect())
    }
}
