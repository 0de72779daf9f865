//! The language of the rules: one command a line, run on a [`World`].

use super::drains::Drains;
use super::settings::{host_volume, number, set_job, set_node};
use super::{World, job, node, render};
use caravan_model::*;
use caravan_scheduler::dry_run;
use caravan_state::Command;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A cluster that is told what to do line by line.
pub struct Script {
    world: World,
    jobs: BTreeMap<String, Job>,
    drains: Drains,
    nodes: BTreeMap<String, NodeId>,
}

/// `key=value` words; a value in single quotes may have spaces.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// `web`, or `web[1]` for one of its allocations.
fn one_of(which: &str) -> (&str, Option<usize>) {
    match which.split_once('[') {
        Some((id, at)) => (id, at.strip_suffix(']').and_then(|at| at.parse().ok())),
        None => (which, None),
    }
}

impl Script {
    pub fn new() -> Self {
        Self {
            world: World::new(0),
            jobs: BTreeMap::new(),
            drains: Drains::default(),
            nodes: BTreeMap::new(),
        }
    }

    /// Runs one command. What happened, one line each.
    pub fn run(&mut self, line: &str) -> Vec<String> {
        self.world.log.clear();
        let words = words(line);
        let (command, rest) = words.split_first().expect("a command");
        let first = rest.first().map_or("", String::as_str);
        match command.as_str() {
            "nodes" => (0..number(first)).for_each(|at| self.node(&format!("n{at}"), &[])),
            "node" => self.node(first, &rest[1..]),
            "job" => self.job(first, &rest[1..]),
            "stop" => self.world.deregister(first),
            "drain" if rest.len() > 1 => {
                self.drains
                    .begin(&mut self.world, self.nodes[first], &rest[1])
            }
            "drainer" => self.drains.step(&mut self.world),
            "ready" | "down" | "disconnect" | "drain" | "remove" => self.node_event(command, first),
            "eligible" | "ineligible" => self.eligibility(first, command == "eligible"),
            "running" | "failed" | "complete" => self.clients(command, first),
            "pause" => self.world.set_deployment(first, DeploymentStatus::Paused),
            "resume" => self.world.set_deployment(first, DeploymentStatus::Running),
            "force" => self.world.force_reschedule(first),
            "again" => self.world.duplicate(first),
            "plan" => return self.plan(first, &rest[1..]),
            "seen" => return self.seen(first),
            "pool" => self.pool(first, &rest[1]),
            "healthy" => self.world.healthy(first),
            "unhealthy" => self.world.unhealthy(first),
            "judged" => {
                let (id, only) = one_of(first);
                self.world.judged(id, only);
            }
            "promote" => self.world.promote(first),
            "fail" => self.world.fail_deployment(first),
            "evaluate" => {
                let why = rest.get(1).map_or(trigger::JOB_REGISTER, String::as_str);
                self.world.evaluate(first, why);
            }
            "migrate" | "restart" | "tell" => self.transition(command, first),
            "refuse" => self.refuse(first, rest.get(1)),
            "pass" => self.world.pass(number(first)),
            "unblock" => self.world.unblock(),
            "config" => self.config(rest),
            "show" => return self.show(first),
            "scores" => return self.scores(first),
            other => panic!("no command {other}"),
        }
        self.world.check_nodes();
        std::mem::take(&mut self.world.log)
    }

