//! Compares what a service or batch job declares with what runs, and says what to change (scheduler sheet §12).
//!
//! It decides about names and numbers only; where new allocations run is found afterwards.

pub(crate) mod canaries;
pub(crate) mod classify;
mod deploy;
mod disconnect;
mod group;
pub(crate) mod names;
pub(crate) mod reschedule;
mod stops;

use crate::evals;
use crate::rng::Rng;
use caravan_model::*;
pub(crate) use deploy::promotion_text;
use names::NameIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Allocations by id.
pub(crate) type AllocSet = BTreeMap<AllocId, Arc<Allocation>>;
/// Nodes that allocations cannot stay on as they are: none when the node is gone.
pub(crate) type Tainted = BTreeMap<NodeId, Option<Arc<Node>>>;

/// An allocation to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub(crate) alloc: Arc<Allocation>,
    /// What is now thought of the client's side.
    pub(crate) client_status: Option<ClientStatus>,
    pub(crate) description: String,
    pub(crate) follow_up: EvalId,
}

/// An allocation to place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placement {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) canary: bool,
    /// The one it replaces.
    pub(crate) previous: Option<Arc<Allocation>>,
    /// The one it replaces failed.
    pub(crate) reschedule: bool,
    /// The one it replaces is to be stopped first, to make room.
    pub(crate) destructive: bool,
    /// While canaries are tried out, it runs the version before.
    pub(crate) downgrade: bool,
    pub(crate) min_job_version: u64,
}

/// What an allocation needs to run the new version.
#[derive(Debug)]
pub(crate) enum Update {
    /// Nothing.
    Ignore,
    /// To be replaced.
    Destructive,
    /// To be told: this is its new form.
    InPlace(Box<Allocation>),
}

/// Decides between in-place and destructive updates.
pub(crate) trait Updater {
    /// What `alloc` needs to run `group` of `job`.
    fn update(&mut self, alloc: &Arc<Allocation>, job: &Arc<Job>, group: &TaskGroup) -> Update;
}

/// What is to change.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) place: Vec<Placement>,
    pub(crate) destructive: Vec<Placement>,
    pub(crate) in_place: Vec<Allocation>,
    pub(crate) stop: Vec<Stop>,
    /// Changed allocations that are neither placed nor stopped.
    pub(crate) changed: BTreeMap<AllocId, Allocation>,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) deployment_updates: Vec<DeploymentStatusUpdate>,
    pub(crate) desired: SmallMap<String, DesiredUpdates>,
    pub(crate) follow_ups: Vec<Evaluation>,
    pub(crate) names: BTreeMap<String, NameIndex>,
    /// The deployment that new allocations belong to.
    pub(crate) deployment_id: DeploymentId,
}

/// What is compared.
pub(crate) struct Input<'a> {
    pub(crate) eval: &'a Evaluation,
    /// None when the job is stopped or gone.
    pub(crate) job: Option<Arc<Job>>,
    /// The newest deployment of the job.
    pub(crate) deployment: Option<Arc<Deployment>>,
    /// Those before it.
    pub(crate) older: Vec<Arc<Deployment>>,
    pub(crate) allocs: &'a [Arc<Allocation>],
    pub(crate) tainted: &'a Tainted,
    pub(crate) batch: bool,
    pub(crate) now: UnixNanos,
}

/// The comparison at work.
pub(crate) struct Reconciler<'a> {
    input: Input<'a>,
    updater: &'a mut dyn Updater,
    rng: &'a mut Rng,
    /// The deployment of this version of the job.
    deployment: Option<Deployment>,
    /// The one before.
    old_deployment: Option<Arc<Deployment>>,
    deployment_is_new: bool,
    out: Results,
}

/// Says what to change.
pub(crate) fn reconcile(input: Input<'_>, updater: &mut dyn Updater, rng: &mut Rng) -> Results {
    let deployment = input.deployment.as_deref().cloned();
    let mut reconciler = Reconciler {
        input,
        updater,
        rng,
        deployment,
        old_deployment: None,
        deployment_is_new: false,
        out: Results::default(),
    };
    reconciler.run();
    reconciler.out
}

