//! `qemu` with an image of one sector made here: software emulation, no network, no disk beyond it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, Health, TaskConfig};
use serde_json::{Value, json};
use support::{Scratch, until};

/// Ends the machine with the exit code `value << 1 | 1` once a guest writes to this port.
const EXIT: [&str; 2] = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"];

/// A boot sector that says something on the serial line, and then does as told.
fn boot_sector(text: &[u8], then: &[u8]) -> Vec<u8> {
    let mut code = vec![0xfc, 0x31, 0xc0, 0x8e, 0xd8]; // cld; xor ax, ax; mov ds, ax
    let message = 0x7c00 + code.len() + 14 + then.len();
    let [low, high] = u16::try_from(message)
        .expect("within a sector")
        .to_le_bytes();
    code.extend([0xbe, low, high]); // mov si, message
    code.extend([0xba, 0xf8, 0x03]); // mov dx, the serial port
    code.extend([0xac, 0x84, 0xc0, 0x74, 0x03]); // next: lodsb; test al, al; jz done
    code.extend([0xee, 0xeb, 0xf8]); // out dx, al; jmp next
    code.extend(then); // done:
    code.extend(text);
    code.resize(510, 0);
    code.extend([0x55, 0xaa]);
    code
}

/// Ends the machine with exit code 33.
const LEAVE: [u8; 9] = [
    0xba, 0xf4, 0x00, // mov dx, 0xf4
    0xb0, 0x10, 0xee, // mov al, 0x10; out dx, al
    0xf4, 0xeb, 0xfd, // hlt; jmp back
];

/// Waits for the power button, then leaves.
fn leave_when_asked() -> Vec<u8> {
    let mut code = vec![
        0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef, // mov dx, 0x602; mov ax, 0x100; out dx, ax
        0xba, 0x00, 0x06, // mov dx, 0x600
        0xed, 0xf6, 0xc4, 0x01, 0x74, 0xfa, // look: in ax, dx; test ah, 1; jz look
    ];
    code.extend(LEAVE);
    code
}

async fn qemu(test: &str, plugin: Value) -> Option<Arc<dyn Driver>> {
    let driver = support::driver("qemu", plugin);
    if driver.fingerprint().await.health == Health::Healthy {
        return Some(driver);
    }
    println!("SKIPPED: {test}: no qemu-system-x86_64");
    None
}

fn machine(scratch: &Scratch, sector: &[u8], mut config: Value) -> TaskConfig {
    std::fs::write(scratch.task_dir().join("local/tiny.img"), sector).expect("written");
    config["image_path"] = json!("local/tiny.img");
    let args: Vec<&str> = EXIT
        .into_iter()
        .chain(["-snapshot", "-net", "none"])
        .collect();
    config["args"] = json!(args);
    let mut config = scratch.config(config);
    config.resources.memory_mb = 128;
    config
}

#[tokio::test]
async fn a_machine_boots_its_image_and_its_end_is_known() {
    let Some(driver) = qemu("a_machine_boots_its_image_and_its_end_is_known", json!({})).await
    else {
        return;
    };
    let scratch = Scratch::new();
    let config = machine(
        &scratch,
        &boot_sector(b"hello from the guest\r\n", &LEAVE),
        json!({}),
    );
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = tokio::time::timeout(Duration::from_secs(120), driver.wait_task(&id))
        .await
        .expect("in time")
        .expect("known");
    assert_eq!(exit.exit_code, 33, "{}", scratch.log("stderr"));
    assert!(
        scratch.log("stdout").contains("hello from the guest"),
        "{}",
        scratch.log("stdout")
    );
    let err = driver
        .signal_task(&id, "SIGHUP")
        .await
        .expect_err("unsupported");
    assert!(err.to_string().contains("signals"), "{err}");
    driver.destroy_task(&id, true).await.expect("destroyed");
}

#[tokio::test]
async fn a_graceful_stop_presses_the_power_button() {
    let Some(driver) = qemu("a_graceful_stop_presses_the_power_button", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let sector = boot_sector(b"waiting\r\n", &leave_when_asked());
    let config = machine(&scratch, &sector, json!({"graceful_shutdown": true}));
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    until("the guest is up", || {
        scratch.log("stdout").contains("waiting")
    })
    .await;
    driver
        .stop_task(&id, Duration::from_secs(60), None)
        .await
        .expect("stopped");
    assert_eq!(driver.wait_task(&id).await.expect("known").exit_code, 33);
    driver.destroy_task(&id, true).await.expect("destroyed");
}

#[tokio::test]
async fn images_and_arguments_are_as_the_operator_allows() {
    let plugin =
        json!({"args_allowlist": ["-snapshot"], "emulators_allowlist": ["qemu-system-x86_64"]});
    let driver = support::driver("qemu", plugin);
    let scratch = Scratch::new();
    std::fs::write(scratch.task_dir().join("local/a.img"), "").expect("written");
    let kept = scratch.task_dir().join("../.kept-web");
    std::fs::create_dir(&kept).expect("made");
    std::fs::write(kept.join("token"), "").expect("written");
    for (config, memory, expected) in [
        (
            json!({"image_path": "/etc/passwd"}),
            128,
            "image_path \"/etc/passwd\" is not in the allowed paths",
        ),
        (
            json!({"image_path": "local/a.img", "args": ["-nic"]}),
            128,
            "\"-nic\" is not in args_allowlist",
        ),
        (
            json!({"image_path": "local/a.img", "emulator": "/bin/sh"}),
            128,
            "emulator \"/bin/sh\" is not allowed on this Nomad agent",
        ),
        (
            json!({"image_path": "../.kept-web/token"}),
            128,
            "image_path \"../.kept-web/token\" is not in the allowed paths",
        ),
        (
            json!({"image_path": "local/a.img", "drive_interface": "none,file=/etc/passwd"}),
            128,
            "drive_interface \"none,file=/etc/passwd\" holds more than one option, which args_allowlist does not allow",
        ),
        (
            json!({"image_path": "local/a.img"}),
            64,
            "Qemu memory assignment out of bounds: 64 MB",
        ),
    ] {
        let mut config = scratch.config(config);
        config.resources.memory_mb = memory;
        let err = driver
            .start_task(config)
            .await
            .expect_err(expected)
            .to_string();
        assert_eq!(err, expected);
    }
}

/// No driver but `raw_exec` has the host run what a job brings.
#[tokio::test]
async fn emulators_are_the_hosts() {
    let driver = support::driver("qemu", json!({}));
    let scratch = Scratch::new();
    let local = scratch.task_dir().join("local");
    std::fs::write(local.join("a.img"), "").expect("written");
    let own = local.join("qemu-system-own");
    std::fs::write(&own, "#!/bin/sh\nexit 0\n").expect("written");
    std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("set");
    for (emulator, expected) in [
        ("sh", "emulator \"sh\" is not allowed on this Nomad agent"),
        (
            "local/qemu-system-own",
            "emulator \"local/qemu-system-own\" is not allowed on this Nomad agent",
        ),
        (
            "qemu-system-own",
            "failed to launch command with executor: rpc error: code = Unknown desc = binary \"qemu-system-own\" could not be found",
        ),
    ] {
        let mut config = scratch.config(json!({"image_path": "local/a.img", "emulator": emulator}));
        config.resources.memory_mb = 128;
        let path = ("PATH".to_owned(), local.display().to_string());
        Arc::make_mut(&mut config.env).extend([path]);
        let error = driver.start_task(config).await.expect_err(emulator);
        assert_eq!(error.to_string(), expected);
    }
}
