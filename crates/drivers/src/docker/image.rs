//! Images: found, pulled once for all who wait, and removed some time after their last use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptions};
use caravan_driver::{DriverError, DriverEvent, EventSender, TaskConfig};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::{Stream, StreamExt};

use super::options::{DockerConfig, PluginConfig};
use super::{auth, words};

/// How often a long pull says how far it is.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_secs(120);

/// A name as jobs write it, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    pub(crate) repo: String,
    /// A tag, or a digest.
    pub(crate) version: String,
    pub(crate) is_digest: bool,
}

impl ImageName {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim_start_matches("https://");
        if let Some((repo, digest)) = text.split_once('@') {
            return Self {
                repo: repo.to_owned(),
                version: digest.to_owned(),
                is_digest: true,
            };
        }
        let last = text.rfind('/').map_or(0, |at| at + 1);
        match text[last..].rfind(':') {
            Some(at) => Self {
                repo: text[..last + at].to_owned(),
                version: text[last + at + 1..].to_owned(),
                is_digest: false,
            },
            None => Self {
                repo: text.to_owned(),
                version: "latest".into(),
                is_digest: false,
            },
        }
    }

    pub(crate) fn full(&self) -> String {
        format!(
            "{}{}{}",
            self.repo,
            if self.is_digest { "@" } else { ":" },
            self.version
        )
    }
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: String,
    /// This driver brought it here, so this driver may remove it.
    pub(crate) pulled: bool,
}

type Pulled = Result<String, (String, bool)>;

/// Tells one who waits for an image how far it is.
type Say = Box<dyn Fn(&str) + Send + Sync>;

/// A pull that is under way, and all who wait for it.
struct Pull {
    done: Shared<BoxFuture<'static, Pulled>>,
    told: Arc<Mutex<Vec<Say>>>,
}

impl std::fmt::Debug for Pull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pull").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Use {
    tasks: usize,
    pulled: bool,
    /// Counts up so that a planned removal knows whether the image was used again meanwhile.
    generation: u64,
}

/// Shared by all tasks of the driver.
#[derive(Debug, Clone, Default)]
pub(crate) struct Images {
    pulls: Arc<Mutex<BTreeMap<String, Pull>>>,
    uses: Arc<Mutex<BTreeMap<String, Use>>>,
}

impl Images {
    /// Makes sure the image is there and counts the use.
    pub(crate) async fn obtain(
        &self,
        docker: &Docker,
        config: &TaskConfig,
        task: &DockerConfig,
        plugin: &PluginConfig,
        events: &EventSender,
    ) -> Result<Image, DriverError> {
        let name = ImageName::parse(&task.image);
        if !task.load.is_empty() {
            let id = super::load::load(docker, config, task, &name).await?;
            return Ok(self.used(Image { id, pulled: true }));
        }
        if !task.force_pull && (name.is_digest || name.version != "latest") {
            match docker.inspect_image(&name.full()).await {
                Ok(found) => {
                    let id = found.id.unwrap_or_default();
                    return Ok(self.used(Image { id, pulled: false }));
                }
                Err(Error::DockerResponseServerError {
                    status_code: 404, ..
                }) => {}
                Err(err) => return Err(DriverError::recoverable(words(&err))),
            }
        }
        let credentials = match auth::find(&name.repo, task.auth.as_ref(), &plugin.auth).await {
            Ok(found) => found,
            Err(why) if task.auth_soft_fail => {
                tracing::warn!(image = %name.full(), %why, "pulling without credentials");
                None
            }
            Err(why) => return Err(DriverError::recoverable(why)),
        };
        announce(config, events, "Downloading image".into(), &name);
        let limits = Limits {
            total: Duration::from_nanos(
                task.image_pull_timeout.unwrap_or(plugin.image_pull_timeout),
            ),
            activity: Duration::from_nanos(plugin.pull_activity_timeout),
            said_every: PROGRESS_EVERY,
        };
        let (config, events, shown) = (config.clone(), events.clone(), name.clone());
        let say = move |text: &str| announce(&config, &events, text.to_owned(), &shown);
        let id = self.pull(docker, &name, credentials, limits, say).await?;
        Ok(self.used(Image { id, pulled: true }))
    }

