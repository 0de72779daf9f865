//! The tree of commands.

mod acl;
mod agent;
mod alloc;
mod deployment;
mod eval;
mod job;
mod namespace;
mod node;
mod operator;
mod others;
mod quota;
mod server;
mod service;
mod status;
mod system;
mod tls;
mod var;
mod volume;

use crate::command::{Command, Group};

/// Another name of a command.
pub(crate) struct Alias {
    pub(crate) typed: &'static str,
    pub(crate) runs: &'static str,
    /// Whether the top-level help shows it.
    pub(crate) listed: bool,
    /// Whether using it warns.
    pub(crate) deprecated: bool,
}

const fn alias(typed: &'static str, runs: &'static str) -> Alias {
    Alias {
        typed,
        runs,
        listed: true,
        deprecated: false,
    }
}

const fn hidden(typed: &'static str, runs: &'static str) -> Alias {
    Alias {
        typed,
        runs,
        listed: false,
        deprecated: false,
    }
}

const fn deprecated(typed: &'static str, runs: &'static str) -> Alias {
    Alias {
        typed,
        runs,
        listed: false,
        deprecated: true,
    }
}

/// Short and old names.
pub(crate) const ALIASES: &[Alias] = &[
    alias("run", "job run"),
    alias("stop", "job stop"),
    alias("start", "job start"),
    alias("plan", "job plan"),
    alias("validate", "job validate"),
    alias("inspect", "job inspect"),
    alias("init", "job init"),
    alias("logs", "alloc logs"),
    alias("exec", "alloc exec"),
    alias("fs", "alloc fs"),
    alias("action", "job action"),
    hidden("alloc-status", "alloc status"),
    hidden("eval-status", "eval status"),
    hidden("node-status", "node status"),
    hidden("node-drain", "node drain"),
    hidden("debug", "operator debug"),
    deprecated("server-members", "server members"),
    deprecated("server-join", "server join"),
    deprecated("server-force-leave", "server force-leave"),
    deprecated("client-config", "node config"),
];

const fn group(name: &'static str, synopsis: &'static str, about: &'static str) -> Group {
    Group {
        name,
        synopsis,
        about,
    }
}

