//! Servers in memory, and allocations to give them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use caravan_client::link::{
    AllocUpdate, Allocations, Beat, Found, Heartbeat, Lookup, NodeEvents, Pull, Pulled,
    ServiceUpdate, What,
};
use caravan_client::{Client, ClientConfig, LinkError, ServerLink};
use caravan_drivers::{Drivers, Settings};
use caravan_host::Supervisors;
use caravan_model::{
    AllocId, AllocatedCpuResources, AllocatedMemoryResources, AllocatedResources,
    AllocatedTaskResources, Allocation, DesiredStatus, Job, Node, NodeStatus, RestartPolicy, Task,
    TaskGroup,
};
use tokio::sync::watch;

/// What the servers know.
#[derive(Clone, Default)]
pub struct Known {
    pub index: u64,
    pub node: Option<Node>,
    pub ready: bool,
    pub wanted: BTreeMap<AllocId, Arc<Allocation>>,
    pub told: BTreeMap<AllocId, Allocation>,
    pub services: BTreeMap<String, String>,
}

/// Servers that do what a test says.
pub struct Servers {
    known: Mutex<Known>,
    changed: watch::Sender<u64>,
}

impl Servers {
    pub fn new() -> Arc<Self> {
        let known = Known {
            index: 1,
            ..Known::default()
        };
        Arc::new(Self {
            known: Mutex::new(known),
            changed: watch::Sender::new(1),
        })
    }

    pub fn known(&self) -> Known {
        self.known.lock().unwrap().clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap();
        known.index += 1;
        let answer = change(&mut known);
        self.changed.send_replace(known.index);
        answer
    }

    pub fn want(&self, mut alloc: Allocation) {
        self.change(|known| {
            alloc.alloc_modify_index = known.index;
            known.wanted.insert(alloc.id, Arc::new(alloc));
        });
    }

    pub fn stop(&self, id: AllocId) {
        let mut alloc = Allocation::clone(&self.known().wanted[&id]);
        alloc.desired_status = DesiredStatus::Stop;
        self.want(alloc);
    }

    pub fn forget(&self, id: AllocId) {
        self.change(|known| known.wanted.remove(&id));
    }

    /// Waits until what is known is as wanted; a test that waits in vain fails.
    pub async fn until(&self, what: &str, done: impl Fn(&Known) -> bool) -> Known {
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
        match tokio::time::timeout(Duration::from_secs(30), wait).await {
            Ok(known) => known,
            Err(_) => panic!("waited in vain for {what}; told: {:#?}", self.known().told),
        }
    }
}

#[async_trait]
impl ServerLink for Servers {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.change(|known| known.node = Some(node));
        Ok(Beat {
            heartbeat_ttl: Duration::from_secs(10),
            ..Beat::default()
        })
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        self.change(|known| known.ready = request.status == NodeStatus::Ready);
        Ok(Beat {
            heartbeat_ttl: Duration::from_secs(10),
            ..Beat::default()
        })
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

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        Ok(match request.what {
            What::Alloc(id) => Found::Alloc(self.known().wanted.get(&id).cloned()),
            What::Service { .. } => Found::Services(Vec::new()),
            What::Variable { .. } => Found::Variable(None),
            What::Variables { .. } => Found::Variables(Vec::new()),
            What::Identities { .. } => Found::Identities(Vec::new()),
        })
    }
}

/// Starts a node agent on a directory.
pub async fn client(servers: &Arc<Servers>, dir: &Path, dev: bool) -> Arc<Client> {
    let mut config = ClientConfig::new("node", dir);
    config.dev = dev;
    config.network_interface = "lo".into();
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
    Client::start(config, Arc::clone(servers) as Arc<dyn ServerLink>, drivers)
        .await
        .unwrap()
}

/// A task of this driver.
pub fn task(name: &str, driver: &str, config: serde_json::Value) -> Task {
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
pub fn alloc(bits: u128, kind: &str, tasks: Vec<Task>) -> Allocation {
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
        job_id: "j".into(),
        task_group: "g".into(),
        job: Some(Arc::new(job)),
        allocated_resources: Some(Arc::new(resources)),
        ..Allocation::default()
    }
}

/// The types of a task's events.
pub fn events(alloc: &Allocation, task: &str) -> Vec<String> {
    alloc.task_states[task]
        .events
        .iter()
        .map(|event| event.r#type.to_string())
        .collect()
}