    /// Joins a pull of the same image that is under way already.
    pub(crate) async fn pull(
        &self,
        docker: &Docker,
        name: &ImageName,
        credentials: Option<DockerCredentials>,
        limits: Limits,
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<String, DriverError> {
        let done = {
            let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
            let start = || self.begin(docker, name, credentials, limits);
            let pull = pulls.entry(name.full()).or_insert_with(start);
            let mut told = pull.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(Box::new(say));
            pull.done.clone()
        };
        done.await
            .map_err(|(message, recoverable)| DriverError::Start {
                message,
                recoverable,
            })
    }

    fn begin(
        &self,
        docker: &Docker,
        name: &ImageName,
        credentials: Option<DockerCredentials>,
        limits: Limits,
    ) -> Pull {
        let (docker, name, pulls) = (docker.clone(), name.clone(), Arc::clone(&self.pulls));
        let told: Arc<Mutex<Vec<Say>>> = Arc::default();
        let waiting = Arc::clone(&told);
        let work = tokio::spawn(async move {
            let say = |text: String| {
                let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.iter().for_each(|say| say(&text));
            };
            let result = pull(&docker, &name, credentials, limits, say).await;
            let mut pulls = pulls.lock().unwrap_or_else(PoisonError::into_inner);
            pulls.remove(&name.full());
            result
        });
        let done = async move {
            work.await
                .unwrap_or_else(|err| Err((err.to_string(), true)))
        };
        Pull {
            done: done.boxed().shared(),
            told,
        }
    }

    fn used(&self, image: Image) -> Image {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = uses.entry(image.id.clone()).or_default();
        entry.tasks += 1;
        entry.generation += 1;
        entry.pulled |= image.pulled;
        Image {
            pulled: entry.pulled,
            id: image.id,
        }
    }

    /// Counts a use by a task of an earlier agent.
    pub(crate) fn recovered(&self, image: Image) {
        self.used(image);
    }

    /// One use less. After the last one and the delay the image goes, if this driver brought it.
    pub(crate) fn released(&self, docker: &Docker, id: &str, plugin: &PluginConfig) {
        let generation = {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = uses.get_mut(id) else {
                return;
            };
            entry.tasks = entry.tasks.saturating_sub(1);
            if entry.tasks > 0 || !entry.pulled || !plugin.gc.image {
                return;
            }
            entry.generation
        };
        let delay = Duration::from_nanos(plugin.gc.image_delay);
        let (images, docker, id) = (self.clone(), docker.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if !images.forget(&id, generation) {
                return;
            }
            let gone = docker
                .remove_image(&id, None::<RemoveImageOptions>, None)
                .await;
            if let Err(err) = gone {
                tracing::debug!(image = %id, err = %words(&err), "the image was not removed");
            }
        });
    }

    fn forget(&self, id: &str, generation: u64) -> bool {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = uses
            .get(id)
            .is_some_and(|entry| entry.tasks == 0 && entry.generation == generation);
        if unused {
            uses.remove(id);
        }
        unused
    }
}

/// How long a pull may take as a whole, and without any progress; how often it says how far it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) total: Duration,
    pub(crate) activity: Duration,
    pub(crate) said_every: Duration,
}

fn announce(config: &TaskConfig, events: &EventSender, message: String, name: &ImageName) {
    events.send(DriverEvent {
        task_id: config.task_id.clone(),
        alloc_id: config.alloc_id.clone(),
        task_name: config.name.clone(),
        message,
        annotations: BTreeMap::from([("image".to_owned(), name.full())]),
    });
}

/// The image's id, or why not and whether another try may help.
async fn pull(
    docker: &Docker,
    name: &ImageName,
    credentials: Option<DockerCredentials>,
    limits: Limits,
    say: impl Fn(String) + Send,
) -> Pulled {
    let failed = |why: String| {
        let hopeless = [
            "not found",
            "manifest unknown",
            "does not exist",
            "no such image",
            "invalid reference",
        ];
        let recoverable = !hopeless
            .iter()
            .any(|text| why.to_lowercase().contains(text));
        (
            format!("Failed to pull `{}`: {why}", name.full()),
            recoverable,
        )
    };
    let options = CreateImageOptionsBuilder::new()
        .from_image(&name.repo)
        .tag(&name.version)
        .build();
    let stream = docker.create_image(Some(options), None, credentials);
    match tokio::time::timeout(limits.total, follow(stream, limits, say)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(failed(why)),
        Err(_) => return Err(failed(format!("not done after {:?}", limits.total))),
    }
    match docker.inspect_image(&name.full()).await {
        Ok(found) => Ok(found.id.unwrap_or_default()),
        Err(err) => Err(failed(words(&err))),
    }
}

