//! What `job restart` was asked to do, checked.

use crate::context::Context;
use crate::failure::Failure;
use caravan_model::Duration;
use std::io::IsTerminal;

/// How many allocations at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchSize {
    Count(usize),
    Percent(usize),
}

impl BatchSize {
    /// How many of `total`; never none.
    pub(super) fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (total * percent).div_ceil(100).max(1),
        }
    }
}

/// Checked options.
pub(super) struct Options {
    pub(super) batch: BatchSize,
    /// `None` asks before every batch.
    pub(super) wait: Option<Duration>,
    pub(super) groups: Vec<String>,
    pub(super) tasks: Vec<String>,
    pub(super) all_tasks: bool,
    pub(super) reschedule: bool,
    pub(super) no_shutdown_delay: bool,
    pub(super) ask_on_error: bool,
    pub(super) yes: bool,
}

impl Options {
    pub(super) fn read(context: &Context) -> Result<Self, Failure> {
        let given = &context.given;
        let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let options = Self {
            batch: batch_size(given.text("batch-size")).map_err(|reason| context.usage(&reason))?,
            wait: batch_wait(given.text("batch-wait"), interactive)
                .map_err(|reason| context.usage(&reason))?,
            groups: given.list("group").to_vec(),
            tasks: given.list("task").to_vec(),
            all_tasks: given.on("all-tasks"),
            reschedule: given.on("reschedule"),
            no_shutdown_delay: given.on("no-shutdown-delay"),
            ask_on_error: given.text("on-error") == "ask" && !given.on("yes"),
            yes: given.on("yes"),
        };
        if options.all_tasks && !options.tasks.is_empty() {
            return Err(context.usage("The -all-tasks option cannot be used with -task"));
        }
        if options.reschedule && !options.tasks.is_empty() {
            return Err(context.usage("The -reschedule option cannot be used with -task"));
        }
        let on_error = given.text("on-error");
        if !matches!(on_error, "ask" | "fail") {
            return Err(context.usage(&format!(
                "Invalid -on-error value {on_error:?}: must be ask or fail"
            )));
        }
        if options.ask_on_error && !interactive {
            let text = "Invalid -on-error value \"ask\": \"ask\" cannot be used when terminal is not interactive";
            return Err(context.usage(text));
        }
        Ok(options)
    }
}

fn batch_size(text: &str) -> Result<BatchSize, String> {
    let invalid = |reason: &str| format!("Invalid -batch-size value {text:?}: {reason}");
    let (number, percent) = match text.strip_suffix('%') {
        Some(number) => (number, true),
        None => (text, false),
    };
    let Ok(number) = number.parse::<i64>() else {
        return Err(invalid("batch size must be an integer or a percentage"));
    };
    match usize::try_from(number) {
        Ok(0) | Err(_) if percent => Err(invalid("percentage value must be greater than zero")),
        Ok(0) | Err(_) => Err(invalid("number value must be greater than zero")),
        Ok(number) if percent && number > 100 => {
            Err(invalid("percentage value must be between 1 and 100"))
        }
        Ok(number) if percent => Ok(BatchSize::Percent(number)),
        Ok(number) => Ok(BatchSize::Count(number)),
    }
}

fn batch_wait(text: &str, interactive: bool) -> Result<Option<Duration>, String> {
    let invalid = |reason: String| format!("Invalid -batch-wait value {text:?}: {reason}");
    if text == "ask" {
        return match interactive {
            true => Ok(None),
            false => Err(invalid(
                "\"ask\" cannot be used when terminal is not interactive".into(),
            )),
        };
    }
    let wait: Duration = text
        .parse()
        .map_err(|_| invalid(format!("time: invalid duration {text:?}")))?;
    Ok(Some(wait))
}
