//! A layer with a telemetry of its own, and what it wrote.
#![allow(unreachable_pub, reason = "a module of one test")]

use crate::support::{self, Rig, rig_with};
use obs_core::logs::LogLayer;
use obs_core::{Body, Builder, LogEvent};
use serde_json::Value;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::dispatcher::{Dispatch, with_default};
use tracing_subscriber::layer::SubscriberExt;

/// What was written, by whole lines.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("text")
    }

    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).expect("text")
    }

    /// Each line by the oracle.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.take();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    #[track_caller]
    pub fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines.remove(0)
    }
}

pub struct Logs {
    pub rig: Rig,
    pub written: Written,
    dispatch: Dispatch,
}

impl Logs {
    pub fn new() -> Self {
        Self::with(|layer| layer)
    }

    pub fn with(set: impl FnOnce(LogLayer) -> LogLayer) -> Self {
        Self::built(|builder| builder, set)
    }

    pub fn built(
        build: impl FnOnce(Builder) -> Builder,
        set: impl FnOnce(LogLayer) -> LogLayer,
    ) -> Self {
        let rig = rig_with(true, build);
        let written = Written::default();
        let into = written.clone();
        let layer = LogLayer::new(&rig.telemetry).with_lines(move || into.clone());
        Self {
            dispatch: Dispatch::new(tracing_subscriber::registry().with(set(layer))),
            rig,
            written,
        }
    }

    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        with_default(&self.dispatch, work)
    }

    /// The one line that `work` logs.
    #[track_caller]
    pub fn line_of(&self, work: impl FnOnce()) -> Value {
        self.run(work);
        self.written.line()
    }

    pub fn records(&self) -> Vec<LogEvent> {
        self.rig.events()
    }

    /// The one record that `work` logs.
    #[track_caller]
    pub fn record_of(&self, work: impl FnOnce()) -> LogEvent {
        self.run(work);
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }
}

pub fn attribute<'a>(event: &'a LogEvent, key: &str) -> Option<&'a obs_core::otel::Value> {
    let found = event.attributes.iter().find(|own| own.key.as_str() == key);
    found.map(|own| &own.value)
}

pub fn body(event: &LogEvent) -> &str {
    match &event.body {
        Body::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

pub use support::sampler;
