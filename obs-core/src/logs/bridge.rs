//! Records of the `log` crate.

use super::core::{Core, Entry};
use super::fields::{Fields, MESSAGE, Name, Value, wide};
use super::layer::LogLayer;
use super::site::{Origin, Site};
use crate::error::Error;
use crate::log_event::Severity;
use log::kv::{self, Key, VisitSource, VisitValue};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::Arc;
use std::time::Duration;

/// A logger that writes records of the `log` crate as a [`LogLayer`] writes events: with target, level and key-value pairs as
/// they are, and the ids of what is current.
///
/// Records go past the filters of `tracing`; [`with_max_level`](Self::with_max_level) is the only one here. Whoever wants
/// these filters for records too installs `tracing_log::LogTracer` instead (`tracing_subscriber`'s `init` does): the layer
/// sees through the events that it makes. Only key-value pairs are lost on that way. Not both, or records come twice.
#[derive(Clone, Debug)]
pub struct LogBridge {
    core: Arc<Core>,
    most: LevelFilter,
}

impl LogLayer {
    /// A logger beside this layer, to the same places. To be asked for last: settings made later are the layer's only.
    pub fn bridge(&self) -> LogBridge {
        LogBridge {
            core: self.core().clone(),
            most: LevelFilter::Info,
        }
    }
}

impl LogBridge {
    /// With records down to this level; `INFO` by default.
    #[must_use]
    pub fn with_max_level(mut self, most: LevelFilter) -> Self {
        self.most = most;
        self
    }

    /// Makes it the logger of the process.
    ///
    /// # Errors
    /// When there is one already.
    pub fn install(self) -> Result<(), Error> {
        let most = self.most;
        log::set_logger(Box::leak(Box::new(self)))
            .map_err(|_| Error::configuration("a logger is installed already"))?;
        log::set_max_level(most);
        Ok(())
    }
}

impl Log for LogBridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.most
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let severity = match record.level() {
            Level::Error => Severity::Error,
            Level::Warn => Severity::Warn,
            Level::Info => Severity::Info,
            Level::Debug => Severity::Debug,
            Level::Trace => Severity::Trace,
        };
        let origin = Origin {
            level: severity.number(),
            target: record.target(),
            file: record.file(),
            line: record.line(),
        };
        let make = || Site::of_origin(&origin, severity);
        self.core.log(origin.key(), make, &Logged(record));
    }

    fn flush(&self) {
        self.core.flush(Duration::from_secs(1));
    }
}

struct Logged<'a>(&'a Record<'a>);

impl Entry for Logged<'_> {
    fn each(&self, fields: &mut dyn Fields) {
        fields.field(Name::Static(MESSAGE), Value::Debug(self.0.args()));
        // Ours never fails.
        let _ = self.0.key_values().visit(&mut Pairs(fields));
    }
}

struct Pairs<'a>(&'a mut dyn Fields);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(Pair {
            fields: &mut *self.0,
            name: Name::Text(key.as_str()),
        })
    }
}

struct Pair<'a> {
    fields: &'a mut dyn Fields,
    name: Name<'a>,
}

impl Pair<'_> {
    fn put(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.fields.field(self.name, value);
        Ok(())
    }
}

impl<'v> VisitValue<'v> for Pair<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.put(Value::Display(&value))
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.put(Value::U64(value))
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.put(Value::I64(value))
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        self.put(wide(value.try_into(), value.try_into(), &value))
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        self.put(wide(value.try_into(), value.try_into(), &value))
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.put(Value::F64(value))
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.put(Value::Bool(value))
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.put(Value::Text(value))
    }
}
