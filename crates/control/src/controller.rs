//! The shape that all controllers share: read the state, say what to change and when to be asked again.

use caravan_model::{EvalId, UnixNanos};
use caravan_state::{Change, Command, State};

/// What a controller wants.
#[derive(Debug, Default)]
pub struct Step {
    /// Changes to propose, in order.
    pub commands: Vec<Command>,
    /// When to be asked again even if nothing changes.
    pub wake_at: Option<UnixNanos>,
}

/// Fresh ids for what a controller makes, told from outside so that the same inputs give the same step.
pub struct Ids<'a>(pub &'a mut dyn FnMut() -> u128);

impl Ids<'_> {
    /// An id for an evaluation.
    pub fn eval(&mut self) -> EvalId {
        EvalId::from_u128((self.0)())
    }

    /// Sixty-four fresh bits.
    pub fn bits(&mut self) -> u64 {
        let bits = (self.0)();
        u64::try_from(bits >> 64).unwrap_or_default()
    }
}

/// A duty of the leader.
///
/// Level-triggered: `step` reads the state and never what woke it. Called again once its commands are applied, it
/// wants nothing more.
pub trait Controller: Send + Sync {
    /// Its name in logs.
    fn name(&self) -> &'static str;

    /// Whether this change may give it something to do.
    fn concerns(&self, change: &Change) -> bool;

    /// What to do now.
    fn step(&mut self, state: &State, now: UnixNanos, ids: &mut Ids<'_>) -> Step;
}
