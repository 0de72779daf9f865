//! Topics and lines.

use futures::StreamExt;

use super::*;
use crate::answer::Body;

fn subscribe(query: &str) -> Result<Subscription, ApiError> {
    Subscription::parse(&Query::parse(query))
}

#[test]
fn topics() {
    for (query, topic, key, filter_keys, wanted) in [
        ("", "Job", "a", &[][..], true),
        ("topic=*", "Job", "a", &[], true),
        ("topic=Job", "Job", "a", &[], true),
        ("topic=Job", "Node", "a", &[], false),
        ("topic=Job:*", "Job", "a", &[], true),
        ("topic=Job:a", "Job", "a", &[], true),
        ("topic=Job:a", "Job", "b", &[], false),
        ("topic=Allocation:b", "Allocation", "1", &["b", ""], true),
        ("topic=Job:a&topic=Job:*", "Job", "b", &[], false),
        ("topic=Job&topic=Node", "Node", "n", &[], true),
        ("topic=Weather", "Job", "a", &[], false),
    ] {
        let subscription = subscribe(query).expect("good");
        assert_eq!(
            subscription.wants(topic, key, filter_keys.iter().copied()),
            wanted,
            "{query} {topic}:{key}"
        );
    }
}

#[test]
fn bad_parameters() {
    for (query, text) in [
        (
            "topic=Job:a:b",
            "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: Job:a:b",
        ),
        (
            "index=x",
            "Unable to parse index: strconv.Atoi: parsing \"x\": invalid syntax",
        ),
    ] {
        assert_eq!(subscribe(query), Err(ApiError::bad_request(text)));
    }
}

#[tokio::test(start_paused = true)]
async fn lines_and_heartbeats() {
    let (sender, lines) = mpsc::channel(8);
    let mut answer = answer(lines);
    assert_eq!(
        answer.head.headers,
        [("cache-control".to_owned(), "no-cache".to_owned())]
    );
    let Body::Stream(stream) = &mut answer.body else {
        panic!("no stream")
    };
    let mut next = async || {
        stream
            .next()
            .await
            .map(|piece| String::from_utf8_lossy(&piece.expect("fine")).into_owned())
    };
    assert_eq!(next().await.as_deref(), Some("{}\n"));
    sender
        .send(Bytes::from_static(b"{\"Index\":1}"))
        .await
        .expect("room");
    sender
        .send(Bytes::from_static(b"{\"Index\":2}"))
        .await
        .expect("room");
    assert_eq!(
        next().await.as_deref(),
        Some("{\"Index\":1}\n{\"Index\":2}\n")
    );
    let before = Instant::now();
    assert_eq!(next().await.as_deref(), Some("{}\n"));
    assert_eq!(before.elapsed(), HEARTBEAT);
    drop(sender);
    assert_eq!(next().await, None);
}
