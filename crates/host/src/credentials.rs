//! Users and groups by name or number.

use std::io;

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

/// Who a process runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub name: String,
    pub home: String,
}

/// The agent's own ids.
#[must_use]
pub fn current_ids() -> (u32, u32) {
    (Uid::effective().as_raw(), Gid::effective().as_raw())
}

#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Looks up `user`, `uid`, `user:group` or `uid:gid` in the host's database.
pub fn lookup(spec: &str) -> io::Result<Credentials> {
    let (user_part, group_part) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    let user = match user_part.parse::<u32>() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid))?,
        Err(_) => User::from_name(user_part)?,
    };
    let mut found = match (user, user_part.parse::<u32>()) {
        (Some(user), _) => Credentials {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: supplementary(&user),
            home: user.dir.to_string_lossy().into_owned(),
            name: user.name,
        },
        (None, Ok(uid)) if group_part.is_some() => Credentials {
            uid,
            gid: uid,
            groups: vec![],
            name: user_part.to_owned(),
            home: "/".into(),
        },
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("user: unknown user {user_part}"),
            ));
        }
    };
    if let Some(group) = group_part {
        found.gid = group_id(group)?;
        found.groups = vec![found.gid];
    }
    Ok(found)
}

fn group_id(spec: &str) -> io::Result<u32> {
    if let Ok(gid) = spec.parse() {
        return Ok(gid);
    }
    Group::from_name(spec)?
        .map(|group| group.gid.as_raw())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("group: unknown group {spec}"),
            )
        })
}

fn supplementary(user: &User) -> Vec<u32> {
    let Ok(name) = std::ffi::CString::new(user.name.as_bytes()) else {
        return vec![user.gid.as_raw()];
    };
    nix::unistd::getgrouplist(&name, user.gid)
        .map(|groups| groups.into_iter().map(Gid::as_raw).collect())
        .unwrap_or_else(|_| vec![user.gid.as_raw()])
}

/// A list of ids and ranges such as `0,5-9`, used to deny users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdRanges(Vec<(u32, u32)>);

impl IdRanges {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut ranges = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let number = |s: &str| {
                s.trim()
                    .parse::<u32>()
                    .map_err(|_| format!("range value invalid: {part:?} is no id or range"))
            };
            let (low, high) = (number(low)?, number(high)?);
            if low > high {
                return Err(format!(
                    "invalid range {part:?}: lower bound is above the upper bound"
                ));
            }
            ranges.push((low, high));
        }
        Ok(Self(ranges))
    }

    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_singles_and_spans() {
        let ranges = IdRanges::parse("0, 5-9").expect("valid");
        let held: Vec<u32> = (0..12).filter(|id| ranges.contains(*id)).collect();
        assert_eq!(held, [0, 5, 6, 7, 8, 9]);
        assert!(IdRanges::parse("9-5").is_err());
        assert!(IdRanges::parse("root").is_err());
    }

    #[test]
    fn unknown_users_are_named() {
        let err = lookup("no-such-user-here")
            .expect_err("unknown")
            .to_string();
        assert!(err.contains("unknown user no-such-user-here"), "{err}");
    }
}
