//! Tests of periodic launches, in plain values.

use super::*;
use crate::cluster::*;
use caravan_state::{Command, JobRemoval};

/// A batch job that is launched every minute.
fn minutely() -> Job {
    Job {
        r#type: job_type::BATCH.to_owned(),
        periodic: Some(PeriodicConfig {
            enabled: true,
            specs: vec!["* * * * *".to_owned()],
            spec_type: "cron".to_owned(),
            time_zone: "UTC".to_owned(),
            ..PeriodicConfig::default()
        }),
        ..service("report", 1)
    }
}

fn without_overlap() -> Job {
    let mut job = minutely();
    if let Some(periodic) = &mut job.periodic {
        periodic.prohibit_overlap = true;
    }
    job
}

/// The ids that a step registers.
fn launched(commands: &[Command]) -> Vec<String> {
    commands
        .iter()
        .map(|command| match command {
            Command::RegisterJob {
                job,
                eval: Some(eval),
                ..
            } => {
                assert_eq!(
                    (eval.triggered_by.as_str(), &eval.job_id),
                    (trigger::PERIODIC_JOB, &job.id)
                );
                job.id.to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn passed_over(seconds: i64) -> Vec<Command> {
    vec![Command::RecordPeriodicLaunch {
        job: key("report"),
        launch: at(seconds),
    }]
}

fn child_id(seconds: i64) -> String {
    format!("report/periodic-{}", at(seconds).seconds())
}

#[test]
fn a_child_is_a_job_of_its_own() {
    let job = Job {
        version: 4,
        stable: true,
        status: job_status::RUNNING.to_owned(),
        ..minutely()
    };
    let child = child(&job, at(60));
    assert_eq!(child.id.to_string(), child_id(60));
    assert_eq!(
        (child.name.as_str(), child.parent_id.as_str()),
        (child.id.as_str(), "report")
    );
    assert!(!child.is_periodic() && !child.stable && child.status.is_empty() && child.version == 0);
}

#[test]
fn the_earliest_of_several_expressions_is_next() {
    let mut job = minutely();
    if let Some(periodic) = &mut job.periodic {
        periodic.specs = vec![
            "0 12 * * *".to_owned(),
            "30 3 * * *".to_owned(),
            "nonsense".to_owned(),
        ];
    }
    assert_eq!(next_launch(&job, at(0)), Some(at(3 * 3600 + 1800)));
    assert_eq!(next_launch(&job, at(4 * 3600)), Some(at(12 * 3600)));
    assert_eq!(next_launch(&service("web", 1), at(0)), None);
}

#[test]
fn a_job_is_launched_at_its_times() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.pass(10);
    cluster.register(minutely());
    assert_eq!(cluster.settle(&mut launcher), (vec![], Some(at(60))));
    cluster.pass(50);
    let (commands, wake) = cluster.settle(&mut launcher);
    assert_eq!(
        (launched(&commands), wake),
        (vec![child_id(60)], Some(at(120)))
    );
    cluster.pass(61);
    let (commands, wake) = cluster.settle(&mut launcher);
    assert_eq!(
        (launched(&commands), wake),
        (vec![child_id(120)], Some(at(180))),
        "late, but for its own time"
    );
}

#[test]
fn of_several_missed_launches_one_is_made_up() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.register(minutely());
    cluster.settle(&mut launcher);
    cluster.pass(605);
    let (commands, wake) = cluster.settle(&mut launcher);
    assert_eq!(
        (launched(&commands), wake),
        (vec![child_id(605)], Some(at(660)))
    );
}

#[test]
fn when_the_next_launch_is_due_as_well_only_that_is_made() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.register(minutely());
    cluster.settle(&mut launcher);
    cluster.pass(120);
    let (commands, wake) = cluster.settle(&mut launcher);
    assert_eq!(
        (launched(&commands), wake),
        (vec![child_id(120)], Some(at(180)))
    );
}

#[test]
fn a_new_leader_makes_up_for_what_was_missed() {
    let mut cluster = Cluster::new();
    cluster.register(minutely());
    cluster.pass(75);
    let (commands, wake) = cluster.settle(&mut PeriodicLauncher::default());
    assert_eq!(
        (launched(&commands), wake),
        (vec![child_id(75)], Some(at(120)))
    );
    // The leader after it has nothing to make up for.
    assert_eq!(
        cluster.settle(&mut PeriodicLauncher::default()),
        (vec![], Some(at(120)))
    );
}

#[test]
fn a_launch_is_passed_over_while_a_child_is_alive() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.register(without_overlap());
    cluster.pass(60);
    let (commands, _) = cluster.settle(&mut launcher);
    assert_eq!(launched(&commands), [child_id(60)]);
    cluster.pass(60);
    assert_eq!(
        cluster.settle(&mut launcher),
        (passed_over(120), Some(at(180))),
        "its evaluation is open"
    );
    assert_eq!(cluster.finish_evals(&child_id(60)), 1);
    cluster.pass(10);
    assert_eq!(
        cluster.settle(&mut launcher),
        (vec![], Some(at(180))),
        "what was passed over stays so"
    );
    let job = cluster.job(&child_id(60)).clone();
    let alloc = cluster.place(1, &job, |_| {});
    cluster.pass(50);
    assert_eq!(
        cluster.settle(&mut launcher),
        (passed_over(180), Some(at(240))),
        "its allocation runs"
    );
    cluster.tell(alloc, ClientStatus::Complete, None);
    cluster.pass(60);
    let (commands, _) = cluster.settle(&mut launcher);
    assert_eq!(launched(&commands), [child_id(240)]);
}

