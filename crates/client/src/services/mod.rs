//! Services of allocations: which instances there are, where they are reached, and telling the servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caravan_model::{
    AllocNetworkStatus, Allocation, NamespaceName, Service, ServiceCheck, ServiceRegistration,
    TaskGroup, on_update,
};
use tokio::sync::Notify;

use crate::link::{LinkError, ServiceUpdate};
use crate::runner::{Live, Runner};
use crate::shared::Shared;

mod address;
pub(crate) mod check_id;
pub(crate) mod checks;
mod probe;

/// Whether a check decides on health.
pub(crate) fn counts_for_health(service: &Service, check: &ServiceCheck) -> bool {
    let mode = if check.on_update.is_empty() {
        &service.on_update
    } else {
        &check.on_update
    };
    mode != on_update::IGNORE
}

/// What is still to be told about services: the last word on each.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<BTreeMap<(NamespaceName, String), Option<ServiceRegistration>>>,
    some: Notify,
}

impl Outbox {
    fn put(&self, key: (NamespaceName, String), registration: Option<ServiceRegistration>) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, registration);
        self.some.notify_one();
    }

    /// Puts what could not be told back, unless there is something newer.
    fn put_back(&self, batch: BTreeMap<(NamespaceName, String), Option<ServiceRegistration>>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, registration) in batch {
            waiting.entry(key).or_insert(registration);
        }
    }

    fn take(&self) -> BTreeMap<(NamespaceName, String), Option<ServiceRegistration>> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the servers until the agent stops, and what is left after that.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut wait = Duration::from_millis(100);
    loop {
        let batch = shared.services.take();
        if batch.is_empty() {
            tokio::select! {
                () = shared.services.some.notified() => continue,
                () = shared.shutdown.cancelled() => return,
            }
        }
        let mut update = ServiceUpdate {
            caller: shared.caller(),
            upsert: Vec::new(),
            delete: Vec::new(),
        };
        for (key, registration) in &batch {
            match registration {
                Some(registration) => update.upsert.push(registration.clone()),
                None => update.delete.push(key.clone()),
            }
        }
        match shared.link.update_services(update).await {
            Ok(()) => wait = Duration::from_millis(100),
            Err(LinkError::Refused(why)) => {
                tracing::warn!(%why, "the servers refused service registrations")
            }
            Err(error) => {
                tracing::debug!(%error, "cannot tell the servers about services");
                shared.services.put_back(batch);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
        }
    }
}

/// Announces the services of one allocation and runs their checks.
pub(crate) struct Announcer {
    shared: Arc<Shared>,
    runner: Arc<Runner>,
    /// By workload (task or `group-…`): what is announced.
    announced: BTreeMap<String, Vec<(NamespaceName, String)>>,
    checks: BTreeMap<String, Vec<tokio::task::AbortHandle>>,
}

struct Workload<'a> {
    name: String,
    task: Option<&'a str>,
    services: &'a [Service],
    live: Option<Live>,
    network: Option<&'a AllocNetworkStatus>,
}

fn group_workload(group: &TaskGroup) -> String {
    format!("group-{}", group.name)
}

