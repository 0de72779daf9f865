//! Tests of the real binary: agents as processes, commands as typed, files on disk.

mod access;
mod artifacts;
mod attacks;
mod bad_input;
mod bad_tasks;
mod checks;
mod clock;
mod commands;
mod configuration;
mod crashes;
mod engine;
mod examples;
mod explain;
mod grpc;
mod hostile;
mod images;
mod isolation;
mod neighbours;
mod node;
mod registry;
mod separate;
mod support;
mod survival;
mod swaps;
mod unified;
mod volumes;
