//! Servers in memory, and allocations to give them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use caravan_client::link::{
    AllocUpdate, Allocations, Beat, DataOf, Found, Heartbeat, Lookup, NodeEvents, Pull, Pulled,
    ServiceUpdate, SignedIdentity, WantedIdentity, What,
};
use caravan_client::{Client, ClientConfig, LinkError, ServerLink};
use caravan_driver::Driver;
use caravan_drivers::{Drivers, Settings};
use caravan_host::Supervisors;
use caravan_http::{Answer, Api, ApiError, ApiRequest, Body, ByteStream, Op};
use caravan_model::{
    AllocId, AllocatedCpuResources, AllocatedMemoryResources, AllocatedResources,
    AllocatedTaskResources, Allocation, ClientStatus, DesiredStatus, Job, Node, NodeStatus,
    RestartPolicy, Task, TaskGroup, Variable, VariableMetadata,
};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::watch;

/// Long enough for a busy machine; only ever reached by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the servers know.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) index: u64,
    pub(crate) node: Option<Node>,
    pub(crate) ready: bool,
    pub(crate) wanted: BTreeMap<AllocId, Arc<Allocation>>,
    pub(crate) told: BTreeMap<AllocId, Allocation>,
    pub(crate) services: BTreeMap<String, String>,
    /// By path.
    pub(crate) variables: BTreeMap<String, BTreeMap<String, String>>,
    /// How long signed identities last.
    pub(crate) identity_life: Option<Duration>,
    /// How many identities were signed.
    pub(crate) signed: usize,
    /// How long a heartbeat may take; ten seconds when it is zero.
    pub(crate) beat: Duration,
    /// The archive of data for an allocation; none: its node is not there any more.
    pub(crate) data: Option<Vec<u8>>,
    /// Nothing is answered.
    pub(crate) unreachable: bool,
    /// How many calls were not answered.
    pub(crate) refused: usize,
}

/// Servers that do what a test says.
pub(crate) struct Servers {
    known: Mutex<Known>,
    changed: watch::Sender<u64>,
}

impl Servers {
    pub(crate) fn new() -> Arc<Self> {
        let known = Known {
            index: 1,
            ..Known::default()
        };
        Arc::new(Self {
            known: Mutex::new(known),
            changed: watch::Sender::new(1),
        })
    }

    pub(crate) fn known(&self) -> Known {
        self.known.lock().unwrap().clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap();
        known.index += 1;
        let answer = change(&mut known);
        self.changed.send_replace(known.index);
        answer
    }

    pub(crate) fn want(&self, mut alloc: Allocation) {
        self.change(|known| {
            alloc.alloc_modify_index = known.index;
            known.wanted.insert(alloc.id, Arc::new(alloc));
        });
    }

    pub(crate) fn stop(&self, id: AllocId) {
        let mut alloc = Allocation::clone(&self.known().wanted[&id]);
        alloc.desired_status = DesiredStatus::Stop;
        self.want(alloc);
    }

    pub(crate) fn forget(&self, id: AllocId) {
        self.change(|known| known.wanted.remove(&id));
    }

    /// Changes what the servers know besides.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Known)) {
        self.change(change);
    }

    fn reached(&self) -> Result<(), LinkError> {
        if self.known().unreachable {
            self.change(|known| known.refused += 1);
            return Err(LinkError::Unavailable("cut off".into()));
        }
        Ok(())
    }

    fn beat(&self) -> Beat {
        let beat = self.known().beat;
        let beat = if beat.is_zero() {
            Duration::from_secs(10)
        } else {
            beat
        };
        Beat {
            heartbeat_ttl: beat,
            ..Beat::default()
        }
    }

    fn sign(&self, wanted: WantedIdentity) -> SignedIdentity {
        self.change(|known| {
            known.signed += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let expires = known
                .identity_life
                .map_or(0, |life| (now + life).as_nanos());
            SignedIdentity {
                token: format!("{}-{}", wanted.identity, known.signed),
                expires: i64::try_from(expires).unwrap(),
                wanted,
            }
        })
    }

    /// Waits until the client has told that the allocation is so.
    pub(crate) async fn until_it_is(&self, status: ClientStatus) -> Known {
        self.until(&format!("status {status:?}"), |known| is(known, status))
            .await
    }

    /// Waits until what is known is as wanted; a test that waits in vain fails.
    pub(crate) async fn until(&self, what: &str, done: impl Fn(&Known) -> bool) -> Known {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                let known = self.known();
                if done(&known) {
                    return known;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(known) => known,
            Err(_) => panic!("waited in vain for {what}; told: {:#?}", self.known().told),
        }
    }
}