/// Words that group commands.
pub(crate) const GROUPS: &[Group] = &[
    group(
        "acl",
        "Interact with ACL policies and tokens",
        "This command groups subcommands for ACLs: bootstrapping, policies, tokens, roles, auth methods and binding rules.",
    ),
    group(
        "acl policy",
        "Interact with ACL policies",
        "This command groups subcommands for ACL policies.",
    ),
    group(
        "acl token",
        "Interact with ACL tokens",
        "This command groups subcommands for ACL tokens.",
    ),
    group(
        "acl role",
        "Interact with ACL roles",
        "This command groups subcommands for ACL roles.",
    ),
    group(
        "acl auth-method",
        "Interact with ACL auth methods",
        "This command groups subcommands for ACL auth methods.",
    ),
    group(
        "acl binding-rule",
        "Interact with ACL binding rules",
        "This command groups subcommands for ACL binding rules.",
    ),
    group(
        "alloc",
        "Interact with allocations",
        "This command groups subcommands for allocations: their status, logs, files and commands inside them.",
    ),
    group(
        "config",
        "Interact with configurations",
        "This command groups subcommands for configurations of agents.",
    ),
    group(
        "deployment",
        "Interact with deployments",
        "This command groups subcommands for deployments, which replace a job's allocations step by step.",
    ),
    group(
        "eval",
        "Interact with evaluations",
        "This command groups subcommands for evaluations, which decide what is to run where.",
    ),
    group(
        "job",
        "Interact with jobs",
        "This command groups subcommands for jobs.\n\nRun a new job or update an existing one:\n\n    $ nomad job run <path>\n\nPlan the run to see what would change:\n\n    $ nomad job plan <path>\n\nStop a running job:\n\n    $ nomad job stop <name>\n\nSee the status of a job:\n\n    $ nomad job status <name>",
    ),
    group(
        "job periodic",
        "Interact with periodic jobs",
        "This command groups subcommands for periodic jobs.",
    ),
    group(
        "job tag",
        "Interact with version tags of jobs",
        "This command groups subcommands for tags of job versions.",
    ),
    group(
        "license",
        "Interact with the license",
        "This command groups subcommands for licenses.",
    ),
    group(
        "namespace",
        "Interact with namespaces",
        "This command groups subcommands for namespaces.",
    ),
    group(
        "node",
        "Interact with nodes",
        "This command groups subcommands for nodes, the machines that run allocations.",
    ),
    group(
        "node identity",
        "Interact with identities of nodes",
        "This command groups subcommands for node identities.",
    ),
    group(
        "node intro",
        "Interact with introductions of nodes",
        "This command groups subcommands for tokens that introduce new nodes.",
    ),
    group(
        "node meta",
        "Interact with metadata of nodes",
        "This command groups subcommands for node metadata.",
    ),
    group(
        "node pool",
        "Interact with node pools",
        "This command groups subcommands for node pools.",
    ),
    group(
        "operator",
        "Provides tools for operators",
        "This command groups subcommands for people who run the cluster.",
    ),
    group(
        "operator autopilot",
        "Interact with autopilot",
        "This command groups subcommands for autopilot.",
    ),
    group(
        "operator gossip",
        "Interact with gossip",
        "This command groups subcommands for gossip.",
    ),
    group(
        "operator gossip keyring",
        "Manage gossip keys",
        "This command groups subcommands for gossip encryption keys.",
    ),
    group(
        "operator raft",
        "Interact with consensus",
        "This command groups subcommands for the servers' consensus.",
    ),
    group(
        "operator root",
        "Interact with root keys",
        "This command groups subcommands for root keys.",
    ),
    group(
        "operator root keyring",
        "Manage root keys",
        "This command groups subcommands for the keys that encrypt variables and sign identities.",
    ),
    group(
        "operator scheduler",
        "Interact with the scheduler's configuration",
        "This command groups subcommands for the scheduler.",
    ),
    group(
        "operator snapshot",
        "Save and restore state",
        "This command groups subcommands for snapshots of the servers' state.",
    ),
    group(
        "plugin",
        "Inspect plugins",
        "This command groups subcommands for plugins.",
    ),
    group(
        "quota",
        "Interact with quotas",
        "This command groups subcommands for resource quotas.",
    ),
    group(
        "recommendation",
        "Interact with recommendations",
        "This command groups subcommands for recommendations.",
    ),
    group(
        "scaling",
        "Interact with scaling",
        "This command groups subcommands for scaling.",
    ),
    group(
        "scaling policy",
        "Interact with scaling policies",
        "This command groups subcommands for scaling policies.",
    ),
    group(
        "sentinel",
        "Interact with Sentinel policies",
        "This command groups subcommands for Sentinel policies.",
    ),
    group(
        "server",
        "Interact with servers",
        "This command groups subcommands for servers.",
    ),
    group(
        "service",
        "Interact with registered services",
        "This command groups subcommands for the built-in service registry.",
    ),
    group(
        "setup",
        "Interact with setup helpers",
        "This command groups helpers that set up Consul and Vault for Nomad.",
    ),
    group(
        "system",
        "Interact with the system",
        "This command groups subcommands for work on the whole cluster.",
    ),
    group(
        "system reconcile",
        "Perform system reconciliation tasks",
        "This command groups subcommands that repair derived state.",
    ),
    group(
        "tls",
        "Generate certificates for a cluster",
        "This command groups subcommands that make certificates.",
    ),
    group(
        "tls ca",
        "Helpers for authorities",
        "This command groups subcommands for certificate authorities.",
    ),
    group(
        "tls cert",
        "Helpers for certificates",
        "This command groups subcommands for certificates.",
    ),
    group(
        "var",
        "Interact with variables",
        "This command groups subcommands for variables.",
    ),
    group(
        "volume",
        "Interact with volumes",
        "This command groups subcommands for volumes.",
    ),
    group(
        "volume claim",
        "Interact with volume claims",
        "This command groups subcommands for claims of host volumes.",
    ),
    group(
        "volume snapshot",
        "Interact with volume snapshots",
        "This command groups subcommands for snapshots of volumes.",
    ),
];

const AREAS: &[&[&Command]] = &[
    acl::COMMANDS,
    agent::COMMANDS,
    alloc::COMMANDS,
    deployment::COMMANDS,
    eval::COMMANDS,
    job::COMMANDS,
    namespace::COMMANDS,
    node::COMMANDS,
    operator::COMMANDS,
    others::COMMANDS,
    quota::COMMANDS,
    server::COMMANDS,
    service::COMMANDS,
    status::COMMANDS,
    system::COMMANDS,
    tls::COMMANDS,
    var::COMMANDS,
    volume::COMMANDS,
];

/// Every command.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    AREAS.iter().flat_map(|area| area.iter().copied())
}

/// The command of exactly this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name)
}
