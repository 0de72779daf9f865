//! `exec`: a command in a root of its own, with limits, namespaces and few privileges.

use std::collections::BTreeMap;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind as Type, decode_into};
use caravan_driver::{Capabilities, DriverError, Fingerprint, TaskConfig};
use serde::Deserialize;
use serde_json::Value;

use crate::isolated::{self, Isolated, IsolationConfig};
use crate::process_driver::{Kind, Plan};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecConfig {
    command: String,
    args: Vec<String>,
    #[serde(flatten)]
    isolation: IsolationConfig,
}

fn task_schema() -> Vec<Field> {
    let mut fields = isolated::isolation_schema();
    fields.extend([
        Field::required("command", Type::String),
        Field::strings("args"),
    ]);
    fields
}

#[derive(Debug)]
pub(crate) struct Exec(Isolated);

impl Exec {
    pub(crate) fn new(
        config: &Value,
        chroot_env: &BTreeMap<String, String>,
    ) -> Result<Self, DriverError> {
        Ok(Self(Isolated::new(
            decode_into(&isolated::plugin_schema(), config)?,
            chroot_env,
        )?))
    }
}

#[async_trait]
impl Kind for Exec {
    const NAME: &'static str = "exec";

    fn capabilities(&self) -> Capabilities {
        Isolated::capabilities(true, true)
    }

    async fn fingerprint(&self) -> Fingerprint {
        Isolated::obstacle().unwrap_or_else(|| {
            Fingerprint::healthy(BTreeMap::from([(
                "driver.exec".to_owned(),
                "true".to_owned(),
            )]))
        })
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        decode_into::<ExecConfig>(&task_schema(), config).map(drop)
    }

    fn plan(&self, config: &TaskConfig) -> Result<Plan, DriverError> {
        let task: ExecConfig = decode_into(&task_schema(), &config.driver_config)?;
        let process = self
            .0
            .process(config, &task.isolation, &task.command, task.args.clone())?;
        Ok(Plan {
            process,
            cgroup: self.0.cgroup(config)?,
            network: None,
        })
    }
}
