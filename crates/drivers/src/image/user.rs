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

/// `name`, `id`, `name:group` or `id:group` in the image at `root`.
pub(crate) fn user(root: &Path, spec: &str) -> Result<Credentials, DriverError> {
    let (who, group) = match spec.split_once(':') {
        Some((who, group)) => (who, Some(group)),
        None => (spec, None),
    };
    let unknown = |what: &str, name: &str| {
        DriverError::fatal(format!(
            "failed to identify {what} {name:?}: the image has none of that name"
        ))
    };
    let number = |fields: &[String], at: usize| fields.get(at)?.parse::<u32>().ok();
    let users = lines(root, "etc/passwd");
    let named = |fields: &&Vec<String>| {
        fields.first().is_some_and(|name| name == who) || fields.get(2).is_some_and(|id| id == who)
    };
    let found = users.iter().find(named);
    let uid = found
        .and_then(|fields| number(fields, 2))
        .or_else(|| who.parse().ok());
    let mut user = Credentials {
        uid: uid.ok_or_else(|| unknown("user", who))?,
        gid: found.and_then(|fields| number(fields, 3)).unwrap_or(0),
        groups: Vec::new(),
        name: found
            .and_then(|fields| fields.first())
            .map_or(who, String::as_str)
            .to_owned(),
        home: found
            .and_then(|fields| fields.get(5))
            .map_or("/", String::as_str)
            .to_owned(),
    };
    let groups = lines(root, "etc/group");
    if let Some(group) = group {
        let named = |fields: &&Vec<String>| fields.first().is_some_and(|name| name == group);
        let known = groups
            .iter()
            .find(named)
            .and_then(|fields| number(fields, 2));
        user.gid = known
            .or_else(|| group.parse().ok())
            .ok_or_else(|| unknown("group", group))?;
    } else {
        let member = |fields: &&Vec<String>| {
            fields
                .get(3)
                .is_some_and(|list| list.split(',').any(|name| name == user.name))
        };
        let others: Vec<u32> = groups
            .iter()
            .filter(member)
            .filter_map(|fields| number(fields, 2))
            .collect();
        user.groups.extend(others);
    }
    user.groups.push(user.gid);
    Ok(user)
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
