//! `java` with a jar made here; needs root, cgroups and a JDK.

mod support;

use std::path::Path;
use std::process::Command;

use caravan_driver::Health;
use serde_json::json;
use support::Scratch;

const SOURCE: &str = r#"
public class Main {
    public static void main(String[] args) throws Exception {
        Thread[] threads = new Thread[4];
        for (int n = 0; n < threads.length; n++) {
            threads[n] = new Thread(() -> { });
            threads[n].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println(System.getProperty("colour") + " " + String.join(",", args) + " " + System.getProperty("user.name"));
        System.exit(args.length);
    }
}
"#;

/// A jar with a main class; why not, where there is no JDK.
fn make_jar(dir: &Path) -> Result<(), &'static str> {
    std::fs::write(dir.join("Main.java"), SOURCE).expect("written");
    for command in [
        &["javac", "Main.java"][..],
        &["jar", "cfe", "app.jar", "Main", "Main.class"],
    ] {
        let made = Command::new(command[0])
            .args(&command[1..])
            .current_dir(dir)
            .output();
        match made {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => return Err("no JDK"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_jar_runs_isolated_with_options_and_arguments() {
    let test = "a_jar_runs_isolated_with_options_and_arguments";
    let driver = support::driver("java", json!({}));
    let found = driver.fingerprint().await;
    if found.health != Health::Healthy {
        println!(
            "SKIPPED: {test}: java is not usable here: {}",
            found.description
        );
        return;
    }
    assert!(found.attributes.contains_key("driver.java.version"));
    let scratch = Scratch::new();
    if let Err(why) = make_jar(&scratch.task_dir().join("local")) {
        println!("SKIPPED: {test}: {why}");
        return;
    }
    let options = ["-Dcolour=blue", "-Xmx32m", "-Xint"];
    for (config, colour) in [
        (
            json!({"jar_path": "local/app.jar", "jvm_options": options, "args": ["a", "b c"]}),
            "blue",
        ),
        (
            json!({"class": "Main", "class_path": "/local", "jvm_options": &options[1..], "args": ["a", "b c"]}),
            "null",
        ),
    ] {
        let mut config = scratch.config(config);
        config.resources.memory_mb = 512;
        let id = config.task_id.clone();
        let _ = std::fs::remove_file(scratch.log_dir().join("web.stdout.0"));
        driver.start_task(config).await.expect("starts");
        let exit = driver.wait_task(&id).await.expect("known");
        driver.destroy_task(&id, true).await.expect("destroyed");
        assert_eq!(
            (exit.exit_code, scratch.log("stdout")),
            (2, format!("{colour} a,b c nobody\n")),
            "{}",
            scratch.log("stderr")
        );
    }
    let lost = scratch.config(json!({"args": ["x"]}));
    let err = driver
        .start_task(lost)
        .await
        .expect_err("refused")
        .to_string();
    assert_eq!(err, "jar_path or class must be specified");
}
