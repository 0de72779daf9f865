//! `mock_driver` does what its config says.

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Scratch, driver, until};

#[tokio::test]
async fn runs_for_a_while_then_exits_as_told() {
    let mock = driver("mock_driver", json!({}));
    let scratch = Scratch::new();
    let config = scratch.config(json!({"run_for": "50ms", "exit_code": 3, "exit_err_msg": "told so", "stdout_string": "hi\n", "stdout_repeat": 2}));
    let id = config.task_id.clone();
    let begun = Instant::now();
    mock.start_task(config).await.expect("starts");
    let exit = mock.wait_task(&id).await.expect("known");
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!((exit.exit_code, exit.err.as_deref()), (3, Some("told so")));
    until("the output", || scratch.log("stdout") == "hi\nhi\nhi\n").await;
}

#[tokio::test]
async fn start_errors_are_as_recoverable_as_told() {
    let mock = driver("mock_driver", json!({}));
    let scratch = Scratch::new();
    for recoverable in [true, false] {
        let told = json!({"start_error": "no", "start_error_recoverable": recoverable});
        let err = mock
            .start_task(scratch.config(told))
            .await
            .expect_err("fails");
        assert_eq!(
            (err.to_string().as_str(), err.is_recoverable()),
            ("no", recoverable)
        );
    }
}

#[tokio::test]
async fn is_stopped_recovered_and_reached() {
    let mock = driver("mock_driver", json!({}));
    let scratch = Scratch::new();
    let told = json!({"run_for": "10m", "driver_ip": "10.1.2.3", "driver_port_map": "db:3306 web:80", "driver_advertise": true,
        "signal_error": "deaf", "exec_command": {"stdout_string": "out", "exit_code": 2}});
    let config = scratch.config(told);
    let id = config.task_id.clone();
    let started = mock.start_task(config).await.expect("starts");
    let network = started.network.expect("has one");
    assert_eq!(
        (
            network.ip.as_str(),
            network.port_map["web"],
            network.auto_advertise
        ),
        ("10.1.2.3", 80, true)
    );
    assert_eq!(
        mock.signal_task(&id, "SIGHUP")
            .await
            .expect_err("deaf")
            .to_string(),
        "deaf"
    );
    let output = mock
        .exec_task(&id, &["x".into()], Duration::from_secs(1))
        .await
        .expect("runs");
    assert_eq!(
        (output.exit_code, output.output.as_slice()),
        (2, b"out".as_slice())
    );
    let later = driver("mock_driver", json!({}));
    later
        .recover_task(&started.handle)
        .await
        .expect("recovered");
    later
        .stop_task(&id, Duration::ZERO, None)
        .await
        .expect("stopped");
    assert_eq!(later.wait_task(&id).await.expect("known").exit_code, 0);
    mock.destroy_task(&id, true).await.expect("destroyed");
}
