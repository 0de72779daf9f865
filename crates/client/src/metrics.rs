//! What this node counts for monitoring: gauges, read when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_model::{
    AllocatedTaskResources, Allocation, ClientStatus, ComparableResources, HostStats, MetricGauge,
    Node, ResourceUsage, TaskPhase,
};

use crate::handle::Runner;
use crate::shared::Shared;
use crate::tallies::Awaits;

/// Which of the larger groups are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What each task uses.
    pub allocations: bool,
    /// The machine's processors, disks and memory.
    pub host: bool,
    /// Which keys of a task's meta become labels: none; these; all, when none is named.
    pub meta: Option<Vec<String>>,
}

type Labels = BTreeMap<String, String>;

/// Gauges that have the same labels.
struct Group<'a> {
    labels: &'a Labels,
    found: &'a mut Vec<MetricGauge>,
}

impl Group<'_> {
    fn add(&mut self, name: &str, value: f64) {
        let gauge = MetricGauge {
            labels: self.labels.clone(),
            name: format!("nomad.client.{name}"),
            value,
        };
        self.found.push(gauge);
    }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// All gauges of this node.
pub(crate) async fn gauges(shared: &Arc<Shared>, wanted: Wanted) -> Vec<MetricGauge> {
    let mut found = Vec::new();
    let node = shared.node();
    let own = labels_of(&node);
    let mut group = Group {
        labels: &own,
        found: &mut found,
    };
    let runners = shared.runners();
    counts(&mut group, &runners);
    in_consul(&mut group, shared, &runners);
    room(&mut group, &node, &runners);
    if wanted.host {
        host(&mut found, &own, &crate::api::host_stats(shared).await);
    }
    if wanted.allocations {
        for runner in runners {
            tasks(&mut found, &runner, wanted.meta.as_deref()).await;
        }
    }
    found
}

fn labels_of(node: &Node) -> Labels {
    let class = if node.node_class.is_empty() {
        "none"
    } else {
        &node.node_class
    };
    labels([
        ("datacenter", &node.datacenter),
        ("node_class", class),
        ("node_id", &node.id.to_string()),
        ("node_pool", &node.node_pool),
        (
            "node_scheduling_eligibility",
            &node.scheduling_eligibility.to_string(),
        ),
        ("node_status", &node.status.to_string()),
    ])
}

/// Allocations and tasks by how they stand.
fn counts(group: &mut Group<'_>, runners: &[Arc<Runner>]) {
    let (mut blocked, mut migrating, mut pending, mut running, mut terminal) = (0, 0, 0, 0, 0);
    let mut phases = [0; 3];
    for runner in runners {
        let view = runner.view();
        match view.status {
            ClientStatus::Pending if runner.waiting.is(Awaits::Another) => blocked += 1,
            ClientStatus::Pending if runner.waiting.is(Awaits::Data) => migrating += 1,
            ClientStatus::Pending => pending += 1,
            ClientStatus::Running => running += 1,
            _ => terminal += 1,
        }
        for (_, task) in view.states.iter() {
            phases[task.state as usize] += 1;
        }
    }
    let allocations = [
        ("blocked", blocked),
        ("migrating", migrating),
        ("pending", pending),
        ("running", running),
        ("terminal", terminal),
    ];
    for (name, count) in allocations {
        group.add(&format!("allocations.{name}"), f64::from(count));
    }
    for (name, phase) in [
        ("pending", TaskPhase::Pending),
        ("running", TaskPhase::Running),
        ("dead", TaskPhase::Dead),
    ] {
        group.add(&format!("tasks.{name}"), f64::from(phases[phase as usize]));
    }
}

