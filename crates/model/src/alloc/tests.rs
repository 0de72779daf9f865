//! What allocations answer about themselves, and how they are written.

use super::*;
use crate::task_state::TaskPhase;

fn states(values: &[&str]) -> Allocation {
    let alloc_states = values
        .iter()
        .zip(1..)
        .map(|(value, at)| AllocState {
            field: AllocState::CLIENT_STATUS.to_owned(),
            value: (*value).to_owned(),
            time: Timestamp(at),
        })
        .collect();
    Allocation {
        alloc_states,
        ..Allocation::default()
    }
}

#[test]
fn being_unknown_is_told_from_the_log() {
    let alloc = states(&["unknown", "running", "unknown", "unknown"]);
    assert!(alloc.needs_to_reconnect());
    assert_eq!(alloc.last_unknown(), Some(Timestamp(3)));
    let back = states(&["unknown", "running"]);
    assert!(!back.needs_to_reconnect());
    assert_eq!(back.last_unknown(), Some(Timestamp(1)));
    assert_eq!(states(&[]).last_unknown(), None);
}

#[test]
fn an_empty_allocation_writes_only_its_statuses() {
    let text = serde_json::to_string(&Allocation::default()).unwrap();
    assert_eq!(text, r#"{"DesiredStatus":"run","ClientStatus":"pending"}"#);
}

#[test]
fn success_needs_tasks_that_ended_well() {
    let mut alloc = Allocation::default();
    assert!(!alloc.ran_successfully());
    let task = TaskState {
        state: TaskPhase::Dead,
        finished_at: Timestamp(7),
        ..TaskState::default()
    };
    alloc.task_states.insert("t".to_owned(), task.clone());
    assert!(alloc.ran_successfully());
    assert_eq!(alloc.last_event_time(), UnixNanos(7));
    let failed = TaskState {
        failed: true,
        ..task
    };
    alloc.task_states.insert("u".to_owned(), failed);
    assert!(!alloc.ran_successfully());
}

#[test]
fn the_index_is_in_the_name() {
    let alloc = Allocation {
        name: Allocation::make_name("web", "g", 12),
        ..Allocation::default()
    };
    assert_eq!(alloc.index(), Some(12));
}

#[test]
fn a_row_stays_small() {
    assert!(
        size_of::<Allocation>() <= 432,
        "{}",
        size_of::<Allocation>()
    );
    assert!(size_of::<crate::task_event::TaskEvent>() <= 40);
    assert!(size_of::<(String, crate::task_state::TaskState)>() <= 104);
}