#[test]
fn a_new_leader_respects_overlap() {
    let mut cluster = Cluster::new();
    cluster.register(without_overlap());
    cluster.pass(60);
    cluster.settle(&mut PeriodicLauncher::default());
    cluster.pass(75);
    assert_eq!(
        cluster.settle(&mut PeriodicLauncher::default()),
        (passed_over(135), Some(at(180)))
    );
}

/// Daily reports that were passed over in the night do not begin in the middle of the day.
#[test]
fn a_new_leader_does_not_make_up_for_what_was_passed_over() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.register(without_overlap());
    cluster.pass(60);
    cluster.settle(&mut launcher);
    cluster.pass(60);
    cluster.settle(&mut launcher);
    assert_eq!(cluster.finish_evals(&child_id(60)), 1);
    cluster.pass(10);
    assert_eq!(
        cluster.settle(&mut PeriodicLauncher::default()),
        (vec![], Some(at(180)))
    );
}

#[test]
fn a_changed_schedule_counts_from_its_change() {
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    let mut job = minutely();
    if let Some(periodic) = &mut job.periodic {
        periodic.specs = vec!["0 0 1 1 *".to_owned()];
    }
    cluster.register(job);
    cluster.settle(&mut launcher);
    cluster.pass(3600 + 30);
    cluster.register(minutely());
    assert_eq!(cluster.settle(&mut launcher), (vec![], Some(at(3660))));
}

#[test]
fn what_is_not_active_is_not_launched() {
    let mut disabled = minutely();
    if let Some(periodic) = &mut disabled.periodic {
        periodic.enabled = false;
    }
    let waiting = Job {
        parameterized_job: Some(ParameterizedJobConfig::default()),
        ..minutely()
    };
    for job in [
        disabled,
        waiting,
        Job {
            stop: true,
            ..minutely()
        },
        service("web", 1),
    ] {
        let mut cluster = Cluster::new();
        cluster.register(job);
        cluster.pass(600);
        assert_eq!(
            cluster.settle(&mut PeriodicLauncher::default()),
            (vec![], None)
        );
    }
    let mut cluster = Cluster::new();
    let mut launcher = PeriodicLauncher::default();
    cluster.register(minutely());
    cluster.settle(&mut launcher);
    let removal = JobRemoval {
        job: key("report"),
        purge: false,
        no_shutdown_delay: false,
        only_if_dead: false,
    };
    cluster.apply(Command::DeregisterJobs {
        jobs: vec![removal],
        evals: Vec::new(),
        now: cluster.now,
    });
    cluster.pass(600);
    assert_eq!(cluster.settle(&mut launcher), (vec![], None));
}

#[test]
fn a_dispatched_child_that_is_periodic_is_launched() {
    let mut cluster = Cluster::new();
    let job = Job {
        parameterized_job: Some(ParameterizedJobConfig::default()),
        dispatched: true,
        ..minutely()
    };
    cluster.register(job);
    cluster.pass(60);
    let (commands, _) = cluster.settle(&mut PeriodicLauncher::default());
    assert_eq!(launched(&commands), [child_id(60)]);
}

#[test]
fn launches_that_are_wanted_within_a_second_are_all_made() {
    let mut cluster = Cluster::new();
    cluster.register(minutely());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let child = forced_child(&cluster.state, cluster.job("report"), at(7));
        assert_eq!(child.submit_time, at(7));
        ids.push(child.id.to_string());
        cluster.register(child);
    }
    assert_eq!(ids, [child_id(7), child_id(8), child_id(9)]);
}
