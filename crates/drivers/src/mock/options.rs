//! What a mock task may be told to do.

use caravan_driver::schema::{Field, Kind};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PluginOptions {
    pub(crate) fs_isolation: String,
    pub(crate) shutdown_periodic_after: bool,
    /// Nanoseconds.
    pub(crate) shutdown_periodic_duration: u64,
}

/// What both the task and an exec in it can do. Durations are nanoseconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    pub(crate) run_for: u64,
    pub(crate) exit_code: i32,
    pub(crate) exit_signal: i32,
    pub(crate) exit_err_msg: String,
    pub(crate) signal_error: String,
    pub(crate) stdout_string: String,
    pub(crate) stdout_repeat: u64,
    pub(crate) stdout_repeat_duration: u64,
    pub(crate) stderr_string: String,
    pub(crate) stderr_repeat: u64,
    pub(crate) stderr_repeat_duration: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    #[serde(flatten)]
    pub(crate) command: Command,
    pub(crate) exec_command: Option<Box<Command>>,
    pub(crate) start_error: String,
    pub(crate) start_error_recoverable: bool,
    pub(crate) start_block_for: u64,
    pub(crate) kill_after: u64,
    pub(crate) plugin_exit_after: u64,
    pub(crate) driver_ip: String,
    pub(crate) driver_advertise: bool,
    pub(crate) driver_port_map: String,
}

pub(crate) fn plugin_schema() -> Vec<Field> {
    vec![
        Field::optional("fs_isolation", Kind::String),
        Field::optional("shutdown_periodic_after", Kind::Bool),
        Field::optional("shutdown_periodic_duration", Kind::Duration),
    ]
}

fn command_schema() -> Vec<Field> {
    vec![
        Field::optional("run_for", Kind::Duration),
        Field::optional("exit_code", Kind::Int),
        Field::optional("exit_signal", Kind::Int),
        Field::optional("exit_err_msg", Kind::String),
        Field::optional("signal_error", Kind::String),
        Field::optional("stdout_string", Kind::String),
        Field::optional("stdout_repeat", Kind::Int),
        Field::optional("stdout_repeat_duration", Kind::Duration),
        Field::optional("stderr_string", Kind::String),
        Field::optional("stderr_repeat", Kind::Int),
        Field::optional("stderr_repeat_duration", Kind::Duration),
    ]
}

pub(crate) fn task_schema() -> Vec<Field> {
    let mut fields = command_schema();
    fields.extend([
        Field::optional("exec_command", Kind::Block(command_schema())),
        Field::optional("start_error", Kind::String),
        Field::optional("start_error_recoverable", Kind::Bool),
        Field::optional("start_block_for", Kind::Duration),
        Field::optional("kill_after", Kind::Duration),
        Field::optional("plugin_exit_after", Kind::Duration),
        Field::optional("driver_ip", Kind::String),
        Field::optional("driver_advertise", Kind::Bool),
        Field::optional("driver_port_map", Kind::String),
    ]);
    fields
}
