//! Services of allocations: which instances there are, where they are reached, and telling the servers.

use std::sync::Arc;

use caravan_model::{
    AllocNetworkStatus, Allocation, Node, Service, ServiceCheck, ServiceRegistration, SmallMap,
    TaskGroup,
};

use crate::alloc::health::counts_for_health;
use crate::handle::{Live, Runner};
use crate::shared::Shared;

pub(crate) mod access;
mod address;
pub(crate) mod catalogue;
pub(crate) mod check_id;
pub(crate) mod checks;
mod consul;
mod held;
mod interpolate;
pub(crate) mod outbox;
mod probe;
pub(crate) mod results;

use access::{Access, ForConsul};

/// Tells the catalogues until the agent stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let servers = catalogue::run(
        &shared,
        &shared.services,
        catalogue::Servers(Arc::clone(&shared)),
    );
    if shared.consul.is_none() {
        return servers.await;
    }
    let consul = catalogue::run(&shared, &shared.consul_services, catalogue::OfConsul);
    tokio::join!(servers, consul);
}

/// Announces the services of one allocation and runs their checks.
pub(crate) struct Announcer {
    shared: Arc<Shared>,
    runner: Arc<Runner>,
    /// By owner, a task or [`GROUP`]: what is announced.
    announced: SmallMap<String, Vec<Announced>>,
    checks: SmallMap<String, Vec<tokio::task::AbortHandle>>,
}

/// An instance, and in which catalogue it is.
#[derive(Clone)]
struct Announced {
    key: outbox::Key,
    /// `None`: in the servers' own.
    consul: Option<Arc<Access>>,
}

impl Announced {
    /// Whether it is the same in the same catalogue.
    fn is(&self, other: &Self) -> bool {
        self.key == other.key && self.consul.is_some() == other.consul.is_some()
    }
}

struct Workload<'a> {
    /// In the ids of its services.
    name: String,
    task: Option<&'a str>,
    services: &'a [Service],
    live: Option<Live>,
    network: Option<&'a AllocNetworkStatus>,
}

/// The owner of what is the group's: a task can have the name that the group has as a workload, and none has this.
const GROUP: &str = "";

impl Workload<'_> {
    fn owner(&self) -> &str {
        self.task.unwrap_or(GROUP)
    }

    /// What its addresses are looked up in.
    fn place<'a>(&'a self, alloc: &'a Allocation, node: &'a Node) -> address::Place<'a> {
        let live = self.live.as_ref();
        address::Place {
            alloc,
            node,
            task: self.task,
            driver: live.and_then(|live| live.network.as_ref()),
            network: self.network,
        }
    }

    fn service_id(&self, alloc: &Allocation, service: &Service) -> String {
        ServiceRegistration::make_id(alloc.id, &self.name, &service.name, &service.port_label)
    }
}

impl Announcer {
    pub(crate) fn new(shared: &Arc<Shared>, runner: &Arc<Runner>) -> Self {
        Self {
            shared: Arc::clone(shared),
            runner: Arc::clone(runner),
            announced: SmallMap::new(),
            checks: SmallMap::new(),
        }
    }

