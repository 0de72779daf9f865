//! Refuses users that the operator does not allow.

use caravan_model::{TaskEvent, task_event};

use super::{Context, HookError};

const DENIED_USERS: [&str; 2] = ["root", "Administrator"];
const CHECKED_DRIVERS: [&str; 3] = ["exec", "qemu", "java"];

pub(super) fn run(context: &Context) -> Result<(), HookError> {
    let config = &context.shared.config;
    let list = |names: &[&str], default: &[&str]| {
        config
            .option_list(names)
            .unwrap_or_else(|| default.iter().map(|name| (*name).to_owned()).collect())
    };
    let users = list(&["user.denylist", "user.blacklist"], &DENIED_USERS);
    let drivers = list(&["user.checked_drivers"], &CHECKED_DRIVERS);
    let user = &context.task.user;
    if users.iter().any(|denied| is(user, denied)) && drivers.contains(&context.task.driver) {
        let text = format!("running as user {user:?} is disallowed");
        let event = TaskEvent::new(task_event::FAILED_VALIDATION, crate::clock::now())
            .validation_error(&*text);
        return Err(HookError::fatal(text).told_by(event));
    }
    Ok(())
}

/// Whether the task's user is one that is denied, by whatever name or number.
fn is(user: &str, denied: &str) -> bool {
    let id = |name: &str| crate::users::ids(name).map(|(user, _)| user);
    let plain = user.split(':').next().unwrap_or(user);
    user == denied || id(plain).is_some_and(|found| id(denied) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_the_same_by_its_number() {
        assert!(is("root", "root") && !is("nobody", "root") && !is("", "root"));
        if nix::unistd::geteuid().is_root() {
            assert!(is("0", "root") && is("root:daemon", "root") && is("0:0", "root"));
        }
    }
}
