//! Drains as a leader carries them out, beside the scheduler's decisions.

use super::World;
use super::settings::number;
use caravan_control::drain::{Drainer, drain_update};
use caravan_control::{Controller, Ids};
use caravan_model::*;
use caravan_state::Command;

/// The leader's drainer.
#[derive(Default)]
pub struct Drains {
    drainer: Drainer,
    next_id: u128,
}

impl Drains {
    fn fresh(&mut self) -> u128 {
        self.next_id += 1;
        0xdda1_0000_0000 + self.next_id
    }

    /// Sets a drain: `deadline:60,keep_system`, `force` or `off`, `off,eligible`.
    pub fn begin(&mut self, world: &mut World, node: NodeId, how: &str) {
        let mut spec = DrainSpec::default();
        let (mut off, mut eligible) = (false, false);
        for part in how.split(',') {
            match part.split_once(':').unwrap_or((part, "")) {
                ("deadline", seconds) => spec.deadline = Duration::from_secs(number(seconds)),
                ("force", _) => spec.deadline = Duration(-1),
                ("keep_system", _) => spec.ignore_system_jobs = true,
                ("off", _) => off = true,
                ("eligible", _) => eligible = true,
                (other, _) => panic!("no setting {other} of drains"),
            }
        }
        let row = Node::clone(world.state.node(&node).expect("a node"));
        let now = world.now;
        let mut fresh = || self.fresh();
        let (update, evals) = drain_update(
            &world.state,
            &row,
            Some(&spec).filter(|_| !off),
            eligible,
            StringMap::new(),
            now,
            &mut Ids(&mut fresh),
        );
        world.apply(Command::UpdateNodeDrains {
            updates: [(node, update)].into(),
            evals: evals.clone(),
            now,
        });
        world.evaluate_all(evals);
    }

    /// One look of the drainer, and what the scheduler makes of it.
    pub fn step(&mut self, world: &mut World) {
        let mut drainer = std::mem::take(&mut self.drainer);
        let now = world.now;
        let mut fresh = || self.fresh();
        let step = drainer.step(&world.state, now, &mut Ids(&mut fresh));
        self.drainer = drainer;
        let mut created = Vec::new();
        for command in step.commands {
            match &command {
                Command::UpdateDesiredTransitions {
                    transitions, evals, ..
                } => {
                    for (id, wish) in transitions {
                        let name = world.state.alloc(id).map_or("", |alloc| &alloc.name);
                        let how = if wish.should_disable_migration_placement() {
                            " for good"
                        } else {
                            ""
                        };
                        world.log.push(format!("told {name} to leave{how}"));
                    }
                    created.extend(evals.clone());
                }
                Command::UpdateNodeDrains { updates, .. } => {
                    for (id, update) in updates {
                        let name = world.state.node(id).map_or("", |node| &node.name);
                        let details = update.event.iter().flat_map(|event| event.details.keys());
                        let details: Vec<&str> = details.map(String::as_str).collect();
                        let why = if details.is_empty() {
                            String::new()
                        } else {
                            format!(": {}", details.join(", "))
                        };
                        world.log.push(format!("drain of {name} is over{why}"));
                    }
                }
                _ => {}
            }
            world.apply(command);
        }
        if let Some(at) = step.wake_at {
            let seconds = at.since(now).0 / 1_000_000_000;
            world.log.push(format!("looks again in {seconds} s"));
        }
        world.evaluate_all(created);
    }
}
