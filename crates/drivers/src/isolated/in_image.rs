//! Tasks whose root is an image: who they are there, what they find, and where the root comes together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caravan_driver::{DriverError, TaskConfig};
use caravan_host::{HostMount, Overlay, Process, credentials};

use super::{DEFAULT_USER, Isolated, IsolationConfig, directory};
use crate::image::{self, Image};
use crate::{search, users};

impl Isolated {
    /// The process in the root of an image. What `line` begins with is looked for there.
    pub(crate) fn process_in(
        &self,
        config: &TaskConfig,
        task: &IsolationConfig,
        image: &Image,
        line: Vec<String>,
    ) -> Result<Process, DriverError> {
        let mut line = line.into_iter();
        let program = line
            .next()
            .filter(|program| !program.is_empty())
            .ok_or_else(|| {
                DriverError::fatal("the image says nothing of what to run: give the task a command")
            })?;
        let user = self.denied.permit(Some(user_in(config, image)?))?;
        let cwd = directory([task.work_dir.as_str(), &image.run.working_dir])?;
        let mut isolation =
            self.isolation(config, task, user.as_ref().is_none_or(|user| user.uid == 0))?;
        isolation.host.clear();
        isolation.hidden.clear();
        let (root, overlay) = layers(config, image).map_err(|error| {
            DriverError::recoverable(format!("failed to make the task's root: {error}"))
        })?;
        isolation.root = root;
        isolation.overlay = Some(overlay);
        isolation.mounts.extend(own_places(config));
        Ok(Process {
            program: program.into(),
            args: line.collect(),
            env: Arc::new(image_environment(
                config,
                image,
                user.as_ref().filter(|_| !config.user.is_empty()),
            )),
            cwd: cwd.into(),
            isolation: Some(isolation),
            user,
            netns: search::network_namespace(config),
            ..Process::default()
        })
    }
}

/// Whom the task names, or the image; but to be root the task has to say so, by that name: that is what operators allow.
fn user_in(config: &TaskConfig, image: &Image) -> Result<credentials::Credentials, DriverError> {
    if !config.user.is_empty() {
        let user = image::user(&image.root, &config.user)?;
        if user.uid == 0 && config.user != "root" {
            let text = format!(
                "{:?} is root in the image: a task that is to be root says so",
                config.user
            );
            return Err(DriverError::fatal(text));
        }
        return Ok(user);
    }
    if !image.run.user.is_empty() {
        let user = image::user(&image.root, &image.run.user)?;
        if user.uid != 0 {
            return Ok(user);
        }
    }
    credentials::lookup(DEFAULT_USER)
        .map_err(|error| DriverError::fatal(format!("failed to identify user: {error}")))
}

/// The task's own directories in a root that does not have them, and how names are resolved.
fn own_places(config: &TaskConfig) -> Vec<HostMount> {
    let own = |source: &Path, target: &str| HostMount {
        source: source.to_owned(),
        within: Some(config.dirs.task.clone()),
        target: target.into(),
        readonly: false,
    };
    let mut places = vec![
        own(&config.dirs.local, "/local"),
        own(&config.dirs.secrets, "/secrets"),
    ];
    let has_hosts = config
        .network
        .as_ref()
        .is_some_and(|network| !network.hosts_file.as_os_str().is_empty());
    for (file, given) in [
        ("/etc/resolv.conf", config.dns.is_some()),
        ("/etc/hosts", has_hosts),
    ] {
        let own = config
            .mounts
            .iter()
            .any(|mount| mount.task_path == Path::new(file));
        if !given && !own && Path::new(file).is_file() {
            places.push(HostMount {
                source: file.into(),
                target: file.into(),
                readonly: true,
                ..HostMount::default()
            });
        }
    }
    places
}

/// Where the task's root comes together, and of what; empty for each start, as a new container is.
fn layers(config: &TaskConfig, image: &Image) -> std::io::Result<(PathBuf, Overlay)> {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt;
    let private = &config.dirs.private;
    let base = if private.as_os_str().is_empty() {
        &config.dirs.task
    } else {
        private
    };
    let base = base.join("image");
    if base.exists() {
        // The task made what is there.
        caravan_host::tree::remove(&base)?;
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&base)?;
    let [root, upper, work] = ["root", "upper", "work"].map(|name| base.join(name));
    for dir in [&root, &upper, &work] {
        DirBuilder::new().mode(0o755).create(dir)?;
    }
    let lower = image.root.clone();
    Ok((root, Overlay { lower, upper, work }))
}

/// What the image sets counts more than what the task has of the host, and less than what the job sets.
fn image_environment(
    config: &TaskConfig,
    image: &Image,
    login: Option<&credentials::Credentials>,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::clone(&config.env);
    for pair in &image.run.env {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let of_host = |have: &String| std::env::var(name).is_ok_and(|host| host == *have);
        if env.get(name).is_none_or(of_host) {
            env.insert(name.to_owned(), value.to_owned());
        }
    }
    if let Some(user) = login {
        users::set_environment(&mut env, user);
    }
    env.entry("PATH".into())
        .or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    env
}
