//! What a running command has: its flags, the terminal, and the API when it asks for it.

use crate::api::Api;
use crate::command::Command;
use crate::failure::{Doing, Failure};
use crate::flags::Given;
use crate::ui::Ui;
use caravan_sdk::{Client, Config, Query};

/// A command that runs.
pub(crate) struct Context {
    pub(crate) command: &'static Command,
    /// What was given.
    pub(crate) given: Given,
    /// Everything after the program's name.
    pub(crate) argv: Vec<String>,
    pub(crate) ui: Ui,
}

impl Context {
    pub(crate) fn new(command: &'static Command, given: Given, argv: Vec<String>, ui: Ui) -> Self {
        Self {
            command,
            given,
            argv,
            ui,
        }
    }

    /// The settings of the client: flags over environment over defaults.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::from_env(|name| std::env::var(name).ok());
        let given = &self.given;
        let set = |to: &mut String, name: &str| {
            if given.is_set(name) {
                *to = given.text(name).to_owned();
            }
        };
        set(&mut config.address, "address");
        set(&mut config.region, "region");
        set(&mut config.namespace, "namespace");
        set(&mut config.token, "token");
        set(&mut config.tls.ca_cert, "ca-cert");
        set(&mut config.tls.ca_path, "ca-path");
        set(&mut config.tls.client_cert, "client-cert");
        set(&mut config.tls.client_key, "client-key");
        set(&mut config.tls.server_name, "tls-server-name");
        if given.on("tls-skip-verify") || given.on("insecure") {
            config.tls.skip_verify = true;
        }
        config
    }

    /// The API.
    pub(crate) fn api(&self) -> Result<Api, Failure> {
        let client = Client::new(self.config()).doing("Error initializing client")?;
        Api::new(client).doing("Error initializing client")
    }

    /// A mistake in how the command was called.
    pub(crate) fn usage(&self, message: &str) -> Failure {
        let name = match self.command.known_as.is_empty() {
            true => self.command.name,
            false => self.command.known_as,
        };
        Failure::new(format!(
            "{message}\nFor additional help try 'nomad {name} -help'"
        ))
        .code(self.command.usage_code)
    }

    /// Refuses any other number of positionals.
    pub(crate) fn expect_args(
        &self,
        allowed: std::ops::RangeInclusive<usize>,
        message: &str,
    ) -> Result<(), Failure> {
        match allowed.contains(&self.given.args.len()) {
            true => Ok(()),
            false => Err(self.usage(message)),
        }
    }

    /// The only positional of commands that take one.
    pub(crate) fn one_arg(&self, what: &str) -> Result<String, Failure> {
        self.expect_args(1..=1, &format!("This command takes one argument: {what}"))?;
        Ok(self.given.arg(0).to_owned())
    }

    /// For commands without positionals.
    pub(crate) fn no_args(&self) -> Result<(), Failure> {
        self.expect_args(0..=0, "This command takes no arguments")
    }

    /// Whether full ids are wanted.
    pub(crate) fn verbose(&self) -> bool {
        self.given.on("verbose")
    }

    /// An id as long as it is wanted.
    pub(crate) fn id(&self, id: &str) -> String {
        crate::format::id(id, self.verbose())
    }

    /// Parameters of paged lists.
    pub(crate) fn page(&self) -> Query {
        let mut query = Query::new()
            .with_some("filter", self.given.text("filter"))
            .with_some("next_token", self.given.text("page-token"));
        if self.given.int("per-page") > 0 {
            query = query.with("per_page", self.given.text("per-page"));
        }
        query
    }

    /// Tells how to get the next page, if there is one.
    pub(crate) fn next_page(&mut self, token: &str) {
        if token.is_empty() {
            return;
        }
        let mut words = vec!["nomad".to_owned()];
        let mut skip = false;
        for word in &self.argv {
            if std::mem::take(&mut skip) {
                continue;
            }
            match word.trim_start_matches('-') {
                "page-token" if word.starts_with('-') => skip = true,
                name if name.starts_with("page-token=") && word.starts_with('-') => {}
                _ => words.push(word.clone()),
            }
        }
        let command = words.join(" ");
        self.ui.out(&format!(
            "\nResults have been paginated. To get the next page run:\n\n{command} -page-token {token}"
        ));
    }
}
