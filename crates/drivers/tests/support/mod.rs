//! A scratch allocation directory and drivers made as the agent makes them.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use caravan_driver::{
    Driver, DriverError, ExecInput, ExecIo, ExecOutputFrame, ExecRequest, LogConfig, TaskConfig,
    TaskDirs, TaskResources,
};
use caravan_drivers::{Drivers, Settings};
use caravan_host::Supervisors;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) fn supervisors() -> Arc<Supervisors> {
    Arc::new(Supervisors::new(env!(
        "CARGO_BIN_EXE_caravan-drivers-supervise"
    )))
}

pub(crate) fn driver(name: &str, plugin: Value) -> Arc<dyn Driver> {
    driver_with_images(name, plugin, Path::new(""))
}

pub(crate) fn driver_with_images(name: &str, plugin: Value, images: &Path) -> Arc<dyn Driver> {
    let settings = Settings {
        images_dir: images.to_owned(),
        plugins: BTreeMap::from([(name.to_owned(), plugin)]),
        node_id: "00000000-0000-0000-0000-00000000c0de".into(),
        node_name: "test".into(),
        mock: true,
        ..Settings::default()
    };
    let drivers = Drivers::builtin(&settings, supervisors()).expect("valid plugin config");
    Arc::clone(&drivers[name])
}

/// Waits for a condition; a test that would wait for ever fails instead.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a command beside a task, which this side of its pipes is for.
pub(crate) fn exec_streaming(
    driver: &Arc<dyn Driver>,
    id: &str,
    command: &[&str],
) -> (
    JoinHandle<Result<i32, DriverError>>,
    mpsc::Sender<ExecInput>,
    mpsc::Receiver<ExecOutputFrame>,
) {
    let (io, input, output) = ExecIo::pair();
    let request = ExecRequest {
        command: command.iter().map(ToString::to_string).collect(),
        ..ExecRequest::default()
    };
    let (driver, id) = (Arc::clone(driver), id.to_owned());
    let running = tokio::spawn(async move { driver.exec_task_streaming(&id, request, io).await });
    (running, input, output)
}

/// `cat` beside a task gives back what is typed, and ends with it.
pub(crate) async fn assert_cat_echoes(driver: &Arc<dyn Driver>, id: &str) {
    let (running, input, mut output) = exec_streaming(driver, id, &["cat"]);
    let typed = b"typed\n".to_vec();
    input
        .send(ExecInput::Stdin(typed.clone()))
        .await
        .expect("sent");
    assert_eq!(output.recv().await, Some(ExecOutputFrame::Stdout(typed)));
    input.send(ExecInput::CloseStdin).await.expect("sent");
    assert_eq!(running.await.expect("joined").expect("runs"), 0);
}

/// The directories of one allocation with the task `web`.
pub(crate) struct Scratch {
    root: tempfile::TempDir,
    alloc_id: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = tempfile::tempdir().expect("a directory");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let alloc_id = format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id());
        let scratch = Self { root, alloc_id };
        for dir in [
            "alloc/logs",
            "alloc/data",
            "alloc/tmp",
            "web/local",
            "web/secrets",
            "web/private",
            "web/tmp",
        ] {
            std::fs::create_dir_all(scratch.root.path().join(dir)).expect("created");
        }
        scratch
    }

    pub(crate) fn alloc_id(&self) -> &str {
        &self.alloc_id
    }

    pub(crate) fn task_dir(&self) -> PathBuf {
        self.root.path().join("web")
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.root.path().join("alloc/logs")
    }

    pub(crate) fn log(&self, kind: &str) -> String {
        std::fs::read_to_string(self.log_dir().join(format!("web.{kind}.0"))).unwrap_or_default()
    }

    pub(crate) fn config(&self, driver_config: Value) -> TaskConfig {
        let root = self.root.path();
        let task = self.task_dir();
        TaskConfig {
            task_id: format!("{}/web/1", self.alloc_id),
            alloc_id: self.alloc_id.clone(),
            name: "web".into(),
            job_id: "job".into(),
            job_name: "job".into(),
            group_name: "group".into(),
            namespace: "default".into(),
            resources: TaskResources {
                cpu_mhz: 100,
                memory_mb: 64,
                core_mhz: 2000.0,
                ..TaskResources::default()
            },
            dirs: TaskDirs {
                alloc_root: root.to_owned(),
                shared: root.join("alloc"),
                local: task.join("local"),
                secrets: task.join("secrets"),
                private: task.join("private"),
                task,
            },
            logs: LogConfig {
                dir: self.log_dir(),
                ..LogConfig::default()
            },
            driver_config,
            ..TaskConfig::default()
        }
    }
}
