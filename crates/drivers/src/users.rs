//! Who a task runs as, and who it may not run as.

use caravan_driver::DriverError;
use caravan_host::credentials::{self, Credentials, IdRanges};

/// Ids of the host that the operator keeps from tasks.
#[derive(Debug, Default)]
pub(crate) struct DeniedIds {
    uids: IdRanges,
    gids: IdRanges,
}

impl DeniedIds {
    pub(crate) fn parse(uids: &str, gids: &str) -> Result<Self, DriverError> {
        let parse = |text: &str| IdRanges::parse(text).map_err(DriverError::Config);
        Ok(Self {
            uids: parse(uids)?,
            gids: parse(gids)?,
        })
    }

    /// The user's ids; `None` for nobody in particular, who is the agent's own user.
    pub(crate) fn user(&self, name: &str) -> Result<Option<Credentials>, DriverError> {
        let user = if name.is_empty() {
            None
        } else {
            let found = credentials::lookup(name).map_err(|err| {
                DriverError::fatal(format!("failed to identify user {name:?}: {err}"))
            })?;
            Some(found)
        };
        self.permit(user)
    }

    /// The same for a user whose ids are known.
    pub(crate) fn permit(
        &self,
        user: Option<Credentials>,
    ) -> Result<Option<Credentials>, DriverError> {
        let own = credentials::current_ids();
        let (uid, gid) = user.as_ref().map_or(own, |user| (user.uid, user.gid));
        if self.uids.contains(uid) {
            return Err(DriverError::fatal(format!(
                "running as uid {uid} is disallowed"
            )));
        }
        let groups = user.iter().flat_map(|user| user.groups.iter().copied());
        if let Some(gid) = groups.chain([gid]).find(|gid| self.gids.contains(*gid)) {
            return Err(DriverError::fatal(format!(
                "running as gid {gid} is disallowed"
            )));
        }
        // Being who we are already needs no privilege.
        Ok(user.filter(|user| credentials::is_root() || (user.uid, user.gid) != own))
    }
}

/// What a login would set.
pub(crate) fn set_environment(
    env: &mut std::collections::BTreeMap<String, String>,
    user: &Credentials,
) {
    env.insert("HOME".into(), user.home.clone());
    env.insert("USER".into(), user.name.clone());
    env.insert("LOGNAME".into(), user.name.clone());
}