/// The services of running allocations that Consul was told of, and their checks.
fn in_consul(group: &mut Group<'_>, shared: &Shared, runners: &[Arc<Runner>]) {
    let (mut services, mut checks) = (0, 0);
    for runner in runners.iter().filter(|_| shared.consul.is_some()) {
        let view = runner.view();
        let Some(job) = view
            .alloc
            .job
            .as_ref()
            .filter(|_| view.status == ClientStatus::Running)
        else {
            continue;
        };
        let Some(of_alloc) = job.lookup_task_group(&view.alloc.task_group) else {
            continue;
        };
        let own = of_alloc
            .services
            .iter()
            .chain(of_alloc.tasks.iter().flat_map(|task| &task.services));
        for service in own.filter(|service| service.provider == "consul") {
            services += 1;
            checks += service.checks.len();
        }
    }
    group.add("consul.services", f64::from(services));
    group.add("consul.checks", checks as f64);
}

/// What allocations that have not ended hold, and what is left.
fn room(group: &mut Group<'_>, node: &Node, runners: &[Arc<Runner>]) {
    let mut held = ComparableResources::default();
    for runner in runners {
        let view = runner.view();
        if !view.is_terminal()
            && let Some(resources) = &view.alloc.allocated_resources
        {
            held.add(&resources.comparable());
        }
    }
    group.add("allocated.cpu", held.cpu_shares as f64);
    group.add("allocated.memory", held.memory_mb as f64);
    group.add("allocated.max_memory", held.memory_max_mb as f64);
    group.add("allocated.disk", held.disk_mb as f64);
    let (cpu, memory, disk) = capacity(node);
    group.add("unallocated.cpu", (cpu - held.cpu_shares) as f64);
    group.add("unallocated.memory", (memory - held.memory_mb) as f64);
    group.add("unallocated.disk", (disk - held.disk_mb) as f64);
    // Bandwidth is not shared out any more.
    group.add("unallocated.network", 0.0);
}

/// What allocations can have of processors (MHz), memory and disk (MB).
fn capacity(node: &Node) -> (i64, i64, i64) {
    let all = node.node_resources.as_ref();
    let all = all.map_or((0, 0, 0), |all| {
        (all.cpu.cpu_shares, all.memory.memory_mb, all.disk.disk_mb)
    });
    let kept = node.reserved_resources.as_ref();
    let kept = kept.map_or((0, 0, 0), |kept| {
        (
            kept.cpu.cpu_shares,
            kept.memory.memory_mb,
            kept.disk.disk_mb,
        )
    });
    (all.0 - kept.0, all.1 - kept.1, all.2 - kept.2)
}

fn host(found: &mut Vec<MetricGauge>, own: &Labels, stats: &HostStats) {
    let mut group = Group { labels: own, found };
    group.add("uptime", stats.uptime as f64);
    if let Some(memory) = &stats.memory {
        group.add("host.memory.available", memory.available as f64);
        group.add("host.memory.free", memory.free as f64);
        group.add("host.memory.total", memory.total as f64);
        group.add("host.memory.used", memory.used as f64);
    }
    for core in &stats.cpu {
        let mut labels = own.clone();
        labels.insert("cpu".to_owned(), core.cpu.clone());
        let mut group = Group {
            labels: &labels,
            found,
        };
        group.add("host.cpu.idle", core.idle);
        group.add("host.cpu.system", core.system);
        group.add("host.cpu.total", core.total_percent);
        group.add("host.cpu.total_percent", core.total_percent);
        group.add("host.cpu.total_ticks", core.total_ticks);
        group.add("host.cpu.user", core.user);
    }
    for disk in &stats.disk_stats {
        let mut labels = own.clone();
        labels.insert("disk".to_owned(), disk.device.clone());
        let mut group = Group {
            labels: &labels,
            found,
        };
        group.add("host.disk.available", disk.available as f64);
        group.add("host.disk.inodes_percent", disk.inodes_used_percent);
        group.add("host.disk.size", disk.size as f64);
        group.add("host.disk.used", disk.used as f64);
        group.add("host.disk.used_percent", disk.used_percent);
    }
}

