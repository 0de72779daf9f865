//! System calls that an isolated task may not make: those that reach the kernel's own machinery, or another
//! process, unless a capability that the task kept is meant for them.
//!
//! Everything else is left to capabilities and namespaces, so that no program has to be known here.

use std::collections::BTreeMap;
use std::io;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// What only this capability (`""`: none) gives.
const CALLS: &[(&str, &[i64])] = &[
    (
        "",
        &[
            libc::SYS_add_key,
            libc::SYS_keyctl,
            libc::SYS_request_key,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
            libc::SYS_nfsservctl,
        ],
    ),
    (
        "sys_admin",
        &[
            libc::SYS_bpf,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fsopen,
            libc::SYS_fspick,
            libc::SYS_mount,
            libc::SYS_mount_setattr,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            libc::SYS_perf_event_open,
            libc::SYS_pivot_root,
            libc::SYS_quotactl,
            libc::SYS_setns,
            libc::SYS_swapoff,
            libc::SYS_swapon,
            libc::SYS_umount2,
            libc::SYS_unshare,
        ],
    ),
    (
        "sys_ptrace",
        &[
            libc::SYS_kcmp,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
        ],
    ),
    (
        "sys_module",
        &[
            libc::SYS_delete_module,
            libc::SYS_finit_module,
            libc::SYS_init_module,
        ],
    ),
    ("sys_boot", &[libc::SYS_kexec_load, libc::SYS_reboot]),
    (
        "sys_time",
        &[
            libc::SYS_adjtimex,
            libc::SYS_clock_adjtime,
            libc::SYS_clock_settime,
            libc::SYS_settimeofday,
        ],
    ),
    ("sys_pacct", &[libc::SYS_acct]),
    ("syslog", &[libc::SYS_syslog]),
    ("dac_read_search", &[libc::SYS_open_by_handle_at]),
];

/// Older ways to the same that only this machine type has.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[(&str, &[i64])] = &[
    ("", &[libc::SYS_uselib, libc::SYS_ustat, libc::SYS_sysfs]),
    ("sys_boot", &[libc::SYS_kexec_file_load]),
    ("sys_rawio", &[libc::SYS_ioperm, libc::SYS_iopl]),
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[(&str, &[i64])] = &[];

/// Each of these makes `clone` a way into a new namespace.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
];

/// Applies to this process and all it starts. It needs `no_new_privs`, or it would be one more privilege.
pub(super) fn apply(capabilities: &[String]) -> io::Result<()> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(());
    };
    install(refused(capabilities)?, libc::EPERM, arch)?;
    if !has(capabilities, "sys_admin") {
        // Its flags lie in memory where no filter can look: libraries go back to `clone` when it is not there.
        let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        install(unknown, libc::ENOSYS, arch)?;
    }
    Ok(())
}

fn has(capabilities: &[String], name: &str) -> bool {
    capabilities
        .iter()
        .any(|kept| kept.eq_ignore_ascii_case(name))
}

fn refused(capabilities: &[String]) -> io::Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS
        .iter()
        .chain(LEGACY)
        .filter(|(capability, _)| capability.is_empty() || !has(capabilities, capability))
        .flat_map(|(_, calls)| calls.iter().map(|call| (*call, Vec::new())))
        .collect();
    if !has(capabilities, "sys_admin") {
        let namespaces: io::Result<Vec<SeccompRule>> = NAMESPACES.into_iter().map(flag).collect();
        rules.insert(libc::SYS_clone, namespaces?);
    }
    Ok(rules)
}

/// The first argument holds this flag.
fn flag(flag: i32) -> io::Result<SeccompRule> {
    let flag = u64::from(flag.cast_unsigned());
    let condition = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(flag),
        flag,
    );
    condition
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(io::Error::other)
}

fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32, arch: TargetArch) -> io::Result<()> {
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(io::Error::other)?;
    let program: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_gives_its_calls_back() {
        let none = refused(&[]).expect("rules");
        assert!(none.contains_key(&libc::SYS_mount) && none.contains_key(&libc::SYS_reboot));
        assert_eq!(none[&libc::SYS_clone].len(), NAMESPACES.len());
        let admin = refused(&["SYS_ADMIN".to_owned()]).expect("rules");
        assert!(!admin.contains_key(&libc::SYS_mount) && !admin.contains_key(&libc::SYS_clone));
        assert!(admin.contains_key(&libc::SYS_keyctl) && admin.contains_key(&libc::SYS_reboot));
    }
}
