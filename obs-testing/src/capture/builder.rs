//! What a capture can be told before it starts.

use super::{Capture, Copier, Taken};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{Builder, Clock, ContextMode, KeepPolicy, ManualClock, StatsLevel, Telemetry};
use std::sync::{Arc, Mutex};

/// Settings of a [`Capture`].
#[must_use]
#[derive(Debug)]
pub struct CaptureBuilder {
    telemetry: Builder,
    clock: Option<ManualClock>,
    threaded: bool,
    #[cfg(feature = "sdk")]
    spans: Option<super::sdk::Spans>,
}

impl CaptureBuilder {
    pub(super) fn new() -> Self {
        Self {
            // A test must not change with the shell it is run from.
            telemetry: Telemetry::builder().with_environment(Environment::default()),
            clock: Some(ManualClock::new()),
            threaded: false,
            #[cfg(feature = "sdk")]
            spans: None,
        }
    }

    /// The level of all kinds. Default: Base.
    pub fn with_level(self, level: StatsLevel) -> Self {
        self.with(|builder| builder.with_level(level))
    }

    /// The head decision. Default: what the parent decided, and everything for roots.
    pub fn with_sampler(self, sampler: HeadSampler) -> Self {
        self.with(|builder| builder.with_sampler(sampler))
    }

    /// What is kept although the head decision left it out.
    pub fn with_keep(self, keep: KeepPolicy) -> Self {
        self.with(|builder| builder.with_keep(keep))
    }

    /// What the rest of OpenTelemetry sees of a current operation.
    pub fn with_context_mode(self, mode: ContextMode) -> Self {
        self.with(|builder| builder.with_context_mode(mode))
    }

    /// A clock shared with something else, instead of one of the capture's own.
    pub fn with_clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// The machine's clock: for tests over sockets that look at durations.
    pub fn with_real_clock(mut self) -> Self {
        self.clock = None;
        self
    }

    /// With a collector's thread, as in production, instead of manual mode.
    pub fn threaded(mut self) -> Self {
        self.threaded = true;
        self
    }

    /// Any other setting of the telemetry.
    pub fn with(mut self, set: impl FnOnce(Builder) -> Builder) -> Self {
        self.telemetry = set(self.telemetry);
        self
    }

    /// Over the recorder of an SDK's provider, built of `provider` (its sampler, limits, generator) with a processor of the
    /// capture's own: records then say what that exported. Each has exactly one span there, which is checked.
    #[cfg(feature = "sdk")]
    pub fn with_sdk_recorder(
        mut self,
        provider: opentelemetry_sdk::trace::TracerProviderBuilder,
    ) -> Self {
        let spans = super::sdk::Spans::default();
        let provider = provider.with_span_processor(spans.clone()).build();
        self.spans = Some(spans);
        self.with(|builder| builder.with_recorder(obs_core::Recorder::sdk(provider)))
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If a setting cannot be used, or the system refuses a thread.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Capture {
        let taken = Taken {
            #[cfg(feature = "sdk")]
            spans: self.spans,
            ..Taken::default()
        };
        let taken = Arc::new(Mutex::new(taken));
        let mut builder = self.telemetry.with_subscriber(Copier(Arc::clone(&taken)));
        if let Some(clock) = &self.clock {
            builder = builder.with_clock(Clock::manual(clock));
        }
        if !self.threaded {
            builder = builder.manual();
        }
        let telemetry = builder.build().expect("settings that can be used");
        Capture::start(telemetry, self.clock, taken)
    }
}
