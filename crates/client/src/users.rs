//! Names of users as the host knows them.

/// User and group of a task's user, by name or number; `None` when it has none, or when this agent may not give
/// files away.
pub(crate) fn ids(user: &str) -> Option<(u32, u32)> {
    if user.is_empty() || !nix::unistd::geteuid().is_root() {
        return None;
    }
    let found = match user.parse::<u32>() {
        Ok(id) => nix::unistd::User::from_uid(id.into()),
        Err(_) => nix::unistd::User::from_name(user),
    };
    let found = found.ok().flatten()?;
    Some((found.uid.as_raw(), found.gid.as_raw()))
}

/// The number of a user, by name or number.
pub(crate) fn user(name: &str) -> Option<u32> {
    let named = || nix::unistd::User::from_name(name).ok().flatten();
    name.parse().ok().or_else(|| Some(named()?.uid.as_raw()))
}

/// The number of a group, by name or number.
pub(crate) fn group(name: &str) -> Option<u32> {
    let named = || nix::unistd::Group::from_name(name).ok().flatten();
    name.parse().ok().or_else(|| Some(named()?.gid.as_raw()))
}
