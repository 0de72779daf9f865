//! `cargo xtask demo`: builds the release binary (or takes the one that `--bin` names), starts a development agent on the ordinary ports and
//! tells the story of a service and a batch job on it. Every command is printed before its output.

mod stage;
mod story;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::agent::{self, Agent};
use crate::workspace;
use stage::Stage;

const PORTS: [(u16, &str); 3] = [(4646, "HTTP"), (4647, "RPC"), (4648, "gossip")];

pub(crate) fn run(args: &[String]) -> Result<bool> {
    let (given, rest) = agent::given_binary(args)?;
    let once = match rest.as_slice() {
        [] => false,
        [one] if one == "--once" => true,
        _ => bail!("usage: cargo xtask demo [--once] [--bin PATH]"),
    };
    agent::need("sed")?;
    for (port, what) in PORTS {
        agent::need_port(port, what)?;
    }
    let binary = agent::binary(given)?;
    let scratch = scratch_folder()?;
    let binary = named_nomad(binary, &scratch)?;

    println!(
        "\n$ nomad agent -dev   # in the background; it logs to {}",
        scratch.join("agent.log").display()
    );
    let mut agent = Agent::start(
        &binary,
        &["-dev".to_owned()],
        PORTS[0].0,
        &scratch.join("agent.log"),
    )?;
    agent.wait_ready(Duration::from_secs(30))?;

    let mut stage = Stage::new(&binary, &scratch, agent.client())?;
    story::tell(&mut stage).with_context(|| {
        format!(
            "the story ends here; the agent's log is {}",
            agent.log.display()
        )
    })?;
    if once {
        agent.stop()?;
        println!("\nThe story is over, and the agent has ended.");
        return Ok(true);
    }
    println!("{}", story::where_next(&binary, &scratch));
    agent.wait()?;
    Ok(true)
}

/// The story types `nomad`, so a binary of another name gets a link of that name.
fn named_nomad(binary: PathBuf, scratch: &Path) -> Result<PathBuf> {
    if binary.file_name().is_some_and(|name| name == "nomad") {
        return Ok(binary);
    }
    let folder = scratch.join("bin");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let link = folder.join("nomad");
    std::os::unix::fs::symlink(&binary, &link)
        .with_context(|| format!("linking {}", link.display()))?;
    Ok(link)
}

/// A fresh folder with copies of the job files, for the story to edit.
fn scratch_folder() -> Result<PathBuf> {
    let folder = workspace::metadata()?.target_directory.join("demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("emptying {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for name in ["hello.nomad", "once.nomad"] {
        let from = workspace::root().join("examples").join(name);
        std::fs::copy(&from, folder.join(Path::new(name)))
            .with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(folder)
}
