//! Each rule of the scheduler sheet §3.2, by name.

use super::*;

const TYPES: &[&str] = &["service", "batch"];

fn eval(number: u128, job: &str, priority: i64) -> Arc<Evaluation> {
    Arc::new(Evaluation {
        id: EvalId::from_u128(number),
        job_id: job.into(),
        r#type: "service".to_owned(),
        priority,
        create_index: u64::try_from(number).unwrap(),
        modify_index: u64::try_from(number).unwrap(),
        ..Evaluation::default()
    })
}

fn broker() -> Broker {
    let mut broker = Broker::default();
    broker.set_enabled(true);
    broker
}

fn at(seconds: i64) -> UnixNanos {
    UnixNanos(seconds * 1_000_000_000)
}

#[test]
fn higher_priority_first_then_older() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    broker.enqueue(eval(2, "b", 80), None, at(0));
    broker.enqueue(eval(3, "c", 80), None, at(0));
    let order: Vec<_> = (0..3)
        .map(|n| {
            broker
                .dequeue(TYPES, n.to_string(), at(0))
                .unwrap()
                .job_id
                .to_string()
        })
        .collect();
    assert_eq!(order, ["b", "c", "a"]);
    assert!(broker.dequeue(TYPES, "x".into(), at(0)).is_none());
}

#[test]
fn one_in_flight_a_job_then_the_newest_and_the_rest_is_cancelable() {
    let mut broker = broker();
    for number in 1..=3 {
        broker.enqueue(eval(number, "a", 50), None, at(0));
    }
    let first = broker.dequeue(TYPES, "t".into(), at(0)).unwrap();
    assert_eq!(first.id, EvalId::from_u128(1));
    assert!(broker.dequeue(TYPES, "u".into(), at(0)).is_none());
    broker.ack(first.id, "t", at(0)).unwrap();
    assert_eq!(
        broker.dequeue(TYPES, "u".into(), at(0)).unwrap().id,
        EvalId::from_u128(3)
    );
    let superfluous = broker.take_cancelable(10);
    assert_eq!(
        superfluous.iter().map(|eval| eval.id).collect::<Vec<_>>(),
        [EvalId::from_u128(2)]
    );
}

#[test]
fn a_nacked_one_comes_back_later_and_fails_after_three_deliveries() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    let mut now = 0;
    for pause in [1, 20] {
        let held = broker.dequeue(TYPES, "t".into(), at(now)).unwrap();
        broker.nack(held.id, "t", at(now)).unwrap();
        assert!(broker.dequeue(TYPES, "t".into(), at(now)).is_none());
        assert_eq!(broker.tick(at(now)), Some(at(now + pause)));
        now += pause;
        broker.tick(at(now));
    }
    let held = broker.dequeue(TYPES, "t".into(), at(now)).unwrap();
    broker.nack(held.id, "t", at(now)).unwrap();
    assert_eq!(broker.stats().failed, 1);
    assert_eq!(
        broker.dequeue_failed("f".into(), at(now)).unwrap().id,
        held.id
    );
}

#[test]
fn a_lost_worker_gives_its_evaluation_back() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    let held = broker.dequeue(TYPES, "t".into(), at(0)).unwrap();
    assert_eq!(broker.tick(at(59)), Some(at(60)));
    broker.tick(at(60));
    assert_eq!(
        broker.ack(held.id, "t", at(60)),
        Err(TokenError::NotOutstanding)
    );
    broker.tick(at(61));
    assert!(broker.dequeue(TYPES, "u".into(), at(61)).is_some());
}

#[test]
fn waiting_until_a_time_and_being_dropped_meanwhile() {
    let mut broker = broker();
    let later = Evaluation {
        wait_until: Timestamp::from(at(10)),
        ..Evaluation::clone(&eval(1, "a", 50))
    };
    broker.enqueue(Arc::new(later), None, at(0));
    assert!(broker.dequeue(TYPES, "t".into(), at(0)).is_none());
    assert_eq!(broker.tick(at(1)), Some(at(10)));
    assert!(broker.drop_waiting(EvalId::from_u128(1)));
    assert_eq!(broker.tick(at(11)), None);
    assert_eq!(broker.stats(), BrokerStats::default());
}