    pub(crate) fn announce_group(
        &mut self,
        alloc: &Allocation,
        group: &TaskGroup,
        network: Option<&AllocNetworkStatus>,
    ) {
        let workload = Workload {
            name: format!("group-{}", group.name),
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
        self.stop_checks(workload.owner());
        let mut keys = Vec::new();
        for service in workload.services {
            if service.is_consul() && self.shared.consul.is_none() {
                // Nobody to tell: the tasks run all the same.
                continue;
            }
            let service = self.interpolated(service, group, &workload);
            let access = self.access(alloc, &service, &workload);
            match self.registration(alloc, &service, &workload) {
                Ok(registration) => {
                    let access = access.clone();
                    keys.push(self.tell(alloc, &service, &workload, registration, access));
                }
                Err(why) => {
                    tracing::warn!(alloc = %alloc.id, service = service.name, why, "a service has no address")
                }
            }
            self.start_checks(alloc, &service, &workload, access);
        }
        let before = self
            .announced
            .insert(workload.owner().to_owned(), keys.clone())
            .unwrap_or_default();
        for gone in before
            .into_iter()
            .filter(|one| !keys.iter().any(|key| key.is(one)))
        {
            self.forget(gone);
        }
    }

    fn tell(
        &self,
        alloc: &Allocation,
        service: &Service,
        workload: &Workload<'_>,
        registration: ServiceRegistration,
        consul: Option<Arc<Access>>,
    ) -> Announced {
        let key = (registration.namespace.clone(), registration.id.clone());
        if let Some(access) = &consul {
            let checks = service.checks.iter();
            let targets: Vec<_> = checks
                .map(|check| self.target(alloc, service, check, workload).ok())
                .collect();
            let instance = consul::Instance {
                id: &registration.id,
                service,
                address: &registration.address,
                port: registration.port,
                canary: alloc.deployment_status.is_some_and(|status| status.canary),
                targets: &targets,
            };
            let entry = ForConsul {
                access: Arc::clone(access),
                told: Some(instance.registration()),
            };
            self.shared.consul_services.put(key.clone(), entry);
        } else {
            self.shared.services.put(key.clone(), Some(registration));
        }
        Announced { key, consul }
    }

    fn forget(&self, gone: Announced) {
        match gone.consul {
            Some(access) => {
                let entry = ForConsul { access, told: None };
                self.shared.consul_services.put(gone.key, entry);
            }
            None => self.shared.services.put(gone.key, None),
        }
    }

    /// How Consul is asked for the service, where that is announced there: as before, if it is there already.
    fn access(
        &self,
        alloc: &Allocation,
        service: &Service,
        workload: &Workload<'_>,
    ) -> Option<Arc<Access>> {
        let consul = self.shared.consul.as_ref();
        let consul = consul.filter(|_| service.is_consul())?;
        let access = Access::new(
            consul,
            &self.shared.link,
            self.shared.caller(),
            alloc.id,
            service,
        );
        let id = workload.service_id(alloc, service);
        let announced = self.announced.get(workload.owner()).into_iter().flatten();
        let before = announced
            .filter(|one| one.key.1 == id)
            .filter_map(|one| one.consul.as_ref())
            .find(|before| before.is_as(&access));
        Some(before.map_or_else(|| Arc::new(access), Arc::clone))
    }

    /// The service as the task sees it; that of a group as its first task that runs.
    fn interpolated(
        &self,
        service: &Service,
        group: &TaskGroup,
        workload: &Workload<'_>,
    ) -> Service {
        let of_group = || {
            let mut tasks = group.tasks.iter();
            tasks.find_map(|task| self.runner.live(&task.name))
        };
        let live = workload.live.clone().or_else(of_group);
        match live.and_then(|live| live.env) {
            Some(env) => interpolate::service(service, &env),
            None => service.clone(),
        }
    }

    fn registration(
        &self,
        alloc: &Allocation,
        service: &Service,
        workload: &Workload<'_>,
    ) -> Result<ServiceRegistration, String> {
        let node = self.shared.node();
        let place = workload.place(alloc, &node);
        let (address, port) =
            place.resolve(&service.address_mode, &service.port_label, &service.address)?;
        let canary = alloc.deployment_status.is_some_and(|status| status.canary);
        let tags = if canary && !service.canary_tags.is_empty() {
            &service.canary_tags
        } else {
            &service.tags
        };
        Ok(ServiceRegistration {
            id: workload.service_id(alloc, service),
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

    fn target(
        &self,
        alloc: &Allocation,
        service: &Service,
        check: &ServiceCheck,
        workload: &Workload<'_>,
    ) -> Result<(String, i64), String> {
        let node = self.shared.node();
        let place = workload.place(alloc, &node);
        let or = |own: &str, other: &str| {
            if own.is_empty() {
                other.to_owned()
            } else {
                own.to_owned()
            }
        };
        let mode = or(&check.address_mode, &service.address_mode);
        let label = or(&check.port_label, &service.port_label);
        place.resolve(&mode, &label, "")
    }

    fn start_checks(
        &mut self,
        alloc: &Allocation,
        service: &Service,
        workload: &Workload<'_>,
        access: Option<Arc<Access>>,
    ) {
        let id = workload.service_id(alloc, service);
        let mut handles = Vec::new();
        for (number, check) in service.checks.iter().enumerate() {
            // Consul runs all but those inside the task.
            if access.is_some() && check.r#type != "script" {
                continue;
            }
            let job = checks::Job {
                runner: Arc::clone(&self.runner),
                service: service.clone(),
                check: check.clone(),
                alloc_name: alloc.name.clone(),
                task: workload.owner().to_owned(),
                id: check_id::of(alloc, workload.owner(), service, check),
                counts: counts_for_health(service, check),
                target: self.target(alloc, service, check, workload),
                told_to: access
                    .clone()
                    .map(|access| (access, consul::check_id(&id, number))),
            };
            handles.push(tokio::spawn(job.run()).abort_handle());
        }
        if let Some(access) = access.filter(|_| !service.checks.is_empty()) {
            let follower = consul::Follower {
                access,
                runner: Arc::clone(&self.runner),
                id,
                service: service.clone(),
                alloc_name: alloc.name.clone(),
                task: workload.owner().to_owned(),
            };
            handles.push(tokio::spawn(follower.run()).abort_handle());
        }
        let running = self.checks.or_default(workload.owner().to_owned());
        running.extend(handles);
    }

    fn stop_checks(&mut self, owner: &str) {
        for handle in self.checks.remove(owner).unwrap_or_default() {
            handle.abort();
        }
        self.runner.checks.forget(owner);
    }

    pub(crate) fn withdraw_group(&mut self) {
        self.withdraw(GROUP);
    }

    pub(crate) fn withdraw_task(&mut self, task: &str) {
        self.withdraw(task);
    }

    fn withdraw(&mut self, owner: &str) {
        self.stop_checks(owner);
        for gone in self.announced.remove(owner).unwrap_or_default() {
            self.forget(gone);
        }
    }

    /// Takes a new version of the job over: what is announced is announced anew.
    pub(crate) fn update(&mut self, alloc: &Allocation, group: &TaskGroup) {
        if alloc.server_terminal() {
            return;
        }
        let view = self.runner.view();
        let network = view.network_status.as_deref();
        for owner in self.announced.keys().cloned().collect::<Vec<_>>() {
            if owner == GROUP {
                self.announce_group(alloc, group, network);
            } else {
                let live = self.runner.live(&owner);
                self.announce_task(alloc, group, &owner, live, network);
            }
        }
    }

    /// Nothing of the allocation is left.
    pub(crate) fn finish(&mut self) {
        for owner in self.announced.keys().cloned().collect::<Vec<_>>() {
            self.withdraw(&owner);
        }
    }
}
