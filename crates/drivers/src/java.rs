//! `java`: a class or jar in the same isolation as `exec`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind as Type, decode_into};
use caravan_driver::{Capabilities, DriverError, EventSender, Fingerprint, TaskConfig};
use serde::Deserialize;
use serde_json::Value;

use crate::asked::Asked;
use crate::isolated::{self, Isolated, IsolationConfig};
use crate::process_driver::{Kind, Plan};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JavaConfig {
    jar_path: String,
    class: String,
    class_path: String,
    jvm_options: Vec<String>,
    args: Vec<String>,
    #[serde(flatten)]
    isolation: IsolationConfig,
}

fn task_schema() -> Vec<Field> {
    let mut fields = isolated::isolation_schema();
    fields.extend(
        ["jar_path", "class", "class_path"].map(|name| Field::optional(name, Type::String)),
    );
    fields.extend(["jvm_options", "args"].map(Field::strings));
    fields
}

impl JavaConfig {
    fn decode(config: &Value) -> Result<Self, DriverError> {
        let task: Self = decode_into(&task_schema(), config)?;
        if task.jar_path.is_empty() && task.class.is_empty() {
            return Err(DriverError::fatal("jar_path or class must be specified"));
        }
        Ok(task)
    }

    fn arguments(&self) -> Vec<String> {
        let mut args = self.jvm_options.clone();
        if !self.class_path.is_empty() {
            args.extend(["-cp".to_owned(), self.class_path.clone()]);
        }
        if !self.jar_path.is_empty() {
            args.extend(["-jar".to_owned(), self.jar_path.clone()]);
        }
        if !self.class.is_empty() {
            args.push(self.class.clone());
        }
        args.extend(self.args.iter().cloned());
        args
    }
}

#[derive(Debug)]
pub(crate) struct Java {
    isolated: Isolated,
    version: Asked,
}

impl Java {
    pub(crate) fn new(
        config: &Value,
        chroot_env: &BTreeMap<String, String>,
    ) -> Result<Self, DriverError> {
        let plugin = decode_into(&isolated::plugin_schema(), config)?;
        Ok(Self {
            isolated: Isolated::new(plugin, chroot_env)?,
            version: Asked::default(),
        })
    }
}

/// Version, runtime and virtual machine, from the three lines of `java -version`.
fn parse_version(text: &str) -> Option<(String, String, String)> {
    let mut lines = text.lines().filter(|line| !line.starts_with("Picked up"));
    let version = lines.next()?.split('"').nth(1)?.to_owned();
    let runtime = lines.next().unwrap_or_default().trim().to_owned();
    let machine = lines.next().unwrap_or_default().trim().to_owned();
    Some((version, runtime, machine))
}

#[async_trait]
impl Kind for Java {
    const NAME: &'static str = "java";
    const RUNS_PROGRAM: bool = true;

    fn capabilities(&self) -> Capabilities {
        Isolated::capabilities(false, false)
    }

    async fn fingerprint(&self) -> Fingerprint {
        if let Some(obstacle) = Isolated::obstacle() {
            return obstacle;
        }
        let text = self.version.output("java", "-version").await;
        let Some((version, runtime, machine)) = text.as_deref().and_then(parse_version) else {
            return Fingerprint::undetected("");
        };
        Fingerprint::healthy(BTreeMap::from([
            ("driver.java".to_owned(), "true".to_owned()),
            ("driver.java.version".to_owned(), version),
            ("driver.java.runtime".to_owned(), runtime),
            ("driver.java.vm".to_owned(), machine),
        ]))
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        JavaConfig::decode(config).map(drop)
    }

    async fn plan(&self, config: &TaskConfig, _: &EventSender) -> Result<Plan, DriverError> {
        let task = JavaConfig::decode(&config.driver_config)?;
        let process = self
            .isolated
            .process(config, &task.isolation, "java", task.arguments())?;
        Ok(Plan {
            process,
            cgroup: self.isolated.cgroup(config)?,
            network: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_version_is_read_past_noise() {
        let text = "Picked up JAVA_TOOL_OPTIONS: -x\nopenjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment (build 17)\nOpenJDK 64-Bit Server VM (build 17)\n";
        let (version, runtime, machine) = parse_version(text).expect("parsed");
        assert_eq!(
            (version.as_str(), runtime.as_str()),
            ("17.0.15", "OpenJDK Runtime Environment (build 17)")
        );
        assert!(machine.starts_with("OpenJDK 64-Bit"));
    }

    #[test]
    fn options_come_before_the_jar_and_arguments_after() {
        let config = json!({"jar_path": "local/a.jar", "class_path": "x", "jvm_options": ["-Xmx1m"], "args": ["b"]});
        let task = JavaConfig::decode(&config).expect("valid");
        assert_eq!(
            task.arguments(),
            ["-Xmx1m", "-cp", "x", "-jar", "local/a.jar", "b"]
        );
        assert!(JavaConfig::decode(&json!({})).is_err());
    }
}
