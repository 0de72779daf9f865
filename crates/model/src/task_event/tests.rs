//! The texts that task events show.

use super::*;

const NOW: UnixNanos = UnixNanos(1_795_252_425_298_003_922);

#[test]
fn the_texts_are_the_references() {
    for (event, text) in [
        (TaskEvent::new(RECEIVED, NOW), "Task received by client"),
        (
            TaskEvent::new(TASK_SETUP, NOW).message(BUILDING_TASK_DIRECTORY),
            "Building Task Directory",
        ),
        (
            TaskEvent::new(TERMINATED, NOW).exit(137, 9, true, "OOM Killed"),
            "Exit Code: 137, Signal: 9, Exit Message: \"OOM Killed\"",
        ),
        (
            TaskEvent::new(RESTARTING, NOW)
                .restart_reason(REASON_WITHIN_POLICY)
                .start_delay(Duration(115_198_449)),
            "Task restarting in 115.198449ms",
        ),
        (
            TaskEvent::new(RESTARTING, NOW)
                .restart_reason(REASON_DELAY)
                .start_delay(Duration::from_secs(15)),
            "Exceeded allowed attempts, applying a delay - Task restarting in 15s",
        ),
        (
            TaskEvent::new(KILLING, NOW).kill_timeout(Duration::from_secs(5)),
            "Sent interrupt. Waiting 5s before force killing",
        ),
        (TaskEvent::new(KILLED, NOW), "Task successfully killed"),
        (
            TaskEvent::new(SIGNALING, NOW).signal("SIGHUP", "asked"),
            "Task being sent signal SIGHUP: asked",
        ),
        (
            TaskEvent::new(SIBLING_FAILED, NOW).failed_sibling("db"),
            "Task's sibling \"db\" failed",
        ),
        (
            TaskEvent::new(DRIVER, NOW).driver_message("Downloading image"),
            "Downloading image",
        ),
        (
            TaskEvent::new(HOOK_FAILED, NOW).message("no disk"),
            "no disk",
        ),
    ] {
        assert_eq!(event.display_message(), text);
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<TaskEvent>(&json).unwrap(), event);
        let bytes = caravan_codec::msgpack::pack(&event).unwrap();
        assert_eq!(
            caravan_codec::msgpack::unpack::<TaskEvent>(&bytes).unwrap(),
            event
        );
    }
}

#[test]
fn a_foreign_display_text_is_kept() {
    let text = r#"{"Type":"Brand New","Time":1,"DisplayMessage":"hello","Details":null}"#;
    let event: TaskEvent = serde_json::from_str(text).unwrap();
    assert_eq!(event.display_message(), "hello");
    assert_eq!(event.r#type, "Brand New");
}
