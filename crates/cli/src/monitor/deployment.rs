//! The deployment monitor: the deployment as it is, again at every change, until it ends.

use crate::api::Api;
use crate::failure::Failure;
use crate::format;
use crate::json::{Fields, list};
use crate::render;
use crate::ui::Ui;
use caravan_sdk::Query;
use serde_json::Value;
use std::io::IsTerminal;
use std::time::Duration;

/// How often a failing query is repeated.
const RETRIES: u32 = 10;

/// Draws at a terminal over what was drawn before, elsewhere one block after the other.
struct Screen<'a> {
    ui: &'a mut Ui,
    live: bool,
    drawn: usize,
    prefix: &'a str,
}

impl Screen<'_> {
    fn show(&mut self, head: &str, block: &str) {
        let now = format::time(format::now());
        if !self.live {
            self.ui.out(&format!("{}\n{now}\n{block}", self.prefix));
            return;
        }
        let mut text = format!("{head}\n\n    {now}");
        for line in block.lines() {
            text += &format!("\n    {line}");
        }
        let up = match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        let wide = width();
        self.drawn = text
            .lines()
            .map(|line| crate::table::width(line).div_ceil(wide).max(1))
            .sum();
        self.ui.out(&format!("{up}{text}"));
    }
}

/// Columns of the terminal.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// Follows a deployment to its end, and the one that reverts it; the last status.
pub(crate) fn watch_deployment(
    api: &Api,
    ui: &mut Ui,
    id: &str,
    namespace: &str,
    verbose: bool,
    wait: Duration,
    prefix: &str,
) -> Result<String, Failure> {
    let live = std::io::stdout().is_terminal();
    let mut screen = Screen {
        ui,
        live,
        drawn: 0,
        prefix,
    };
    let last = follow(api, &mut screen, id, namespace, verbose, wait)?;
    let status = last.str("Status").to_owned();
    let reverts = |(_, group): &(&str, &Value)| group.yes("AutoRevert");
    if status == "failed" && last.members("TaskGroups").iter().any(reverts) {
        std::thread::sleep(Duration::from_secs(1));
        let job = caravan_sdk::escape_path(last.str("JobID"));
        let path = format!("/v1/job/{job}/deployment");
        let latest = api
            .get(&path, Query::new().namespace(namespace))
            .unwrap_or_default();
        let next = latest.str("ID");
        if !next.is_empty() && next != id {
            screen.ui.out("");
            watch_deployment(api, screen.ui, next, namespace, verbose, wait, prefix)?;
        }
    }
    Ok(status)
}

fn follow(
    api: &Api,
    screen: &mut Screen<'_>,
    id: &str,
    namespace: &str,
    verbose: bool,
    wait: Duration,
) -> Result<Value, Failure> {
    let short = format::id(id, verbose);
    let mut index = 0;
    let mut failures = 0;
    loop {
        let query = Query::new()
            .namespace(namespace)
            .stale()
            .blocking(index, wait);
        let (deployment, meta) = match api.get_meta(&format!("/v1/deployment/{id}"), query) {
            Ok(answer) => answer,
            Err(error) => {
                failures += 1;
                if failures > RETRIES {
                    let now = format::time(format::now());
                    return Err(format!("{now}: Error fetching deployment: {error}").into());
                }
                std::thread::sleep(Duration::from_secs(u64::from(failures).min(12)));
                continue;
            }
        };
        failures = 0;
        let status = deployment.str("Status");
        let ended = matches!(status, "failed" | "successful" | "cancelled" | "blocked");
        if meta.index != index || ended {
            let head = match status {
                "successful" => format!("  ✓ Deployment \"{short}\" successful"),
                _ if ended => format!("  ! Deployment \"{short}\" {status}"),
                _ => format!("  ⠿ Deployment \"{short}\" in progress..."),
            };
            let block = block(api, screen.ui, &deployment, namespace, verbose);
            screen.show(&head, &block);
        }
        if ended {
            return Ok(deployment);
        }
        index = meta.index;
    }
}

fn block(api: &Api, ui: &Ui, deployment: &Value, namespace: &str, verbose: bool) -> String {
    let mut text = render::deployment(ui, deployment, verbose);
    if verbose {
        let path = format!("/v1/deployment/allocations/{}", deployment.str("ID"));
        if let Ok(allocs) = api.get(&path, Query::new().namespace(namespace).stale()) {
            let table = render::alloc_list_or_none(list(&allocs), true);
            text += &format!("\n\n{}\n{table}", ui.bold("Allocations"));
        }
    }
    text
}
