//! `exec`: a command in a root of its own, with limits, namespaces and few privileges. The root is made of the host's files, or
//! is that of an image.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind as Type, decode_into};
use caravan_driver::{
    Capabilities, DriverError, DriverEvent, EventSender, Fingerprint, TaskConfig,
};
use caravan_host::Process;
use serde::Deserialize;
use serde_json::Value;

use crate::docker::auth;
use crate::docker::options::{Auth, PluginAuth};
use crate::image::{Images, RunConfig, Source, Wanted};
use crate::isolated::{self, Isolated, IsolationConfig, PluginConfig};
use crate::process_driver::{Kind, Plan};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecConfig {
    command: String,
    args: Vec<String>,
    image: String,
    entrypoint: Vec<String>,
    force_pull: bool,
    auth: Option<Auth>,
    #[serde(flatten)]
    isolation: IsolationConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecPlugin {
    auth: PluginAuth,
    insecure_registries: Vec<String>,
    #[serde(flatten)]
    isolation: PluginConfig,
}

fn plugin_schema() -> Vec<Field> {
    let text = |name| Field::optional(name, Type::String);
    let mut fields = isolated::plugin_schema();
    fields.extend([
        Field::optional("auth", Type::Block(vec![text("config"), text("helper")])),
        Field::strings("insecure_registries"),
    ]);
    fields
}

/// An image says by itself what is run.
fn task_schema(has_image: bool) -> Vec<Field> {
    let text = |name| Field::optional(name, Type::String);
    let auth = ["username", "password", "email", "server_address"].map(text);
    let mut fields = isolated::isolation_schema();
    fields.extend([
        if has_image {
            text("command")
        } else {
            Field::required("command", Type::String)
        },
        Field::strings("args"),
        text("image"),
        Field::strings("entrypoint"),
        Field::optional("force_pull", Type::Bool),
        Field::optional("auth", Type::Block(auth.to_vec())),
    ]);
    fields
}

impl ExecConfig {
    fn decode(config: &Value) -> Result<Self, DriverError> {
        let names = |value: &Value| value.get("image").is_some_and(|image| !image.is_null());
        let has_image = names(config) || config.as_array().is_some_and(|all| all.iter().any(names));
        decode_into(&task_schema(has_image), config)
    }

    /// The command line: the image's entry point, or the task's, before the task's command, or the image's.
    fn line(&self, run: &RunConfig) -> Vec<String> {
        let entrypoint = match self.entrypoint.as_slice() {
            [] => run.entrypoint.as_slice(),
            // As engines have it: nothing.
            [one] if one.is_empty() => &[],
            own => own,
        };
        let mut line = entrypoint.to_vec();
        if !self.command.is_empty() {
            line.push(self.command.clone());
        } else if self.args.is_empty() && self.entrypoint.is_empty() {
            line.extend(run.cmd.iter().cloned());
        }
        line.extend(self.args.iter().cloned());
        line
    }
}

#[derive(Debug)]
pub(crate) struct Exec {
    isolated: Isolated,
    /// `None`: there is no place for them.
    images: Option<Images>,
    auth: PluginAuth,
    insecure_registries: Vec<String>,
}

impl Exec {
    pub(crate) fn new(
        config: &Value,
        chroot_env: &BTreeMap<String, String>,
        images_dir: &Path,
    ) -> Result<Self, DriverError> {
        let plugin: ExecPlugin = decode_into(&plugin_schema(), config)?;
        let has_place = !images_dir.as_os_str().is_empty();
        Ok(Self {
            isolated: Isolated::new(plugin.isolation, chroot_env)?,
            images: has_place.then(|| Images::new(images_dir.to_owned())),
            auth: plugin.auth,
            insecure_registries: plugin.insecure_registries,
        })
    }

    async fn in_image(
        &self,
        config: &TaskConfig,
        task: &ExecConfig,
        events: &EventSender,
    ) -> Result<Process, DriverError> {
        let images = self
            .images
            .as_ref()
            .ok_or_else(|| DriverError::fatal("this agent has no directory for images"))?;
        let source = Source::find(&task.image, &config.dirs.task)?;
        let login = match source {
            Source::Archive { .. } => None,
            Source::Registry(_) => auth::find(&task.image, task.auth.as_ref(), &self.auth)
                .await
                .map_err(DriverError::recoverable)?,
        };
        let wanted = Wanted {
            source,
            force_pull: task.force_pull,
            login: login.and_then(|login| Some((login.username?, login.password?))),
            insecure: &self.insecure_registries,
        };
        let downloading = || {
            events.send(DriverEvent {
                task_id: config.task_id.clone(),
                alloc_id: config.alloc_id.clone(),
                task_name: config.name.clone(),
                message: "Downloading image".into(),
                annotations: BTreeMap::from([("image".to_owned(), task.image.clone())]),
            });
        };
        let image = images.obtain(wanted, downloading).await?;
        let line = task.line(&image.run);
        self.isolated
            .process_in(config, &task.isolation, &image, line)
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
        ExecConfig::decode(config).map(drop)
    }

    async fn plan(&self, config: &TaskConfig, events: &EventSender) -> Result<Plan, DriverError> {
        let task = ExecConfig::decode(&config.driver_config)?;
        let process = if task.image.is_empty() {
            let args = task.args.clone();
            self.isolated
                .process(config, &task.isolation, &task.command, args)?
        } else {
            self.in_image(config, &task, events).await?
        };
        Ok(Plan {
            process,
            cgroup: self.isolated.cgroup(config)?,
            network: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_that_of_engines() {
        let run = RunConfig {
            entrypoint: vec!["/init".into()],
            cmd: vec!["serve".into(), "-v".into()],
            ..RunConfig::default()
        };
        let line = |config: Value| {
            let task = ExecConfig::decode(&config).expect("decodes");
            task.line(&run).join(" ")
        };
        use serde_json::json;
        assert_eq!(line(json!({"image": "x"})), "/init serve -v");
        assert_eq!(line(json!({"image": "x", "args": ["a"]})), "/init a");
        assert_eq!(
            line(json!({"image": "x", "command": "c", "args": ["a"]})),
            "/init c a"
        );
        assert_eq!(line(json!({"image": "x", "entrypoint": ["/e"]})), "/e");
        assert_eq!(
            line(json!([{"image": "x"}, {"entrypoint": [""], "command": "c"}])),
            "c"
        );
        let missing = ExecConfig::decode(&json!({"args": ["a"]})).expect_err("no command");
        assert!(
            missing
                .to_string()
                .contains("The argument \"command\" is required"),
            "{missing}"
        );
    }
}