    fn node(&mut self, name: &str, settings: &[String]) {
        let at = self.nodes.len();
        let mut node = node(at);
        node.name = name.to_owned();
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            set_node(&mut node, key, value);
        }
        node.computed_class = computed_class(&node);
        self.nodes.insert(name.to_owned(), node.id);
        let dynamic = node
            .host_volumes
            .values()
            .filter(|shown| !shown.id.is_empty());
        let volumes = dynamic
            .map(|shown| host_volume(shown, node.id, settings))
            .collect();
        self.world.add_node(node);
        self.world.apply(Command::UpsertHostVolumes { volumes });
    }

    fn job(&mut self, id: &str, settings: &[String]) {
        let mut job = self
            .jobs
            .remove(id)
            .unwrap_or_else(|| job(id, job_type::SERVICE, 1));
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            set_job(&mut job, key, value);
        }
        self.jobs.insert(id.to_owned(), job.clone());
        self.world.register(job);
    }

    fn node_event(&mut self, what: &str, name: &str) {
        let id = self.nodes[name];
        match what {
            "ready" => self.world.set_node_status(id, NodeStatus::Ready),
            "down" => self.world.set_node_status(id, NodeStatus::Down),
            "disconnect" => self.world.set_node_status(id, NodeStatus::Disconnected),
            "drain" => self.world.drain(id),
            _ => self.world.apply(Command::DeregisterNodes {
                nodes: vec![id],
                evals: vec![],
            }),
        }
        let jobs: Vec<String> = self.jobs.keys().cloned().collect();
        for job in jobs {
            self.world.evaluate(&job, trigger::NODE_UPDATE);
        }
    }

    /// `web` or `web[1]`: clients say how these do.
    fn clients(&mut self, status: &str, which: &str) {
        let status = match status {
            "running" => ClientStatus::Running,
            "failed" => ClientStatus::Failed,
            _ => ClientStatus::Complete,
        };
        let (id, only) = one_of(which);
        self.world.clients_of(id, status, only);
        if status == ClientStatus::Failed {
            self.world.evaluate(id, trigger::ALLOC_FAILURE);
        }
    }

    /// The next plan, or this many, lose what they place on a node.
    fn refuse(&mut self, name: &str, plans: Option<&String>) {
        let plans = plans.map_or(1, |plans| number(plans).unsigned_abs());
        self.world.refuse = Some((self.nodes[name], plans));
    }

    fn eligibility(&mut self, name: &str, eligible: bool) {
        let eligibility = if eligible {
            Eligibility::Eligible
        } else {
            Eligibility::Ineligible
        };
        let (node, now) = (self.nodes[name], self.world.now);
        self.world.apply(Command::UpdateNodeEligibility {
            node,
            eligibility,
            event: None,
            evals: vec![],
            now,
        });
    }

    /// A pool with an algorithm of its own.
    fn pool(&mut self, name: &str, algorithm: &str) {
        let pool = NodePool {
            name: name.to_owned(),
            scheduler_configuration: Some(NodePoolSchedulerConfiguration {
                scheduler_algorithm: algorithm.to_owned(),
                ..NodePoolSchedulerConfiguration::default()
            }),
            ..NodePool::default()
        };
        self.world
            .apply(Command::UpsertNodePools { pools: vec![pool] });
    }

    /// What registering the job with these settings would do.
    fn plan(&mut self, id: &str, settings: &[String]) -> Vec<String> {
        let known = self.jobs.get(id).cloned();
        let mut job = known.unwrap_or_else(|| job(id, job_type::SERVICE, 1));
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            set_job(&mut job, key, value);
        }
        let settings = self.world.settings();
        let before = self.world.state.dump();
        let dry = dry_run(&self.world.state, Arc::new(job), &settings);
        assert_eq!(before, self.world.state.dump(), "nothing is done");
        render::dry(&self.world.state, &dry, self.world.now)
    }

    /// What was seen by the last evaluation of a job where it failed, or else by its last placement.
    fn seen(&self, id: &str) -> Vec<String> {
        let eval = self.world.last_eval(id);
        if let Some(metric) = eval.failed_tg_allocs.values().next() {
            return render::whole(metric);
        }
        self.last_metric(id)
            .map_or(Vec::new(), |metric| render::whole(&metric))
    }

    fn transition(&mut self, what: &str, which: &str) {
        let (id, at) = which.split_once('[').expect("job[index]");
        let at = at.strip_suffix(']').and_then(|at| at.parse().ok());
        let wish = DesiredTransition {
            migrate: Some(what != "restart"),
            reschedule: Some(what == "restart"),
            ..DesiredTransition::default()
        };
        let allocs = self.world.allocs(id);
        let wanted = allocs.iter().filter(|alloc| !alloc.server_terminal());
        let chosen = wanted.filter(|alloc| alloc.index() == at);
        let transitions = chosen.map(|alloc| (alloc.id, wish)).collect();
        let now = self.world.now;
        self.world.apply(Command::UpdateDesiredTransitions {
            transitions,
            evals: vec![],
            now,
        });
        if what != "tell" {
            self.world.evaluate(id, trigger::NODE_DRAIN);
        }
    }

    fn config(&mut self, settings: &[String]) {
        let mut config = SchedulerConfiguration::initial();
        for setting in settings {
            match setting.as_str() {
                "spread" => config.scheduler_algorithm = scheduler_algorithm::SPREAD.into(),
                "oversubscribe" => config.memory_oversubscription_enabled = true,
                "preempt" => {
                    config.preemption_config.service_scheduler_enabled = true;
                    config.preemption_config.batch_scheduler_enabled = true;
                }
                "preempt_sysbatch" => {
                    config.preemption_config.sys_batch_scheduler_enabled = true;
                }
                "no_preemption" => config.preemption_config.system_scheduler_enabled = false,
                other => panic!("no setting {other}"),
            }
        }
        self.world.apply(Command::SetSchedulerConfig {
            config: Box::new(config),
            check_index: None,
        });
    }

    /// What of a job runs where.
    fn show(&self, id: &str) -> Vec<String> {
        let state = &self.world.state;
        let shown = |alloc: &Arc<Allocation>| {
            let node = state
                .node(&alloc.node_id)
                .map_or("nowhere", |node| &node.name);
            let (name, version) = (&alloc.name, alloc.job_version());
            format!(
                "{name} v{version} {} on {node}",
                alloc.client_status.as_str()
            )
        };
        self.world.live(id).iter().map(shown).collect()
    }

    /// The scores of the allocation of a job that was placed last.
    fn scores(&self, id: &str) -> Vec<String> {
        self.last_metric(id).map_or(Vec::new(), |metric| {
            render::scores(&self.world.state, &metric)
        })
    }

    fn last_metric(&self, id: &str) -> Option<Arc<AllocMetric>> {
        let live = self.world.live(id);
        let last = live
            .iter()
            .max_by_key(|alloc| (alloc.create_index, alloc.index()));
        last.and_then(|alloc| alloc.metrics.clone())
    }
}
