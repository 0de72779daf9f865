//! An agent of the binary under test, started for a demo or a measurement and ended afterwards.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::http::Client;
use crate::workspace;

/// Takes `--bin PATH` (or `--bin=PATH`) out of the arguments.
pub(crate) fn given_binary(args: &[String]) -> Result<(Option<PathBuf>, Vec<String>)> {
    let (mut given, mut rest) = (None, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let path = match arg.strip_prefix("--bin=") {
            Some(path) => path,
            None if arg == "--bin" => args.next().context("--bin needs the path of a binary")?,
            None => {
                rest.push(arg.clone());
                continue;
            }
        };
        let path = Path::new(path);
        given = Some(
            path.canonicalize()
                .with_context(|| format!("--bin {}", path.display()))?,
        );
    }
    Ok((given, rest))
}

/// The binary that was given, else `nomad` built in release.
pub(crate) fn binary(given: Option<PathBuf>) -> Result<PathBuf> {
    given.map_or_else(release_binary, Ok)
}

/// Builds `nomad` in release and gives its path.
fn release_binary() -> Result<PathBuf> {
    for tool in ["cc", "sh"] {
        need(tool)?;
    }
    println!("$ cargo build --release");
    let status = workspace::cargo()
        .args(["build", "--release", "--package", "caravan-nomad"])
        .status()
        .context("running cargo")?;
    if !status.success() {
        bail!("the build failed; see above");
    }
    Ok(workspace::metadata()?
        .target_directory
        .join("release/nomad"))
}

/// Fails with the tool's name when it is not on the path.
pub(crate) fn need(tool: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()) {
        return Ok(());
    }
    let hint = match tool {
        "cc" => " (on Debian: apt-get install gcc)",
        _ => "",
    };
    bail!("{tool} is missing: it is needed here, and not on the PATH{hint}")
}

/// Fails with the port's number and use when somebody listens there.
pub(crate) fn need_port(port: u16, what: &str) -> Result<()> {
    match TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "port {port} ({what}) is taken: {error}. Is another agent running? Stop it and try again"
        ),
    }
}

/// A port that nobody uses right now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

pub(crate) struct Agent {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) log: PathBuf,
    ended: bool,
}

impl Agent {
    /// Starts `nomad agent` with these arguments; what it prints goes to `log`.
    pub(crate) fn start(binary: &Path, args: &[String], http: u16, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("writing {}", log.display()))?;
        let child = Command::new(binary)
            .arg("agent")
            .args(args)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        Ok(Self {
            child,
            http: SocketAddr::from(([127, 0, 0, 1], http)),
            log: log.to_owned(),
            ended: false,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.http)
    }

    /// Waits until there is a leader and a ready node.
    pub(crate) fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let mut client = self.client();
        let log = self.log.clone();
        let ready = wait_for(limit, || {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the agent ended: {status}; the end of {}:\n{}",
                    log.display(),
                    tail(&log)
                );
            }
            let Ok(nodes) = client.get("/v1/nodes") else {
                return Ok(None);
            };
            let one = nodes
                .as_array()
                .is_some_and(|nodes| nodes.iter().any(|node| node["Status"] == "ready"));
            Ok(one.then_some(()))
        })?;
        ready.with_context(|| {
            format!(
                "the agent was not ready after {limit:?}; the end of {}:\n{}",
                log.display(),
                tail(&log)
            )
        })
    }

    /// Until it ends by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        self.ended = true;
        Ok(())
    }

    /// Ends it without a chance to do anything about it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.wait()
    }

    /// Asks it to end; after ten seconds it is made to.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .context("running kill")?;
        let gone = wait_for(Duration::from_secs(10), || {
            Ok(self.child.try_wait()?.map(|_| ()))
        })?;
        if gone.is_none() {
            self.child.kill()?;
            self.child.wait()?;
        }
        self.ended = true;
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the agent could not be stopped: {error:#}");
        }
    }
}

/// How long it is waited between two questions, at the least and at the most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// Asks until there is an answer; `None` when there was none in time.
pub(crate) fn wait_for<T>(
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if started.elapsed() > limit {
            return Ok(None);
        }
        // Asking takes time of what is waited for: what takes long is asked less often.
        std::thread::sleep((started.elapsed() / 100).clamp(PAUSE.0, PAUSE.1));
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