impl Reconciler<'_> {
    fn run(&mut self) {
        self.settle_old_deployment();
        let by_group = self.allocs_by_group();
        let Some(job) = self.input.job.clone() else {
            for (group, mut allocs) in by_group {
                allocs.retain(|_, alloc| !alloc.terminal_status());
                let desired = self.stop_all(&allocs);
                self.out.desired.insert(group, desired);
            }
            return;
        };
        let mut complete = true;
        for (group, allocs) in by_group {
            complete &= self.reconcile_group(&job, &group, allocs);
        }
        self.finish_deployment(complete);
    }

    fn allocs_by_group(&self) -> BTreeMap<String, AllocSet> {
        let mut by_group: BTreeMap<String, AllocSet> = BTreeMap::new();
        for group in self.input.job.iter().flat_map(|job| &job.task_groups) {
            by_group.entry(group.name.clone()).or_default();
        }
        for alloc in self.input.allocs {
            let of_group = by_group.entry(alloc.task_group.clone()).or_default();
            of_group.insert(alloc.id, Arc::clone(alloc));
        }
        by_group
    }

    fn stop(&mut self, alloc: &Arc<Allocation>, status: Option<ClientStatus>, description: &str) {
        self.stop_following_up(alloc, status, description, EvalId::NIL);
    }

    fn stop_following_up(
        &mut self,
        alloc: &Arc<Allocation>,
        client_status: Option<ClientStatus>,
        description: &str,
        follow_up: EvalId,
    ) {
        self.out.stop.push(Stop {
            alloc: Arc::clone(alloc),
            client_status,
            description: description.to_owned(),
            follow_up,
        });
    }

    /// The changed form of an allocation, to change further.
    fn changed(&mut self, alloc: &Arc<Allocation>) -> &mut Allocation {
        self.out
            .changed
            .entry(alloc.id)
            .or_insert_with(|| Allocation::clone(alloc))
    }

    /// One evaluation for each window of times; each allocation's evaluation.
    fn follow_up(
        &mut self,
        mut times: Vec<(Arc<Allocation>, UnixNanos)>,
        first_trigger: &str,
        further_trigger: &str,
        description: &str,
    ) -> BTreeMap<AllocId, EvalId> {
        const WINDOW: Duration = Duration::from_secs(5);
        times.sort_by_key(|(alloc, time)| (*time, alloc.id));
        let mut ids = BTreeMap::new();
        let mut window: Option<(UnixNanos, EvalId)> = None;
        for (alloc, time) in times {
            let id = match window {
                Some((start, id)) if time.since(start).0 < WINDOW.0 => id,
                previous => {
                    let id = EvalId(self.rng.uuid());
                    let trigger = if previous.is_none() {
                        first_trigger
                    } else {
                        further_trigger
                    };
                    let eval = self.input.eval;
                    let later = evals::later(eval, id, trigger, description, time, self.input.now);
                    self.out.follow_ups.push(later);
                    window = Some((time, id));
                    id
                }
            };
            ids.insert(alloc.id, id);
        }
        ids
    }
}

/// Those of `set` that are not in `other`.
pub(crate) fn without(set: &AllocSet, other: &AllocSet) -> AllocSet {
    let kept = set.iter().filter(|(id, _)| !other.contains_key(id));
    kept.map(|(id, alloc)| (*id, Arc::clone(alloc))).collect()
}

/// The names of a set's allocations.
pub(crate) fn names_of(set: &AllocSet) -> BTreeSet<&str> {
    set.values().map(|alloc| alloc.name.as_str()).collect()
}

/// A set in the order of its allocations' numbers.
pub(crate) fn by_number(set: &AllocSet) -> Vec<Arc<Allocation>> {
    let mut allocs: Vec<Arc<Allocation>> = set.values().cloned().collect();
    allocs.sort_by_key(|alloc| (alloc.index(), alloc.id));
    allocs
}
