//! `qemu`: a virtual machine from an image file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use caravan_driver::schema::{Field, Kind as Type, decode_into};
use caravan_driver::{
    Capabilities, DriverError, DriverNetwork, EventSender, Fingerprint, FsIsolation, NetworkMode,
    TaskConfig,
};
use caravan_host::Process;
use caravan_host::below::{Below, Links};
use caravan_host::cgroup::Limits;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::asked::{Asked, Listing};
use crate::process_driver::{Kind, Plan};
use crate::users::DeniedIds;
use crate::{groups, search};

const MONITOR: &str = "qemu-monitor.sock";
const GUEST_AGENT: &str = "qa.sock";
/// How those of the host are named.
const EMULATORS: &str = "qemu-system-";
/// What fits into a socket address.
const LONGEST_SOCKET: usize = 108;
const MONITOR_PATIENCE: Duration = Duration::from_secs(5);
const MEMORY_MB: std::ops::RangeInclusive<i64> = 128..=4_000_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PluginConfig {
    image_paths: Vec<String>,
    args_allowlist: Vec<String>,
    emulators_allowlist: Vec<String>,
}

fn plugin_schema() -> Vec<Field> {
    ["image_paths", "args_allowlist", "emulators_allowlist"]
        .map(Field::strings)
        .to_vec()
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct QemuConfig {
    image_path: String,
    emulator: String,
    machine_type: String,
    accelerator: String,
    drive_interface: String,
    graceful_shutdown: bool,
    guest_agent: bool,
    args: Vec<String>,
    port_map: BTreeMap<String, u16>,
}

impl Default for QemuConfig {
    fn default() -> Self {
        Self {
            image_path: String::new(),
            emulator: "qemu-system-x86_64".into(),
            machine_type: "pc".into(),
            accelerator: "tcg".into(),
            drive_interface: "ide".into(),
            graceful_shutdown: false,
            guest_agent: false,
            args: Vec::new(),
            port_map: BTreeMap::new(),
        }
    }
}

fn task_schema() -> Vec<Field> {
    let mut fields = vec![Field::required("image_path", Type::String)];
    fields.extend(
        ["emulator", "machine_type", "accelerator", "drive_interface"]
            .map(|name| Field::optional(name, Type::String)),
    );
    fields
        .extend(["graceful_shutdown", "guest_agent"].map(|name| Field::optional(name, Type::Bool)));
    fields.push(Field::strings("args"));
    fields.push(Field::optional("port_map", Type::Map(Box::new(Type::Int))));
    fields
}

#[derive(Debug)]
pub(crate) struct Qemu {
    plugin: PluginConfig,
    version: Asked,
    installed: Listing,
}

impl Qemu {
    pub(crate) fn new(config: &Value) -> Result<Self, DriverError> {
        Ok(Self {
            plugin: decode_into(&plugin_schema(), config)?,
            version: Asked::default(),
            installed: Listing::default(),
        })
    }

    /// An image of the allocation or of a directory the operator named.
    fn image(&self, config: &TaskConfig, path: &str) -> Result<PathBuf, DriverError> {
        let refused =
            || DriverError::fatal(format!("image_path {path:?} is not in the allowed paths"));
        let full = config.dirs.task.join(path);
        let real = full
            .canonicalize()
            .map_err(|err| DriverError::recoverable(format!("image_path {path:?}: {err}")))?;
        let below = |dir: &Path| {
            let dir = dir.canonicalize().ok()?;
            real.strip_prefix(dir).ok().map(Path::to_path_buf)
        };
        // What the agent keeps lies beside the directories of tasks, under names with a dot.
        let is_tasks = |below: PathBuf| !below.as_os_str().as_encoded_bytes().starts_with(b".");
        let own = below(&config.dirs.alloc_root).is_some_and(is_tasks);
        let mut allowed = self.plugin.image_paths.iter();
        match own || allowed.any(|dir| below(Path::new(dir)).is_some()) {
            true => Ok(real),
            false => Err(refused()),
        }
    }

    /// Those of the host that tasks may use.
    fn emulators(&self) -> String {
        let allowed = &self.plugin.emulators_allowlist;
        let mut names = self.installed.names(EMULATORS);
        names.retain(|name| allowed.is_empty() || allowed.contains(name));
        names.join(",")
    }

    fn check_allowed(&self, task: &QemuConfig) -> Result<(), DriverError> {
        let emulators = &self.plugin.emulators_allowlist;
        let named = match emulators.is_empty() {
            true => task.emulator.starts_with(EMULATORS) && !task.emulator.contains('/'),
            false => emulators.contains(&task.emulator),
        };
        if !named {
            return Err(DriverError::fatal(format!(
                "emulator {:?} is not allowed on this Nomad agent",
                task.emulator
            )));
        }
        if self.plugin.args_allowlist.is_empty() {
            return Ok(());
        }
        // They are parts of arguments, which another part could turn into any.
        for (name, text) in [
            ("machine_type", &task.machine_type),
            ("accelerator", &task.accelerator),
            ("drive_interface", &task.drive_interface),
        ] {
            if text.contains(',') {
                return Err(DriverError::fatal(format!(
                    "{name} {text:?} holds more than one option, which args_allowlist does not allow"
                )));
            }
        }
        let flags = task.args.iter().filter(|arg| arg.starts_with('-'));
        match flags
            .into_iter()
            .find(|arg| !self.plugin.args_allowlist.contains(arg))
        {
            Some(arg) => Err(DriverError::fatal(format!(
                "{arg:?} is not in args_allowlist"
            ))),
            None => Ok(()),
        }
    }

    fn arguments(
        &self,
        config: &TaskConfig,
        task: &QemuConfig,
        image: &Path,
    ) -> Result<Vec<String>, DriverError> {
        let memory = config.resources.memory_mb;
        if !MEMORY_MB.contains(&memory) {
            return Err(DriverError::fatal(format!(
                "Qemu memory assignment out of bounds: {memory} MB"
            )));
        }
        let name = image
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut args: Vec<String> = [
            "-machine".into(),
            format!("type={},accel={}", task.machine_type, task.accelerator),
            "-name".into(),
            name,
            "-m".into(),
            format!("{memory}M"),
            "-drive".into(),
            format!(
                "file={},if={}",
                image.display().to_string().replace(',', ",,"),
                task.drive_interface
            ),
            "-nographic".into(),
        ]
        .to_vec();
        if task.accelerator == "kvm" {
            args.extend(["-enable-kvm".into(), "-cpu".into(), "host".into()]);
        }
        if task.graceful_shutdown {
            let socket = socket(config, MONITOR)?;
            args.extend([
                "-monitor".into(),
                format!("unix:{},server,nowait", socket.display()),
            ]);
        }
        if task.guest_agent {
            let socket = socket(config, GUEST_AGENT)?;
            args.extend([
                "-chardev".into(),
                format!(
                    "socket,path={},server=on,wait=off,id=qga0",
                    socket.display()
                ),
                "-device".into(),
                "virtio-serial".into(),
                "-device".into(),
                "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0".into(),
            ]);
        }
        args.extend(forwards(config, task)?);
        args.extend(task.args.iter().cloned());
        Ok(args)
    }
}

/// User-mode networking that forwards each mapped port, tcp and udp.
fn forwards(config: &TaskConfig, task: &QemuConfig) -> Result<Vec<String>, DriverError> {
    if task.port_map.is_empty() {
        return Ok(Vec::new());
    }
    let ports = config
        .task_network
        .as_ref()
        .map_or(&config.ports, |network| &network.ports);
    let mut forwards = Vec::new();
    for (label, guest) in &task.port_map {
        let host = ports
            .iter()
            .find(|port| port.label == *label)
            .ok_or_else(|| DriverError::fatal(format!("Unknown port label {label:?}")))?;
        for protocol in ["udp", "tcp"] {
            forwards.push(format!("hostfwd={protocol}::{}-:{guest}", host.value));
        }
    }
    Ok(vec![
        "-netdev".into(),
        format!("user,id=user.0,{}", forwards.join(",")),
        "-device".into(),
        "virtio-net,netdev=user.0".into(),
    ])
}

fn socket(config: &TaskConfig, name: &str) -> Result<PathBuf, DriverError> {
    let path = config.dirs.task.join(name);
    if path.as_os_str().len() >= LONGEST_SOCKET {
        return Err(DriverError::fatal(format!(
            "socket path {} exceeds {LONGEST_SOCKET} bytes",
            path.display()
        )));
    }
    Ok(path)
}

/// The monitor forgets what was asked on a connection that is closed before it looked: its answer is awaited. Another
/// task may have put a link to somebody else's socket in its place, which is not followed.
async fn press_power_button(task_dir: &Path) -> std::io::Result<()> {
    let below = Below::open(task_dir, Links::Refused)?;
    let mut monitor = below.connect(Path::new(MONITOR)).await?;
    monitor.write_all(b"system_powerdown\n").await?;
    let mut said = Vec::new();
    // One prompt greets, the next says that it is done; the end says so too.
    while String::from_utf8_lossy(&said).matches("(qemu) ").count() < 2 {
        if monitor.read_buf(&mut said).await? == 0 {
            break;
        }
    }
    Ok(())
}

#[async_trait]
impl Kind for Qemu {
    const NAME: &'static str = "qemu";
    const RUNS_PROGRAM: bool = true;

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            send_signals: false,
            exec: false,
            fs_isolation: FsIsolation::None,
            network_modes: vec![NetworkMode::Host],
            must_initiate_network: false,
            mounts: false,
            host_environment: false,
            logs: true,
        }
    }

    async fn fingerprint(&self) -> Fingerprint {
        let text = self
            .version
            .output("qemu-system-x86_64", "--version")
            .await
            .unwrap_or_default();
        let Some((_, rest)) = text.split_once("version ") else {
            return Fingerprint::undetected("");
        };
        let version: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        Fingerprint::healthy(BTreeMap::from([
            ("driver.qemu".to_owned(), "true".to_owned()),
            ("driver.qemu.version".to_owned(), version),
            ("driver.qemu.emulators".to_owned(), self.emulators()),
        ]))
    }

    fn validate(&self, config: &Value) -> Result<(), DriverError> {
        decode_into::<QemuConfig>(&task_schema(), config).map(drop)
    }

    async fn plan(&self, config: &TaskConfig, _: &EventSender) -> Result<Plan, DriverError> {
        let task: QemuConfig = decode_into(&task_schema(), &config.driver_config)?;
        self.check_allowed(&task)?;
        let image = self.image(config, &task.image_path)?;
        let args = self.arguments(config, &task, &image)?;
        let process = Process {
            program: search::of_host(&task.emulator)?,
            args,
            env: config.env.clone(),
            cwd: config.dirs.task.clone(),
            user: DeniedIds::default().user(&config.user)?,
            ..Process::default()
        };
        let network = (!task.port_map.is_empty()).then(|| DriverNetwork {
            port_map: task.port_map.clone(),
            ..DriverNetwork::default()
        });
        Ok(Plan {
            process,
            cgroup: groups::create(config, &Limits::default()).unwrap_or_default(),
            network,
        })
    }

    async fn ask_to_end(&self, config: &TaskConfig) -> bool {
        let graceful = decode_into::<QemuConfig>(&task_schema(), &config.driver_config)
            .is_ok_and(|task| task.graceful_shutdown);
        if !graceful {
            return false;
        }
        let pressed = press_power_button(&config.dirs.task);
        let asked = tokio::time::timeout(MONITOR_PATIENCE, pressed).await;
        matches!(asked, Ok(Ok(())))
    }
}
