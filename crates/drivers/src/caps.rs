//! Linux capabilities by their names: what operators allow when they say nothing, and the one way to write them.

/// What tasks may have where the operator names nothing else.
pub(crate) const DEFAULT: [&str; 13] = [
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "kill",
    "mknod",
    "net_bind_service",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_chroot",
];

/// The name in small letters, without the prefix.
pub(crate) fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix("cap_").unwrap_or(&lower).to_owned()
}