#[test]
fn requeued_by_its_holder_is_taken_up_after_the_ack() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    let held = broker.dequeue(TYPES, "t".into(), at(0)).unwrap();
    broker.enqueue(eval(1, "a", 50), Some("wrong"), at(0));
    broker.enqueue(eval(1, "a", 50), Some("t"), at(0));
    assert_eq!(
        broker.ack(held.id, "wrong", at(0)),
        Err(TokenError::Mismatch)
    );
    broker.ack(held.id, "t", at(0)).unwrap();
    assert!(broker.dequeue(TYPES, "u".into(), at(0)).is_some());
}

#[test]
fn switched_off_it_is_empty_and_takes_nothing() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    broker.set_enabled(false);
    broker.enqueue(eval(2, "b", 50), None, at(0));
    assert_eq!(broker.stats(), BrokerStats::default());
}

#[test]
fn requeued_by_a_holder_that_gives_up_is_forgotten() {
    let mut broker = broker();
    broker.enqueue(eval(1, "a", 50), None, at(0));
    broker.dequeue(TYPES, "t".into(), at(0)).unwrap();
    broker.enqueue(eval(1, "a", 50), Some("t"), at(0));
    broker.nack(EvalId::from_u128(1), "t", at(0)).unwrap();
    broker.tick(at(1));
    let again = broker.dequeue(TYPES, "u".into(), at(1)).unwrap();
    broker.ack(again.id, "u", at(1)).unwrap();
    assert_eq!(broker.stats(), BrokerStats::default());
}

#[test]
fn dropping_one_that_waits_lets_nothing_overtake_what_is_in_flight() {
    let mut broker = broker();
    let later = Evaluation {
        wait_until: Timestamp::from(at(10)),
        ..Evaluation::clone(&eval(2, "a", 50))
    };
    broker.enqueue(eval(1, "a", 50), None, at(0));
    broker.enqueue(Arc::new(later), None, at(0));
    broker.dequeue(TYPES, "t".into(), at(0)).unwrap();
    assert!(broker.drop_waiting(EvalId::from_u128(2)));
    broker.enqueue(eval(3, "a", 50), None, at(0));
    assert!(
        broker.dequeue(TYPES, "u".into(), at(0)).is_none(),
        "the first is still out"
    );
    broker.ack(EvalId::from_u128(1), "t", at(0)).unwrap();
    assert!(broker.dequeue(TYPES, "u".into(), at(0)).is_some());
}

#[test]
fn deliveries_are_counted_from_the_last_one_that_was_done() {
    let mut broker = broker();
    let mut now = 0;
    for _ in 0..2 {
        broker.enqueue(eval(1, "a", 50), None, at(now));
        for pause in [1, 20] {
            let held = broker.dequeue(TYPES, "t".into(), at(now)).unwrap();
            broker.nack(held.id, "t", at(now)).unwrap();
            now += pause;
            broker.tick(at(now));
        }
        let held = broker.dequeue(TYPES, "t".into(), at(now)).unwrap();
        broker.ack(held.id, "t", at(now)).unwrap();
    }
    assert_eq!(broker.stats(), BrokerStats::default());
}

#[test]
fn one_that_is_to_wait_for_a_while_does() {
    let mut broker = broker();
    let later = Evaluation {
        wait: Duration::from_secs(30),
        ..Evaluation::clone(&eval(1, "a", 50))
    };
    broker.enqueue(Arc::new(later), None, at(5));
    assert!(broker.dequeue(TYPES, "t".into(), at(5)).is_none());
    assert_eq!(broker.tick(at(34)), Some(at(35)));
    broker.tick(at(35));
    assert!(broker.dequeue(TYPES, "t".into(), at(35)).is_some());
}
