//! The story: a service that is scaled, updated and stopped, and a batch job that runs once.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::stage::Stage;

pub(crate) fn tell(stage: &mut Stage) -> Result<()> {
    stage.run("nomad version")?;
    stage.run("nomad node status")?;
    service(stage)?;
    batch(stage)
}

fn service(stage: &mut Stage) -> Result<()> {
    stage.say("A service: a task that is kept running.");
    stage.run("nomad job run hello.nomad")?;
    stage.run("nomad status hello")?;
    let alloc = first(stage.allocations("hello", "running", 1)?)?;
    stage.run(&format!("nomad alloc status {alloc}"))?;
    stage.run(&format!("nomad alloc logs {alloc}"))?;

    stage.say("Three of it. A plan says what would happen; its exit code is 1, for there is something to do.");
    stage.run("sed -i 's/count = 1/count = 3/' hello.nomad")?;
    let plan = stage.run_expecting("nomad job plan hello.nomad", 1)?;
    let index = plan
        .lines()
        .find_map(|line| line.strip_prefix("Job Modify Index: "))
        .context("the plan names no modify index")?
        .to_owned();
    stage.run(&format!("nomad job run -check-index {index} hello.nomad"))?;
    stage.allocations("hello", "running", 3)?;
    stage.run("nomad status hello")?;

    stage.say("The same index again: somebody has changed the job since, so nothing is done.");
    stage.run_expecting(
        &format!("nomad job run -check-index {index} hello.nomad"),
        1,
    )?;

    stage.say("A new version, one allocation at a time, each healthy before the next.");
    stage.run("sed -i 's/GREETING = \"hello\"/GREETING = \"good morning\"/' hello.nomad")?;
    stage.run_expecting("nomad job plan hello.nomad", 1)?;
    stage.run("nomad job run hello.nomad")?;
    stage.until(
        "the update has succeeded",
        "/v1/job/hello/deployment",
        |deployment| {
            (deployment["Status"] == "successful" && deployment["JobVersion"].as_u64() >= Some(2))
                .then_some(())
        },
    )?;
    stage.run("nomad job deployments hello")?;
    let alloc = first(stage.allocations("hello", "running", 3)?)?;
    stage.run(&format!("nomad alloc logs {alloc}"))?;

    stage.say("Stopped, and started again.");
    stage.run("nomad job stop hello")?;
    stage.allocations("hello", "running", 0)?;
    stage.run("nomad status hello")?;
    stage.run("nomad job run hello.nomad")?;
    stage.allocations("hello", "running", 3)?;
    stage.run("nomad status")?;
    Ok(())
}

fn batch(stage: &mut Stage) -> Result<()> {
    stage.say("A batch job runs to its end.");
    stage.run("nomad job run once.nomad")?;
    let alloc = first(stage.allocations("once", "complete", 1)?)?;
    stage.run("nomad status once")?;
    stage.run(&format!("nomad alloc logs {alloc}"))?;

    stage.say("It is done. Unchanged, it does not run again.");
    stage.run("nomad job run once.nomad")?;
    stage.allocations("once", "complete", 1)?;
    stage.run("nomad job allocs once")?;

    stage.say("With another value in its environment it does.");
    stage.run("sed -i 's/TARGET = \"one\"/TARGET = \"two\"/' once.nomad")?;
    stage.run("nomad job run once.nomad")?;
    stage.allocations("once", "complete", 2)?;
    stage.run("nomad job allocs once")?;

    stage.say("It fails.");
    stage.run("sed -i 's/TARGET = \"two\"/TARGET = \"broken\"/' once.nomad")?;
    stage.run("nomad job run once.nomad")?;
    let alloc = first(stage.allocations("once", "failed", 1)?)?;
    stage.run(&format!("nomad alloc status {alloc}"))?;

    stage.say("What has failed runs again, even unchanged.");
    stage.run("nomad job run once.nomad")?;
    stage.allocations("once", "failed", 2)?;
    stage.run("nomad status once")?;
    Ok(())
}

fn first(ids: Vec<String>) -> Result<String> {
    match ids.into_iter().next() {
        Some(id) => Ok(id),
        None => bail!("there is no such allocation"),
    }
}

pub(crate) fn where_next(binary: &Path, folder: &Path) -> String {
    format!(
        "\n# The agent stays up until Ctrl-C. In another terminal:\n\
         \n    export PATH={}:$PATH\n    cd {}\n\
         \n    nomad status                  # the jobs\
         \n    nomad job stop -purge hello   # gone without a trace\
         \n    nomad job init                # a job file to start from\
         \n    nomad agent -h                # how to run agents that are no demo\
         \n    curl localhost:4646/v1/jobs   # the API\n\
         \n# docs/first-job.md goes on from here.",
        binary.parent().unwrap_or(binary).display(),
        folder.display()
    )
}