/// What the tasks of an allocation use, and what they were given.
async fn tasks(found: &mut Vec<MetricGauge>, runner: &Runner, meta: Option<&[String]>) {
    let view = runner.view();
    if view.is_terminal() {
        return;
    }
    let usage = crate::usage::of_alloc(runner, "").await;
    for (name, used) in &usage.tasks {
        let mut labels = task_labels(&view.alloc, name);
        if let Some(keys) = meta {
            label_meta(&mut labels, &view.alloc, name, keys);
        }
        let mut group = Group {
            labels: &labels,
            found,
        };
        task(&mut group, &used.resource_usage);
        let given = view.alloc.allocated_resources.as_ref();
        if let Some(given) = given.and_then(|all| all.tasks.get(name)) {
            allocated(&mut group, given);
        }
    }
}

/// Adds what a task's meta says, which never replaces what the allocation is known by.
fn label_meta(labels: &mut Labels, alloc: &Allocation, task: &str, keys: &[String]) {
    let Some(job) = &alloc.job else { return };
    let wanted = |key: &String| keys.is_empty() || keys.contains(key);
    for (key, value) in job.combined_meta(&alloc.task_group, task) {
        if wanted(&key) {
            labels.entry(key).or_insert(value);
        }
    }
}

fn task_labels(alloc: &Allocation, task: &str) -> Labels {
    labels([
        ("alloc_id", &alloc.id.to_string()),
        ("job", alloc.job_id.as_str()),
        ("namespace", alloc.namespace.as_str()),
        ("task", task),
        ("task_group", &alloc.task_group),
    ])
}

fn task(group: &mut Group<'_>, used: &ResourceUsage) {
    let (cpu, memory) = (&used.cpu_stats, &used.memory_stats);
    group.add("allocs.cpu.system", cpu.system_mode);
    group.add("allocs.cpu.throttled_periods", cpu.throttled_periods as f64);
    group.add("allocs.cpu.throttled_time", cpu.throttled_time as f64);
    group.add("allocs.cpu.total_percent", cpu.percent);
    group.add("allocs.cpu.total_ticks", cpu.total_ticks);
    group.add("allocs.cpu.user", cpu.user_mode);
    group.add("allocs.memory.rss", memory.rss as f64);
    group.add("allocs.memory.swap", memory.swap as f64);
    let others = [
        ("Cache", "cache", memory.cache),
        ("Usage", "usage", memory.usage),
        ("Max Usage", "max_usage", memory.max_usage),
        ("Kernel Usage", "kernel_usage", memory.kernel_usage),
        (
            "Kernel Max Usage",
            "kernel_max_usage",
            memory.kernel_max_usage,
        ),
    ];
    for (measured, name, value) in others {
        if memory.measured.iter().any(|have| have == measured) {
            group.add(&format!("allocs.memory.{name}"), value as f64);
        }
    }
}

fn allocated(group: &mut Group<'_>, given: &AllocatedTaskResources) {
    group.add("allocs.cpu.allocated", given.cpu.cpu_shares as f64);
    // In bytes, as what is used.
    group.add(
        "allocs.memory.allocated",
        given.memory.memory_mb.saturating_mul(1 << 20) as f64,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::{Job, Task, TaskGroup};

    #[test]
    fn meta_becomes_labels_as_far_as_its_keys_are_wanted_and_never_hides_what_is_known() {
        let meta = |pairs: &[(&str, &str)]| -> Labels {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let task = Task {
            name: "t".into(),
            meta: meta(&[("team", "b"), ("job", "x")]),
            ..Task::default()
        };
        let group = TaskGroup {
            name: "g".into(),
            tasks: vec![task],
            ..TaskGroup::default()
        };
        let job = Job {
            meta: meta(&[("team", "a"), ("tier", "1")]),
            task_groups: vec![group],
            ..Job::default()
        };
        let alloc = Allocation {
            job_id: "web".into(),
            task_group: "g".into(),
            job: Some(Arc::new(job)),
            ..Allocation::default()
        };
        let labelled = |keys: &[&str]| {
            let mut labels = task_labels(&alloc, "t");
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            label_meta(&mut labels, &alloc, "t", &keys);
            labels
        };
        let all = labelled(&[]);
        assert_eq!(
            (
                all["team"].as_str(),
                all["tier"].as_str(),
                all["job"].as_str()
            ),
            ("b", "1", "web")
        );
        assert_eq!(labelled(&["tier"]).get("team"), None);
    }
}
