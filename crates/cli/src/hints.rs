//! Hints to the web UI.

use crate::api::Api;
use crate::context::Context;
use crate::json::Fields;
use caravan_sdk::{Query, parse_bool};

impl Context {
    /// Says on stderr where the web UI shows this, unless nobody wants to know.
    pub(crate) fn hint(&mut self, api: &Api, description: &str, path: &str) {
        self.hint_with(api, description, path, "");
    }

    /// The same with something after it.
    pub(crate) fn hint_with(&mut self, api: &Api, description: &str, path: &str, end: &str) {
        let url = format!("{}/ui{path}", api.client.base());
        if self.given.on("ui") {
            open(&url);
        }
        if !self.wants_hints(api) {
            return;
        }
        let text = match self.ui.color() {
            true => format!(
                "\n{}{}{end}",
                self.ui
                    .paint("1;35", &format!("==> {description} in the Web UI: ")),
                self.ui.paint("34", &url)
            ),
            false => format!("\n\n==> {description} in the Web UI: {url}{end}"),
        };
        self.ui.hint(&text);
    }

    fn wants_hints(&mut self, api: &Api) -> bool {
        let asked = std::env::var("NOMAD_CLI_SHOW_HINTS").unwrap_or_default();
        let mut wanted = None;
        if !asked.is_empty() {
            wanted = parse_bool(&asked);
            if wanted.is_none() {
                self.ui.warn(&format!(
                    "Invalid value \"{asked}\" for NOMAD_CLI_SHOW_HINTS: strconv.ParseBool: parsing \"{asked}\": invalid syntax"
                ));
            }
        }
        match wanted {
            Some(wanted) => wanted,
            None => {
                let agent = api.get("/v1/agent/self", Query::new());
                agent.is_ok_and(|agent| {
                    let shown = &agent.at("config").at("UI").at("CLI").at("ShowCLIHints");
                    let shown = shown.as_bool().or(agent
                        .at("config")
                        .at("UI")
                        .at("ShowCLIHints")
                        .as_bool());
                    shown.unwrap_or(true)
                })
            }
        }
    }
}

/// Opens an address in the user's browser.
pub(crate) fn open(url: &str) {
    let started = std::process::Command::new("xdg-open")
        .arg(url)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    // Without a browser there is still the hint.
    drop(started);
}