#[async_trait]
impl ServerLink for Servers {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.reached()?;
        self.change(|known| known.node = Some(node));
        Ok(self.beat())
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        self.reached()?;
        self.change(|known| known.ready = request.status == NodeStatus::Ready);
        Ok(self.beat())
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        let mut changed = self.changed.subscribe();
        let _ = tokio::time::timeout(
            request.wait,
            changed.wait_for(|index| *index > request.min_index),
        )
        .await;
        let known = self.known();
        let newer = known
            .wanted
            .values()
            .filter(|alloc| alloc.alloc_modify_index > request.min_index);
        Ok(Pulled {
            index: known.index,
            changed: Allocations(newer.cloned().collect()),
            present: Some(known.wanted.keys().copied().collect()),
        })
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.reached()?;
        self.change(|known| {
            known
                .told
                .extend(update.allocs.into_iter().map(|alloc| (alloc.id, alloc)))
        });
        Ok(())
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        self.change(|known| {
            for service in update.upsert {
                known.services.insert(
                    service.id.clone(),
                    format!("{}:{}", service.address, service.port),
                );
            }
            for (_, id) in update.delete {
                known.services.remove(&id);
            }
        });
        Ok(())
    }

    async fn node_events(&self, _request: NodeEvents) -> Result<(), LinkError> {
        Ok(())
    }

    async fn data(&self, _: DataOf) -> Result<ByteStream, LinkError> {
        self.reached()?;
        let Some(data) = self.known().data else {
            return Err(LinkError::Refused("No path to node".into()));
        };
        // In pieces, as it comes over a network.
        let pieces: Vec<_> = data
            .chunks(700)
            .map(|piece| Ok(piece.to_vec().into()))
            .collect();
        Ok(futures::stream::iter(pieces).boxed())
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        self.reached()?;
        Ok(match request.what {
            What::Alloc(id) => Found::Alloc(self.known().wanted.get(&id).cloned()),
            What::ServiceTags { .. } => Found::ServiceTags(BTreeMap::new()),
            What::Service { .. } => Found::Services(Vec::new()),
            What::Variable { path, .. } => {
                let items = self.known().variables.get(&path).cloned();
                Found::Variable(items.map(|items| {
                    Box::new(Variable {
                        path,
                        items: Some(items),
                        ..Variable::default()
                    })
                }))
            }
            What::Variables { prefix, .. } => {
                let paths = self.known().variables.into_keys();
                let paths = paths.filter(|path| path.starts_with(&prefix));
                let row = |path| VariableMetadata {
                    path,
                    ..VariableMetadata::default()
                };
                Found::Variables(paths.map(row).collect())
            }
            What::Identities { wanted, .. } => {
                let all = wanted.into_iter().map(|wanted| self.sign(wanted));
                Found::Identities(all.collect())
            }
            What::NodeIdentity => return Err(LinkError::Unavailable("there are no keys".into())),
        })
    }
}

/// The allocation of most tests.
pub(crate) fn id() -> AllocId {
    AllocId::from_u128(own())
}

/// The number of the allocation of most tests: another for each test, as they run side by side and share the host.
pub(crate) fn own() -> u128 {
    thread_local! {
        static OWN: u128 = uuid::Uuid::new_v4().as_u128();
    }
    OWN.with(|own| *own)
}

/// Whether it was told to be so.
pub(crate) fn is(known: &Known, status: ClientStatus) -> bool {
    known
        .told
        .get(&id())
        .is_some_and(|alloc| alloc.client_status == status)
}

/// One task that runs this script.
pub(crate) fn shell(script: &str) -> Vec<Task> {
    vec![task(
        "t",
        "raw_exec",
        json!({"command": "/bin/sh", "args": ["-c", script]}),
    )]
}

/// Asks the node itself.
pub(crate) async fn ask(
    client: &Client,
    op: Op,
    query: &[(&str, &str)],
    body: &str,
) -> Result<Vec<u8>, ApiError> {
    let mut request = ApiRequest::internal(op);
    request.params.0.push(("id".into(), id().to_string()));
    for (name, value) in query {
        request
            .query
            .0
            .push(((*name).to_owned(), (*value).to_owned()));
    }
    request.body = body.to_owned().into();
    let Answer { body, .. } = client.api().call(request).await?;
    Ok(match body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Stream(mut stream) => {
            let mut all = Vec::new();
            while let Some(piece) = stream.next().await {
                all.extend_from_slice(&piece.unwrap());
            }
            all
        }
        Body::Empty | Body::Session(_) => Vec::new(),
    })
}

/// What the task wrote.
pub(crate) async fn logs(client: &Client) -> String {
    let query = [("task", "t"), ("type", "stdout"), ("plain", "true")];
    String::from_utf8(ask(client, Op::ClientFsLogs, &query, "").await.unwrap()).unwrap()
}

