//! A call site: where in the program an event is logged.

use crate::descriptor::Scope;
use crate::fork::Kept;
use crate::log_event::Severity;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use tracing_core::{Level, Metadata};

/// What is the same for all events of a call site.
#[derive(Debug)]
pub(super) struct Site {
    key: u64,
    pub(super) severity: Severity,
    pub(super) target: Box<str>,
    /// The event's name, where somebody gave it one.
    pub(super) name: &'static str,
    pub(super) file: Option<Box<str>>,
    pub(super) line: Option<u32>,
    /// The target again, as exporters want it; none where the program has too many.
    pub(super) scope: Option<&'static Scope>,
    /// Whether OpenTelemetry's context may be asked who is current: not while it speaks itself, in the midst of a change.
    pub(super) asks: bool,
}

/// Where an event comes from, for those that have no static metadata.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Origin<'a> {
    pub(super) level: u8,
    pub(super) target: &'a str,
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
}

impl Site {
    pub(super) fn of(meta: &'static Metadata<'static>) -> Self {
        let name = meta.name();
        Self {
            key: Self::key_of(meta),
            severity: severity_of(*meta.level()),
            target: meta.target().into(),
            // What the macros call an event that has no name: after its place in the source.
            name: if name.starts_with("event ") { "" } else { name },
            file: meta.file().map(Into::into),
            line: meta.line(),
            scope: scope_of(meta.target()),
            asks: meta.target() != "opentelemetry",
        }
    }

    /// Metadata lives as long as the program, so that its place in memory is a name.
    #[inline]
    pub(super) fn key_of(meta: &'static Metadata<'static>) -> u64 {
        std::ptr::from_ref(meta).addr() as u64
    }

    pub(super) fn of_origin(origin: &Origin<'_>, severity: Severity) -> Self {
        Self {
            key: origin.key(),
            severity,
            target: origin.target.into(),
            name: "",
            file: origin.file.map(Into::into),
            line: origin.line,
            scope: scope_of(origin.target),
            asks: true,
        }
    }

    /// All that there is no place for.
    pub(super) fn others() -> Self {
        Self {
            key: 0,
            severity: Severity::Warn,
            target: env!("CARGO_PKG_NAME").into(),
            name: "",
            file: None,
            line: None,
            scope: None,
            asks: true,
        }
    }

    #[inline]
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    pub(super) fn is_error(&self) -> bool {
        self.severity >= Severity::Error
    }
}

impl Origin<'_> {
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

pub(super) fn severity_of(level: Level) -> Severity {
    match level {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}

/// The scope that stands for a target, made once per process and never freed; so only so many.
fn scope_of(target: &str) -> Option<&'static Scope> {
    const MOST: usize = 512;
    static SCOPES: LazyLock<Kept<Vec<&'static Scope>>> = LazyLock::new(Kept::default);
    let mut scopes = SCOPES.write();
    if let Some(known) = scopes.iter().find(|scope| scope.name == target) {
        return Some(known);
    }
    if scopes.len() >= MOST || target.len() > 256 {
        return None;
    }
    let scope: &'static Scope = Box::leak(Box::new(Scope {
        name: Box::leak(target.into()),
        version: "",
        schema_url: "",
    }));
    scopes.push(scope);
    Some(scope)
}
