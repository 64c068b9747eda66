//! Spans of others around an operation, and spans that stand for an operation elsewhere: what layers of domain crates have to
//! know so that nothing is recorded twice.

use crate::attached;
use crate::context;
use crate::engine::kind::Kind;
use crate::label::error_text;
use crate::outcome::ErrorType;
use crate::thread;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};
use std::sync::{Arc, Weak};

/// The target of `tracing` spans that stand for an operation. Such a span is no span of its own in any trace: it has the
/// operation's ids as fields, for lines and whoever else reads `tracing`.
#[doc(hidden)]
pub const OPERATION_SPAN: &str = "obs::operation";

/// The field of such a span with the operation's trace id.
#[doc(hidden)]
pub const TRACE_ID_FIELD: &str = "trace_id";

/// The field of such a span with the operation's span id.
#[doc(hidden)]
pub const SPAN_ID_FIELD: &str = "span_id";

impl Kind {
    /// Whether a span of this process that no operation of ours is behind is current here, while no operation is.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    pub fn is_inside_foreign_span(&self) -> bool {
        let ours = thread::is_scoped() || context::peek(|current| current.is_some());
        if ours || !thread::sees_otel() {
            return false;
        }
        let local = Context::map_current(|context| {
            context.has_active_span() && {
                let span = context.span();
                let ids = span.span_context();
                ids.is_valid() && !ids.is_remote()
            }
        });
        local && attached::find_current().is_none()
    }

    /// Tells whoever runs the service, once however often it is said:
    /// [`Telemetry::warnings`](crate::Telemetry::warnings).
    #[doc(hidden)]
    #[cold]
    pub fn warn(&self, warning: &str) {
        self.engine.diagnostics.warn(warning.to_owned());
    }

    /// What is written for an error of operations of this kind; nothing for none.
    #[doc(hidden)]
    pub fn error_text(&self, error: ErrorType) -> Option<&'static str> {
        (!error.is_none()).then(|| error_text(error.0, self.descriptor.errors))
    }
}

/// OpenTelemetry's context while a `tracing` span is made, which tells whether somebody makes a span of OpenTelemetry of
/// it: whoever does keeps the context that is current then, as the parent. It is a suppressed one, so that nothing becomes of
/// a span that is made inside and dropped.
#[doc(hidden)]
#[derive(Debug)]
#[must_use]
pub struct Lure {
    kept: Weak<()>,
    attached: ContextGuard,
}

impl Lure {
    /// From now on, until it is asked. `None` where a thread that ends has no context of OpenTelemetry's any more.
    pub fn lay() -> Option<Self> {
        if !thread::sees_otel() {
            return None;
        }
        let marker = Arc::new(());
        let kept = Arc::downgrade(&marker);
        let context = Context::new()
            .with_value(marker)
            .with_telemetry_suppressed();
        let attached = context.attach();
        Some(Self { kept, attached })
    }

    /// Whether somebody kept it.
    #[must_use]
    pub fn is_taken(self) -> bool {
        drop(self.attached);
        self.kept.strong_count() > 0
    }
}