/// Waits until what the task wrote is as wanted; a test that waits in vain fails.
#[track_caller]
pub(crate) fn until_logs(
    client: &Client,
    done: impl Fn(&str) -> bool,
) -> impl Future<Output = String> {
    let caller = std::panic::Location::caller();
    async move {
        let wait = async {
            loop {
                let written = logs(client).await;
                if done(&written) {
                    return written;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(written) => written,
            Err(_) => panic!(
                "{caller}: waited in vain; written: {:?}",
                logs(client).await
            ),
        }
    }
}

/// Starts a node agent on a directory.
pub(crate) async fn client(servers: &Arc<Servers>, dir: &Path, dev: bool) -> Arc<Client> {
    client_with(servers, dir, |config| config.dev = dev).await
}

/// The same, with changes to its settings.
pub(crate) async fn client_with(
    servers: &Arc<Servers>,
    dir: &Path,
    change: impl FnOnce(&mut ClientConfig),
) -> Arc<Client> {
    client_driving(servers, dir, change, |driver| driver).await
}

/// The same, with another driver in the place of `raw_exec`.
pub(crate) async fn client_driving(
    servers: &Arc<Servers>,
    dir: &Path,
    change: impl FnOnce(&mut ClientConfig),
    instead: impl FnOnce(Arc<dyn Driver>) -> Arc<dyn Driver>,
) -> Arc<Client> {
    let mut config = ClientConfig::new("node", dir);
    config.network_interface = "lo".into();
    // What ended is looked at, however full this machine's disk is.
    config.gc.disk_usage_threshold = 100.0;
    config.gc.inode_usage_threshold = 100.0;
    config.artifact.helper = env!("CARGO_BIN_EXE_caravan-client-fetch").into();
    config.artifact.helper_args.clear();
    change(&mut config);
    let settings = Settings {
        plugins: [("raw_exec".to_owned(), serde_json::json!({"enabled": true}))].into(),
        mock: true,
        ..Settings::default()
    };
    let supervisors = Arc::new(Supervisors::new(env!(
        "CARGO_BIN_EXE_caravan-client-supervise"
    )));
    let mut drivers = Drivers::builtin(&settings, supervisors).unwrap();
    drivers.retain(|name, _| name == "raw_exec" || name == "mock_driver");
    let raw = drivers.remove("raw_exec").unwrap();
    drivers.insert("raw_exec".into(), instead(raw));
    Client::start(config, Arc::clone(servers) as Arc<dyn ServerLink>, drivers)
        .await
        .unwrap()
}

/// A task of this driver.
pub(crate) fn task(name: &str, driver: &str, config: serde_json::Value) -> Task {
    let serde_json::Value::Object(config) = config else {
        panic!("config is an object")
    };
    Task {
        name: name.into(),
        driver: driver.into(),
        config,
        kill_timeout: caravan_model::Duration::from_secs(5),
        restart_policy: RestartPolicy {
            attempts: 1,
            interval: caravan_model::Duration::from_secs(600),
            delay: caravan_model::Duration::from_millis(1),
            mode: "fail".into(),
            render_templates: false,
        },
        ..Task::default()
    }
}

/// An allocation of these tasks.
pub(crate) fn alloc(bits: u128, kind: &str, tasks: Vec<Task>) -> Allocation {
    let given = |task: &Task| {
        let given = AllocatedTaskResources {
            cpu: AllocatedCpuResources {
                cpu_shares: 50,
                ..AllocatedCpuResources::default()
            },
            memory: AllocatedMemoryResources {
                memory_mb: 32,
                ..AllocatedMemoryResources::default()
            },
            ..AllocatedTaskResources::default()
        };
        (task.name.clone(), given)
    };
    let resources = AllocatedResources {
        tasks: tasks.iter().map(given).collect(),
        ..AllocatedResources::default()
    };
    let group = TaskGroup {
        name: "g".into(),
        tasks,
        ..TaskGroup::default()
    };
    let job = Job {
        id: "j".into(),
        name: "j".into(),
        r#type: kind.into(),
        task_groups: vec![group],
        ..Job::default()
    };
    Allocation {
        id: AllocId::from_u128(bits),
        name: "j.g[0]".into(),
        namespace: "default".into(),
        job_id: "j".into(),
        task_group: "g".into(),
        job: Some(Arc::new(job)),
        allocated_resources: Some(Arc::new(resources)),
        ..Allocation::default()
    }
}

/// The types of a task's events.
pub(crate) fn events(alloc: &Allocation, task: &str) -> Vec<String> {
    alloc.task_states[task]
        .events
        .iter()
        .map(|event| event.r#type.to_string())
        .collect()
}

/// The directory of the allocation of most tests.
pub(crate) fn alloc_dir(dir: &Path) -> std::path::PathBuf {
    dir.join("alloc").join(id().to_string())
}

/// Asks again until there is an answer, without waiting for time.
pub(crate) async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            match ask() {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Changes the job's only group.
pub(crate) fn with_group(alloc: Allocation, change: impl FnOnce(&mut TaskGroup)) -> Allocation {
    let mut alloc = alloc;
    let mut job = Job::clone(alloc.job.as_ref().unwrap());
    change(&mut job.task_groups[0]);
    alloc.job = Some(Arc::new(job));
    alloc
}

/// Says that a test cannot run here.
pub(crate) fn skipped(name: &str, reason: &str) {
    println!("SKIPPED: {name}: {reason}");
}

/// The display texts of a task's events.
pub(crate) fn messages(alloc: &Allocation, task: &str) -> Vec<String> {
    let events = &alloc.task_states[task].events;
    events
        .iter()
        .map(|event| event.display_message().to_string())
        .collect()
}

/// A folder for a client. What is mounted in it goes with it, however the test ends.
pub(crate) struct Folder(tempfile::TempDir);

pub(crate) fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for point in points.filter(|point| Path::new(point).starts_with(self.path())) {
            let _ = nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}
