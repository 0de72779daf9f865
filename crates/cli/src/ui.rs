//! The terminal: two streams, colours where they are wanted, questions.

use std::io::{BufRead, IsTerminal, Write};

/// Where a command writes.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    color: bool,
}

impl Ui {
    /// No colours, whatever the environment says.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { color: false }
    }

    /// Colours as the environment and the terminal have it.
    pub(crate) fn from_env() -> Self {
        let mut ui = Self { color: false };
        ui.configure(false, false);
        ui
    }

    /// Colours as flags have it; "no" wins.
    pub(crate) fn configure(&mut self, never: bool, force: bool) {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let never = never || set("NOMAD_CLI_NO_COLOR");
        let force = force || set("NOMAD_CLI_FORCE_COLOR");
        self.color = !never && (force || std::io::stdout().is_terminal());
    }

    /// Whether a person reads the errors, so that they may take more than a line each.
    pub(crate) fn speaks_to_a_person(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Whether there are colours.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// A line (or lines) on stdout.
    pub(crate) fn out(&mut self, text: &str) {
        write_line(&mut std::io::stdout().lock(), text);
    }

    /// Bytes on stdout, as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        if written.is_err() {
            gone();
        }
    }

    /// Bytes on stderr, as they are.
    pub(crate) fn raw_err(&mut self, bytes: &[u8]) {
        // Nobody can be told that stderr is gone.
        let _ = std::io::stderr().lock().write_all(bytes);
    }

    /// A warning on stderr.
    pub(crate) fn warn(&mut self, text: &str) {
        let text = self.paint("33", text);
        write_err(&text);
    }

    /// An error on stderr.
    pub(crate) fn error(&mut self, text: &str) {
        let text = self.paint("31", text);
        write_err(&text);
    }

    /// A hint on stderr.
    pub(crate) fn hint(&mut self, text: &str) {
        write_err(text);
    }

    /// Text in an SGR colour, when there are colours.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        match self.color && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// The sequence that sets an SGR colour from here on, when there are colours.
    pub(crate) fn sgr(&self, code: &'static str) -> &'static str {
        match (self.color, code) {
            (false, _) => "",
            (_, "0") => "\x1b[0m",
            (_, "1") => "\x1b[1m",
            (_, "31") => "\x1b[31m",
            (_, "32") => "\x1b[32m",
            (_, "33") => "\x1b[33m",
            (_, "34") => "\x1b[34m",
            (_, "36") => "\x1b[36m",
            (_, "93") => "\x1b[93m",
            (true, _) => "",
        }
    }

    /// A title.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Asks, and reads one line.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, String> {
        self.raw(format!("{question} ").as_bytes());
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) => {
                self.raw(b"\n");
                Err("EOF".to_owned())
            }
            Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Asks a y/N question: `Ok(true)` to go on, otherwise the exit code.
    pub(crate) fn confirm(
        &mut self,
        question: &str,
        cancel: &str,
    ) -> Result<bool, crate::failure::Failure> {
        let answer = self
            .ask(&format!("{question} [y/N]"))
            .map_err(|error| format!("Failed to parse answer: {error}"))?;
        let lower = answer.to_lowercase();
        if answer.is_empty() || lower.starts_with('n') {
            self.out(cancel);
            return Ok(false);
        }
        if lower.starts_with('y') && answer.chars().count() > 1 {
            self.out("For confirmation, an exact ‘y’ is required.");
            return Ok(false);
        }
        if answer != "y" {
            self.out("No confirmation detected. For confirmation, an exact 'y' is required.");
            return Err(crate::failure::Failure::silent(1));
        }
        Ok(true)
    }
}

fn write_line(to: &mut impl Write, text: &str) {
    let written = to
        .write_all(text.as_bytes())
        .and_then(|()| to.write_all(b"\n"))
        .and_then(|()| to.flush());
    if written.is_err() {
        gone();
    }
}

fn write_err(text: &str) {
    let _ = std::io::stdout().lock().flush();
    let mut stderr = std::io::stderr().lock();
    // Nobody can be told that stderr is gone.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.write_all(b"\n");
}

/// The reader of stdout has left (`| head`); there is nobody to work for.
fn gone() -> ! {
    std::process::exit(141)
}
