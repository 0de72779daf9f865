//! What happens to a running task when its templates come out differently.

use std::sync::Arc;
use std::time::Duration;

use caravan_model::{ChangeScript, TaskEvent, WaitConfig, change_mode, task_event};

use super::data::Data;
use super::{LOOK, Rendered, TemplateFailure, Templates};
use crate::alloc::machine::{Event, Which};
use crate::clock;
use crate::handle::Runner;
use crate::task::machine::Input;

/// Templates to watch while the task runs.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) templates: Arc<Templates>,
    pub(crate) rendered: Rendered,
    pub(crate) data: Data,
}

impl Watch {
    /// Watches until it is aborted.
    pub(crate) async fn run(mut self, runner: Arc<Runner>) {
        // One that was taken up again knows nothing yet, and learns it once servers answer.
        let mut complete = !self.data.is_empty();
        let mut first = true;
        loop {
            if complete && self.data.is_empty() {
                // Nothing it is made of can change.
                return;
            }
            if complete || !std::mem::take(&mut first) {
                tokio::time::sleep(LOOK).await;
            }
            let mut data = self.data.clone();
            if complete {
                let needs = data.needs().into_iter();
                if !self.templates.fetch(&mut data, needs).await {
                    continue;
                }
                self.settle(&mut data).await;
            }
            match self.take(&runner, data).await {
                Ok(all) => complete |= all,
                Err(failure) => {
                    let why = TaskEvent::new(task_event::KILLING, clock::now())
                        .kill_reason(failure.0)
                        .fails_task();
                    let kill = Input::Kill {
                        why: Some(why),
                        no_delay: false,
                    };
                    return self.tell(&runner, kill);
                }
            }
        }
    }

    /// Waits until what changes has settled, where a template asks for that.
    async fn settle(&self, data: &mut Data) {
        let waits = self
            .templates
            .replaced
            .iter()
            .filter_map(|template| template.wait.as_ref());
        let longest = |of: fn(&WaitConfig) -> Option<caravan_model::Duration>| {
            waits
                .clone()
                .filter_map(of)
                .map(caravan_model::Duration::to_std)
                .max()
        };
        let Some(quiet) = longest(|wait| wait.min) else {
            return;
        };
        let most = longest(|wait| wait.max).unwrap_or(quiet * 4);
        let until = tokio::time::Instant::now() + most;
        loop {
            tokio::time::sleep(quiet).await;
            let needs = data.needs().into_iter();
            let changed = self.templates.fetch(data, needs).await;
            if !changed || tokio::time::Instant::now() >= until {
                return;
            }
        }
    }

    /// Renders anew and acts on what is different; says whether nothing was missing.
    async fn take(
        &mut self,
        runner: &Arc<Runner>,
        mut data: Data,
    ) -> Result<bool, TemplateFailure> {
        let (mut rendered, mut missing) = self.templates.pass(&data)?;
        while self
            .templates
            .fetch(&mut data, missing.clone().into_iter())
            .await
        {
            (rendered, missing) = self.templates.pass(&data)?;
        }
        self.data = data;
        // What lost its data stays as it was, and so does the rest until it is back.
        if !missing.is_empty() || rendered == self.rendered {
            return Ok(missing.is_empty());
        }
        let changed = self.templates.write(&rendered, Some(&self.rendered))?;
        self.rendered = rendered;
        self.act(runner, &changed).await?;
        Ok(true)
    }

    async fn act(&self, runner: &Arc<Runner>, changed: &[usize]) -> Result<(), TemplateFailure> {
        let all = &self.templates.replaced;
        let changed: Vec<_> = changed
            .iter()
            .filter_map(|number| all.get(*number))
            .filter(|t| !t.once)
            .collect();
        let splay = changed
            .iter()
            .map(|template| template.splay)
            .max()
            .unwrap_or_default()
            .to_std();
        if splay > Duration::ZERO {
            tokio::time::sleep(clock::jitter(splay)).await;
        }
        let task = &self.templates.task.name;
        if changed
            .iter()
            .any(|template| matches!(template.change_mode.as_str(), change_mode::RESTART | ""))
        {
            let reason = "Template with change_mode restart re-rendered".to_owned();
            runner.send(Event::Restart {
                which: Which::Task(task.clone()),
                failure: false,
                reason,
            });
            return Ok(());
        }
        let mut signals: Vec<&str> = changed
            .iter()
            .filter(|template| template.change_mode == change_mode::SIGNAL)
            .map(|template| template.change_signal.as_str())
            .collect();
        signals.sort_unstable();
        signals.dedup();
        for signal in signals {
            self.signal(runner, signal).await?;
        }
        for template in changed
            .iter()
            .filter(|template| template.change_mode == change_mode::SCRIPT)
        {
            if let Some(script) = &template.change_script {
                self.script(runner, script).await?;
            }
        }
        Ok(())
    }

    fn tell(&self, runner: &Runner, input: Input) {
        runner.send(Event::Task(self.templates.task.name.clone(), input));
    }

    fn say(&self, runner: &Runner, kind: &'static str, text: String) {
        self.tell(
            runner,
            Input::Note(TaskEvent::new(kind, clock::now()).message(text)),
        );
    }

    async fn signal(&self, runner: &Runner, signal: &str) -> Result<(), TemplateFailure> {
        let Some(live) = runner.live(&self.templates.task.name) else {
            let text = format!("Template skipped signal {signal}: task is not running");
            self.say(runner, task_event::HOOK_MESSAGE, text);
            return Ok(());
        };
        let event =
            TaskEvent::new(task_event::SIGNALING, clock::now()).signal("", "Template re-rendered");
        self.tell(runner, Input::Note(event));
        let sent = live.driver.signal_task(&live.task_id, signal).await;
        sent.map_err(|error| {
            TemplateFailure(format!(
                "Template failed to send signals [{signal}]: {error}"
            ))
        })
    }

    async fn script(&self, runner: &Runner, script: &ChangeScript) -> Result<(), TemplateFailure> {
        let (command, args) = (&script.command, format!("[{}]", script.args.join(" ")));
        let Some(live) = runner.live(&self.templates.task.name) else {
            return Ok(());
        };
        let line: Vec<String> = std::iter::once(command.clone())
            .chain(script.args.iter().cloned())
            .collect();
        let timeout = script.timeout.to_std().max(Duration::from_secs(1));
        let text = match live.driver.exec_task(&live.task_id, &line, timeout).await {
            Ok(output) if output.exit_code == 0 => {
                let text = format!(
                    "Template successfully ran script {command} with arguments: {args}. Exit code: 0"
                );
                self.say(runner, task_event::HOOK_MESSAGE, text);
                return Ok(());
            }
            Ok(output) => format!(
                "Template ran script {command} with arguments {args} on change but it exited with code: {}",
                output.exit_code
            ),
            Err(error) => {
                format!(
                    "Template failed to run script {command} with arguments {args} on change: {error}. Exit code: -1"
                )
            }
        };
        self.say(runner, task_event::HOOK_FAILED, text);
        if script.fail_on_error {
            return Err(TemplateFailure(
                "Template script failed, task is being killed".into(),
            ));
        }
        Ok(())
    }
}
