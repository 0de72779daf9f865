//! What comes to concern a node while its change is on its way to the log.

use super::*;
use crate::testing::{NODE, begin, looked_at, propose, register_system_job, request};
use caravan_http::Op;
use caravan_state::{DrainUpdate, PlanApply};
use serde_json::{Value, json};

fn drains(strategy: Option<DrainStrategy>) -> Command {
    let update = DrainUpdate {
        strategy,
        ..DrainUpdate::default()
    };
    Command::UpdateNodeDrains {
        updates: BTreeMap::from([(NODE, update)]),
        evals: Vec::new(),
        now: clock::now(),
    }
}

#[tokio::test]
async fn a_job_that_is_registered_while_a_node_is_made_eligible_is_looked_at() {
    let server = begin().await;
    let shared = &server.shared;
    propose(shared, drains(Some(DrainStrategy::default()))).await;
    propose(shared, drains(None)).await;
    let call = request(
        shared,
        Op::NodeEligibility,
        json!({"Eligibility": "eligible"}),
    );
    register_system_job(shared).await;
    eligibility(&call).await.unwrap();
    assert_eq!(looked_at(shared), ["everywhere"]);
}

#[tokio::test]
async fn a_job_that_is_registered_while_a_drain_is_called_off_is_looked_at() {
    let server = begin().await;
    let shared = &server.shared;
    propose(shared, drains(Some(DrainStrategy::default()))).await;
    let call = request(shared, Op::NodeDrain, json!({"MarkEligible": true}));
    register_system_job(shared).await;
    drain(&call).await.unwrap();
    assert_eq!(looked_at(shared), ["everywhere"]);
}

#[tokio::test]
async fn what_is_placed_on_a_node_while_it_is_purged_is_looked_at() {
    let server = begin().await;
    let shared = &server.shared;
    let call = request(shared, Op::NodePurge, Value::Null);
    let job = register_system_job(shared).await;
    let alloc = Allocation {
        id: AllocId::from_u128(1),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        node_id: NODE,
        ..Allocation::default()
    };
    let plan = PlanApply {
        job: Some(job),
        allocs: vec![alloc],
        ..PlanApply::default()
    };
    propose(shared, Command::ApplyPlan(Box::new(plan))).await;
    purge(&call).await.unwrap();
    assert_eq!(looked_at(shared), ["everywhere"]);
}