impl Announcer {
    pub(crate) fn new(shared: &Arc<Shared>, runner: &Arc<Runner>) -> Self {
        Self {
            shared: Arc::clone(shared),
            runner: Arc::clone(runner),
            announced: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }

    pub(crate) fn announce_group(
        &mut self,
        alloc: &Allocation,
        group: &TaskGroup,
        network: Option<&AllocNetworkStatus>,
    ) {
        let name = group_workload(group);
        let workload = Workload {
            name,
            task: None,
            services: &group.services,
            live: None,
            network,
        };
        self.announce(alloc, group, workload);
    }

    pub(crate) fn announce_task(
        &mut self,
        alloc: &Allocation,
        group: &TaskGroup,
        task: &str,
        live: Option<Live>,
        network: Option<&AllocNetworkStatus>,
    ) {
        let Some(spec) = group.lookup_task(task) else {
            return;
        };
        let workload = Workload {
            name: task.to_owned(),
            task: Some(task),
            services: &spec.services,
            live,
            network,
        };
        self.announce(alloc, group, workload);
    }

    fn announce(&mut self, alloc: &Allocation, group: &TaskGroup, workload: Workload<'_>) {
        self.stop_checks(&workload.name);
        let mut keys = Vec::new();
        for service in workload
            .services
            .iter()
            .filter(|service| service.is_nomad())
        {
            let service = self.interpolated(service, group, &workload);
            match self.registration(alloc, &service, &workload) {
                Ok(registration) => {
                    let key = (registration.namespace.clone(), registration.id.clone());
                    self.shared.services.put(key.clone(), Some(registration));
                    keys.push(key);
                }
                Err(why) => {
                    tracing::warn!(alloc = %alloc.id, service = service.name, why, "a service has no address")
                }
            }
            self.start_checks(alloc, &service, &workload);
        }
        let before = self
            .announced
            .insert(workload.name, keys.clone())
            .unwrap_or_default();
        for gone in before.into_iter().filter(|key| !keys.contains(key)) {
            self.shared.services.put(gone, None);
        }
    }

    fn interpolated(
        &self,
        service: &Service,
        group: &TaskGroup,
        workload: &Workload<'_>,
    ) -> Service {
        let live = workload.live.clone().or_else(|| {
            let main = group
                .tasks
                .iter()
                .find_map(|task| self.runner.live(&task.name))?;
            Some(main)
        });
        let Some(env) = live.and_then(|live| live.env) else {
            return service.clone();
        };
        let mut service = service.clone();
        let text = |text: &mut String| *text = env.replace(text);
        for each in [
            &mut service.name,
            &mut service.port_label,
            &mut service.address,
        ] {
            text(each);
        }
        service
            .tags
            .iter_mut()
            .chain(&mut service.canary_tags)
            .for_each(text);
        for check in &mut service.checks {
            for each in [
                &mut check.name,
                &mut check.path,
                &mut check.port_label,
                &mut check.command,
                &mut check.method,
                &mut check.body,
            ] {
                text(each);
            }
            check.args.iter_mut().for_each(text);
        }
        service
    }

    fn registration(
        &self,
        alloc: &Allocation,
        service: &Service,
        workload: &Workload<'_>,
    ) -> Result<ServiceRegistration, String> {
        let node = self.shared.node();
        let driver = workload
            .live
            .as_ref()
            .and_then(|live| live.network.as_ref());
        let place = address::Place {
            alloc,
            node: &node,
            task: workload.task,
            driver,
            network: workload.network,
        };
        let (address, port) =
            place.resolve(&service.address_mode, &service.port_label, &service.address)?;
        let canary = alloc.deployment_status.is_some_and(|status| status.canary);
        let tags = if canary && !service.canary_tags.is_empty() {
            &service.canary_tags
        } else {
            &service.tags
        };
        Ok(ServiceRegistration {
            id: ServiceRegistration::make_id(
                alloc.id,
                &workload.name,
                &service.name,
                &service.port_label,
            ),
            service_name: service.name.clone(),
            namespace: alloc.namespace.clone(),
            node_id: node.id,
            datacenter: node.datacenter.clone(),
            job_id: alloc.job_id.clone(),
            alloc_id: alloc.id,
            tags: tags.clone(),
            address,
            port,
            ..ServiceRegistration::default()
        })
    }

    fn start_checks(&mut self, alloc: &Allocation, service: &Service, workload: &Workload<'_>) {
        let node = self.shared.node();
        let driver = workload
            .live
            .as_ref()
            .and_then(|live| live.network.as_ref());
        for check in &service.checks {
            let place = address::Place {
                alloc,
                node: &node,
                task: workload.task,
                driver,
                network: workload.network,
            };
            let mode = if check.address_mode.is_empty() {
                &service.address_mode
            } else {
                &check.address_mode
            };
            let label = if check.port_label.is_empty() {
                &service.port_label
            } else {
                &check.port_label
            };
            let target = place.resolve(mode, label, "");
            let job = checks::Job {
                runner: Arc::clone(&self.runner),
                service: service.clone(),
                check: check.clone(),
                alloc_name: alloc.name.clone(),
                task: workload.task.unwrap_or_default().to_owned(),
                id: check_id::of(alloc, workload.task.unwrap_or_default(), service, check),
                counts: counts_for_health(service, check),
                target,
            };
            let handle = tokio::spawn(job.run()).abort_handle();
            self.checks
                .entry(workload.name.clone())
                .or_default()
                .push(handle);
        }
    }

    fn stop_checks(&mut self, workload: &str) {
        for handle in self.checks.remove(workload).unwrap_or_default() {
            handle.abort();
        }
        let task = if workload.starts_with("group-") {
            ""
        } else {
            workload
        };
        self.runner.checks.forget(task);
    }

    pub(crate) fn withdraw_group(&mut self, _alloc: &Allocation, group: &TaskGroup) {
        self.withdraw(&group_workload(group));
    }

    pub(crate) fn withdraw_task(&mut self, _alloc: &Allocation, _group: &TaskGroup, task: &str) {
        self.withdraw(task);
    }

    fn withdraw(&mut self, workload: &str) {
        self.stop_checks(workload);
        for key in self.announced.remove(workload).unwrap_or_default() {
            self.shared.services.put(key, None);
        }
    }

    /// Takes a new version of the job over: what is announced is announced anew.
    pub(crate) fn update(&mut self, alloc: &Allocation, group: &TaskGroup) {
        if alloc.server_terminal() {
            return;
        }
        let view = self.runner.view();
        let network = view.network_status.as_deref();
        for workload in self.announced.keys().cloned().collect::<Vec<_>>() {
            if workload == group_workload(group) {
                self.announce_group(alloc, group, network);
            } else {
                let live = self.runner.live(&workload);
                self.announce_task(alloc, group, &workload, live, network);
            }
        }
    }

    /// Nothing of the allocation is left.
    pub(crate) fn finish(&mut self) {
        for workload in self.announced.keys().cloned().collect::<Vec<_>>() {
            self.withdraw(&workload);
        }
    }
}
