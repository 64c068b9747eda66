//! What a telemetry has to say about itself in words: what was passed over at set-up, and what could not be delivered.

use crate::contain::contain;
use crate::error::Error;
use crate::fork::Kept;
use crate::{quiet, thread};
use opentelemetry::Context;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

/// Something to be told to whoever runs the service. See
/// [`Builder::with_diagnostics`](crate::Builder::with_diagnostics).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Diagnostic<'a> {
    /// A setting that was passed over, or bad input at set-up: one of [`Telemetry::warnings`](crate::Telemetry::warnings).
    Warning(&'a str),
    /// What could not be delivered: [`Telemetry::last_problem`](crate::Telemetry::last_problem).
    Problem(&'a Problem),
}

impl std::fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Warning(warning) => f.write_str(warning),
            Self::Problem(problem) => f.write_str(&problem.message),
        }
    }
}

/// The last thing that went wrong on the way to a destination.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// In words, shortened.
    pub message: String,
    /// When.
    pub at: SystemTime,
    /// How many there have been, with this one.
    pub count: u64,
}

/// Who is told.
pub(crate) type Hook = Box<dyn Fn(Diagnostic<'_>) + Send + Sync>;

/// Warnings and problems of one telemetry.
#[derive(Default)]
pub(crate) struct Diagnostics {
    said: Kept<Said>,
    hook: OnceLock<Hook>,
}

#[derive(Clone, Debug, Default)]
struct Said {
    /// Each once, in order.
    warnings: Vec<String>,
    /// The last failure of a subscriber, when, and how many.
    failure: Option<(String, Instant)>,
    failures: u64,
    /// How many warnings and problems the hook was told.
    told: usize,
    told_problems: u64,
}

/// Bad input comes from code, so there is an end to it; this is for code that makes it in a loop.
const MOST: usize = 1024;

impl Diagnostics {
    /// Once, at set-up.
    pub(crate) fn set_hook(&self, hook: Hook) {
        let _ = self.hook.set(hook);
    }

    #[cold]
    pub(crate) fn warn(&self, warning: String) {
        let warnings = &mut self.said.write().warnings;
        if warnings.len() < MOST && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.said.read().warnings.clone()
    }

    /// A subscriber could not hand on what it holds.
    #[cold]
    pub(crate) fn failed(&self, error: &Error) {
        let mut said = self.said.write();
        said.failures += 1;
        said.failure = Some((error.to_string(), crate::clock::now()));
    }

    /// The later of the courier's last problem and the last failure of a subscriber.
    pub(crate) fn last_problem(&self, courier: Option<Trouble>) -> Option<Problem> {
        let said = self.said.read();
        let delivery = courier
            .as_ref()
            .map(|delivery| (&delivery.message, delivery.at));
        let failure = said.failure.as_ref().map(|(message, at)| (message, *at));
        let (message, at) = delivery
            .into_iter()
            .chain(failure)
            .max_by_key(|(_, at)| *at)?;
        let ago = crate::clock::now().saturating_duration_since(at);
        Some(Problem {
            message: message.clone(),
            at: crate::clock::wall_now().checked_sub(ago)?,
            count: said.failures + courier.as_ref().map_or(0, |delivery| delivery.count),
        })
    }

    /// Tells the hook what it was not told yet, and says how often it panicked.
    pub(crate) fn tell(&self, courier: impl FnOnce() -> Option<Trouble>) -> u64 {
        let Some(hook) = self.hook.get() else {
            return 0;
        };
        let problem = self.last_problem(courier());
        let (warnings, problem) = {
            let mut said = self.said.write();
            let warnings = said.warnings[said.told..].to_vec();
            said.told = said.warnings.len();
            let problem = problem.filter(|problem| problem.count > said.told_problems);
            said.told_problems = problem
                .as_ref()
                .map_or(said.told_problems, |problem| problem.count);
            (warnings, problem)
        };
        let warnings = warnings.iter().map(|warning| Diagnostic::Warning(warning));
        warnings
            .chain(problem.as_ref().map(Diagnostic::Problem))
            .filter(|diagnostic| is_thrown(|| hook(*diagnostic)))
            .count() as u64
    }
}

/// Whether it panics. A record of what it logs could be what comes next that is not delivered, and so on for ever.
fn is_thrown(call: impl FnOnce()) -> bool {
    quiet::during(|| {
        contain(|| {
            let _suppressed = thread::sees_otel().then(Context::enter_telemetry_suppressed_scope);
            call();
        })
        .is_none()
    })
}

/// What couriers say went wrong.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) message: String,
    pub(crate) at: Instant,
    pub(crate) count: u64,
}

impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diagnostics")
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}
