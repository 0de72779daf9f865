//! Who a task in an image runs as: names are those of the image's own files.

use std::io::Read;
use std::path::Path;

use caravan_driver::DriverError;
use caravan_host::credentials::Credentials;

/// A list of users is small.
const MOST: u64 = 1 << 20;

fn lines(root: &Path, path: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    if let Ok(file) = caravan_host::tree::open(root, Path::new(path)) {
        // What is no text names nobody.
        let _ = file.take(MOST).read_to_string(&mut text);
    }
    let fields = |line: &str| line.split(':').map(str::to_owned).collect();
    text.lines().map(fields).collect()
}

fn number(fields: &[String], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

fn unknown(what: &str, name: &str) -> DriverError {
    DriverError::fatal(format!(
        "failed to identify {what} {name:?}: the image has none of that name"
    ))
}

/// `name`, `id`, `name:group` or `id:group` in the image at `root`.
pub(crate) fn user(root: &Path, spec: &str) -> Result<Credentials, DriverError> {
    let (who, group) = match spec.split_once(':') {
        Some((who, group)) => (who, Some(group)),
        None => (spec, None),
    };
    let users = lines(root, "etc/passwd");
    let named = |fields: &&Vec<String>| {
        fields.first().is_some_and(|name| name == who) || fields.get(2).is_some_and(|id| id == who)
    };
    let found = users.iter().find(named);
    let text = |at: usize, otherwise: &str| {
        let field = found.and_then(|fields| fields.get(at));
        field.map_or(otherwise, String::as_str).to_owned()
    };
    let uid = found
        .and_then(|fields| number(fields, 2))
        .or_else(|| who.parse().ok());
    let mut user = Credentials {
        uid: uid.ok_or_else(|| unknown("user", who))?,
        gid: found.and_then(|fields| number(fields, 3)).unwrap_or(0),
        groups: Vec::new(),
        name: text(0, who),
        home: text(5, "/"),
    };
    let groups = lines(root, "etc/group");
    match group {
        Some(group) => user.gid = id_of_group(&groups, group)?,
        None => user.groups = ids_of_member(&groups, &user.name),
    }
    user.groups.push(user.gid);
    Ok(user)
}

fn id_of_group(groups: &[Vec<String>], group: &str) -> Result<u32, DriverError> {
    groups
        .iter()
        .find(|fields| fields.first().is_some_and(|name| name == group))
        .and_then(|fields| number(fields, 2))
        .or_else(|| group.parse().ok())
        .ok_or_else(|| unknown("group", group))
}

/// The groups that a user is named in.
fn ids_of_member(groups: &[Vec<String>], user: &str) -> Vec<u32> {
    let member = |fields: &&Vec<String>| {
        let list = fields.get(3);
        list.is_some_and(|list| list.split(',').any(|name| name == user))
    };
    groups
        .iter()
        .filter(member)
        .filter_map(|fields| number(fields, 2))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_image() {
        let root = tempfile::tempdir().expect("dir");
        std::fs::create_dir(root.path().join("etc")).expect("made");
        let write =
            |name: &str, text: &str| std::fs::write(root.path().join(name), text).expect("written");
        write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\napp:x:100:101::/srv:/bin/sh\n",
        );
        write("etc/group", "root:x:0:\napp:x:101:\nlogs:x:7:other,app\n");
        let ids = |spec: &str| {
            let user = user(root.path(), spec).expect(spec);
            (user.uid, user.gid, user.groups, user.home)
        };
        assert_eq!(ids("app"), (100, 101, vec![7, 101], "/srv".into()));
        assert_eq!(ids("100"), (100, 101, vec![7, 101], "/srv".into()));
        assert_eq!(ids("app:logs"), (100, 7, vec![7], "/srv".into()));
        assert_eq!(ids("5000:6000"), (5000, 6000, vec![6000], "/".into()));
        for unknown in ["nobody-here", "app:nothing"] {
            assert!(user(root.path(), unknown).is_err(), "{unknown}");
        }
    }
}
