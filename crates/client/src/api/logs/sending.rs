//! A log on its way to who asked for it: file after file, and what is still written to them.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::{Log, Place};
use crate::api::files::read_some;
use crate::api::frames::{Gone, HEARTBEAT, POLL, Sink};

pub(super) struct Sending<'a> {
    log: &'a Log,
    sink: &'a Sink,
    at: Place,
    follow: bool,
    /// Whether the task has ended.
    ended: &'a (dyn Fn() -> bool + Sync),
    /// The last file there was at first: without following, what comes after it is not sent.
    last: u64,
    /// For how long nothing was sent.
    quiet: Duration,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        log: &'a Log,
        sink: &'a Sink,
        start: Place,
        follow: bool,
        ended: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let last = log.files().last().map_or(start.index, |(index, _)| *index);
        Self {
            log,
            sink,
            at: start,
            follow,
            ended,
            last,
            quiet: Duration::ZERO,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Gone> {
        loop {
            let next = match self.log.open(self.at.index) {
                Some(file) => match self.file(&Arc::new(file)).await? {
                    Some(next) => next,
                    None => return Ok(()),
                },
                // It was rotated away: go on with the oldest that is left.
                None => match self.log.after(self.at.index) {
                    Some(next) => next,
                    None => {
                        let name = self.log.name(self.at.index);
                        return self.sink.event(&name, self.at.offset, "file deleted").await;
                    }
                },
            };
            self.at = Place {
                index: next,
                offset: 0,
            };
        }
    }

    /// Sends a file to its end; which one follows, if any.
    async fn file(&mut self, file: &Arc<File>) -> Result<Option<u64>, Gone> {
        let name = self.log.name(self.at.index);
        let mut seen = None;
        loop {
            let data = match read_some(file, self.at.offset, self.sink.most()).await {
                Ok(data) => data,
                Err(error) => {
                    self.sink.fail(error.to_string()).await;
                    return Ok(None);
                }
            };
            if !data.is_empty() {
                self.at.offset += data.len() as u64;
                (self.quiet, seen) = (Duration::ZERO, None);
                self.sink.data(&name, self.at.offset, data).await?;
                continue;
            }
            // Looked at before the last reading: what was written before was read then.
            let Some((over, next)) = seen.take() else {
                seen = Some(((self.ended)(), self.log.after(self.at.index)));
                continue;
            };
            match next {
                Some(next) if self.follow || next <= self.last => return Ok(Some(next)),
                _ if !self.follow || over => return Ok(None),
                _ => self.wait().await?,
            }
        }
    }

    /// Until there may be more.
    async fn wait(&mut self) -> Result<(), Gone> {
        tokio::time::sleep(POLL).await;
        self.quiet += POLL;
        if self.quiet >= HEARTBEAT {
            self.quiet = Duration::ZERO;
            self.sink.heartbeat().await?;
        }
        Ok(())
    }
}