async fn follow(
    stream: impl Stream<Item = Result<bollard::models::CreateImageInfo, Error>>,
    limits: Limits,
    say: impl Fn(String),
) -> Result<(), String> {
    let activity = limits.activity;
    tokio::pin!(stream);
    let mut layers: BTreeMap<String, (String, i64, i64)> = BTreeMap::new();
    let mut said = Instant::now();
    loop {
        let next = tokio::time::timeout(activity, stream.next()).await;
        let Some(info) = next.map_err(|_| format!("no progress for {activity:?}"))? else {
            return Ok(());
        };
        let info = info.map_err(|err| words(&err))?;
        if let Some(detail) = info.error_detail {
            return Err(detail.message.unwrap_or_else(|| "unknown error".into()));
        }
        let (id, status) = (info.id.unwrap_or_default(), info.status.unwrap_or_default());
        let progress = info.progress_detail.unwrap_or_default();
        layers.insert(
            id,
            (
                status,
                progress.current.unwrap_or(0),
                progress.total.unwrap_or(0),
            ),
        );
        if said.elapsed() >= limits.said_every {
            said = Instant::now();
            say(format!("Docker image pull progress: {}", summary(&layers)));
        }
    }
}

fn summary(layers: &BTreeMap<String, (String, i64, i64)>) -> String {
    let done = layers
        .values()
        .filter(|(status, _, _)| status.contains("complete") || status.contains("exists"))
        .count();
    let (current, total) = layers.values().fold((0, 0), |(c, t), (_, current, total)| {
        (c + current, t + total)
    });
    const MB: i64 = 1 << 20;
    format!(
        "Pulled {done}/{} ({}MiB/{}MiB)",
        layers.len(),
        current / MB,
        total / MB
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, status: &str, done: i64, of: i64) -> bollard::models::CreateImageInfo {
        bollard::models::CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(bollard::models::ProgressDetail {
                current: Some(done),
                total: Some(of),
            }),
            ..Default::default()
        }
    }

    fn limits(activity: Duration, said_every: Duration) -> Limits {
        Limits {
            total: Duration::MAX,
            activity,
            said_every,
        }
    }

    #[tokio::test]
    async fn a_slow_pull_says_how_far_it_is() {
        const MB: i64 = 1 << 20;
        let steps = || {
            futures::stream::iter([
                Ok(step("a", "Downloading", MB, 4 * MB)),
                Ok(step("b", "Pull complete", 2 * MB, 2 * MB)),
                Ok(step("a", "Downloading", 3 * MB, 4 * MB)),
            ])
        };
        let pulled = async |said_every| {
            let said = std::cell::RefCell::new(Vec::new());
            let say = |text| said.borrow_mut().push(text);
            let pulled = follow(steps(), limits(Duration::MAX, said_every), say).await;
            assert_eq!(pulled, Ok(()));
            said.into_inner()
        };
        let said = pulled(Duration::ZERO).await;
        assert_eq!(said.len(), 3);
        assert_eq!(
            said[2],
            "Docker image pull progress: Pulled 1/2 (5MiB/6MiB)"
        );
        assert!(pulled(PROGRESS_EVERY).await.is_empty());
    }

    #[tokio::test]
    async fn a_pull_that_does_not_move_is_given_up() {
        let stream = futures::stream::iter([Ok(step("a", "Downloading", 1, 2))]);
        let stream = stream.chain(futures::stream::pending());
        let limits = limits(Duration::from_millis(20), PROGRESS_EVERY);
        let pulled = follow(stream, limits, |_| {}).await;
        assert_eq!(pulled, Err("no progress for 20ms".to_owned()));
    }

    #[test]
    fn names_are_taken_apart() {
        let parts = |text| {
            let name = ImageName::parse(text);
            (name.repo, name.version, name.is_digest)
        };
        assert_eq!(parts("redis"), ("redis".into(), "latest".into(), false));
        assert_eq!(parts("redis:3.2"), ("redis".into(), "3.2".into(), false));
        assert_eq!(
            parts("host:5000/a/b"),
            ("host:5000/a/b".into(), "latest".into(), false)
        );
        assert_eq!(
            parts("https://host:5000/a:1"),
            ("host:5000/a".into(), "1".into(), false)
        );
        assert_eq!(parts("a@sha256:00"), ("a".into(), "sha256:00".into(), true));
        assert_eq!(ImageName::parse("a@sha256:00").full(), "a@sha256:00");
    }
}
