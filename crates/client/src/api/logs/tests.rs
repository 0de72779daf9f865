//! Rotated files are one stream.

use super::*;
use caravan_http::Body;
use futures::StreamExt;
use std::sync::atomic::{AtomicBool, Ordering};

fn log(dir: &Path) -> Log {
    std::fs::create_dir_all(dir.join("alloc/logs")).unwrap();
    for (index, text) in [(3, "abc"), (4, "defg"), (10, "hi")] {
        std::fs::write(dir.join(format!("alloc/logs/t.stdout.{index}")), text).unwrap();
    }
    std::fs::write(dir.join("alloc/logs/t.stderr.0"), "no").unwrap();
    Log {
        root: dir.to_owned(),
        task: "t".into(),
        kind: "stdout".into(),
    }
}

#[test]
fn a_place_is_found_across_files() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let place = |index, offset| Some(Place { index, offset });
    assert_eq!(log.start(0, false), place(3, 0));
    assert_eq!(log.start(4, false), place(4, 1));
    assert_eq!(log.start(4, true), place(4, 2));
    assert_eq!(log.start(100, true), place(3, 0));
    assert_eq!(log.start(0, true), place(10, 2));
}

#[test]
fn files_that_are_rotated_away_while_they_are_listed_leave_a_place_to_begin() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let name = |index| dir.path().join(format!("alloc/logs/t.stdout.{index}"));
    for old in [3, 4] {
        std::fs::remove_file(name(old)).unwrap();
    }
    let read = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for index in 10.. {
                std::fs::write(name(index + 1), "more").unwrap();
                std::fs::remove_file(name(index)).unwrap();
                if read.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let places = (0..2000).filter_map(|_| log.start(1, true)).count();
        read.store(true, Ordering::Relaxed);
        assert_eq!(places, 2000);
    });
}

async fn text(answer: Answer) -> String {
    let Body::Stream(mut stream) = answer.body else {
        panic!("no stream")
    };
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn everything_is_sent_in_order_and_followed_until_the_task_ended() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let (sink, answer) = Sink::answer(true, "");
    let start = log.start(1, false).unwrap();
    let (reader, ()) = tokio::join!(text(answer), async {
        assert!(
            Sending::new(&log, &sink, start, false, &|| false)
                .run()
                .await
                .is_ok()
        );
        drop(sink);
    });
    assert_eq!(reader, "bcdefghi");

    let ended = AtomicBool::new(false);
    let (sink, answer) = Sink::answer(true, "");
    let start = log.start(0, true).unwrap();
    let next = dir.path().join("alloc/logs/t.stdout.11");
    let (reader, ()) = tokio::join!(text(answer), async {
        let done = || {
            std::fs::write(&next, "more").unwrap();
            ended.swap(true, Ordering::Relaxed)
        };
        assert!(
            Sending::new(&log, &sink, start, true, &done)
                .run()
                .await
                .is_ok()
        );
        drop(sink);
    });
    assert_eq!(reader, "more");
}
