//! Frames on the wire.

use futures::StreamExt;

use super::*;
use crate::answer::Body;

fn frame(data: &'static str, offset: i64) -> Frame {
    Frame {
        file: "alloc/logs/web.stdout.0".into(),
        offset,
        data: Bytes::from_static(data.as_bytes()),
        ..Frame::default()
    }
}

fn written(frame: &Frame, form: Form) -> String {
    let mut out = BytesMut::new();
    write(frame, form, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn one_frame() {
    assert_eq!(
        written(&frame("hello\n", 6), Form::Json),
        r#"{"Data":"aGVsbG8K","File":"alloc/logs/web.stdout.0","Offset":6}"#
    );
    assert_eq!(written(&frame("hello\n", 6), Form::Plain), "hello\n");
    assert_eq!(written(&Frame::default(), Form::Json), "{}");
    let deleted = Frame {
        file: "a".into(),
        file_event: "file deleted".into(),
        ..Frame::default()
    };
    assert_eq!(
        written(&deleted, Form::Json),
        r#"{"File":"a","FileEvent":"file deleted"}"#
    );
}

#[test]
fn much_data_is_split() {
    let data = Bytes::from(vec![b'x'; MAX_DATA + 10]);
    let big = Frame {
        file: "f".into(),
        offset: data.len() as i64,
        data,
        ..Frame::default()
    };
    let text = written(&big, Form::Json);
    assert!(
        text.contains(&format!("\"Offset\":{MAX_DATA}}}"))
            && text.contains(&format!("\"Offset\":{}}}", MAX_DATA + 10))
    );
}

async fn next(answer: &mut Answer) -> Option<String> {
    let Body::Stream(stream) = &mut answer.body else {
        panic!("no stream")
    };
    let piece = stream.next().await?.expect("a piece");
    Some(String::from_utf8_lossy(&piece).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_stream_beats_while_idle_and_ends_with_the_text_of_an_error() {
    let (sender, frames) = mpsc::channel(8);
    sender.send(Ok(frame("a", 1))).await.expect("room");
    sender.send(Ok(frame("b", 2))).await.expect("room");
    let mut answer = answer(frames, Form::Json).await.expect("a stream");
    assert_eq!(answer.head.content_type, "application/json");
    let both = next(&mut answer).await.expect("a piece");
    assert!(
        both.contains("\"Offset\":1") && both.contains("\"Offset\":2"),
        "what has queued up goes at once: {both}"
    );
    assert_eq!(next(&mut answer).await.as_deref(), Some("{}"));
    sender
        .send(Err(ApiError::internal("the disk is gone")))
        .await
        .expect("room");
    assert_eq!(next(&mut answer).await.as_deref(), Some("the disk is gone"));
    assert_eq!(next(&mut answer).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_early_error_is_an_ordinary_one() {
    let (sender, frames) = mpsc::channel(8);
    sender
        .send(Err(ApiError::bad_request("unknown task name \"t\"")))
        .await
        .expect("room");
    assert_eq!(
        answer(frames, Form::Json)
            .await
            .expect_err("refused")
            .status,
        400
    );
}

#[tokio::test(start_paused = true)]
async fn plain_ends_when_the_frames_end() {
    let (sender, frames) = mpsc::channel(8);
    sender.send(Ok(frame("one\n", 4))).await.expect("room");
    drop(sender);
    let mut answer = answer(frames, Form::Plain).await.expect("a stream");
    assert_eq!(answer.head.content_type, "text/plain");
    assert_eq!(next(&mut answer).await.as_deref(), Some("one\n"));
    assert_eq!(next(&mut answer).await, None);
}
