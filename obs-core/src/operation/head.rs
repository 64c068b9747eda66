//! The head decision of an operation with which a trace begins here, or whose parent is in another process.

use crate::engine::live::{Flags, Live};
use crate::propagation::TraceParent;
use crate::sampling::HeadSampler;
use opentelemetry::trace::TraceFlags;

impl Live {
    /// The head decision for a trace that begins here, or whose parent came from outside.
    #[inline(always)]
    pub(super) fn decide_head(&mut self, sampler: &HeadSampler) {
        let parent = self.flags.has(Flags::HAS_PARENT);
        self.flags.unset(Flags::UNDECIDED);
        let sampled = match sampler.decide_plain(parent.then_some(self.trace_flags)) {
            Some(sampled) if self.tracestate.1 == 0 => sampled,
            _ => self.decide_with_tracestate(sampler),
        };
        self.trace_flags = self.trace_flags & !1 | u8::from(sampled);
        self.flags = self.flags.with_if(Flags::SAMPLED, sampled);
    }

    /// By share, or where a `tracestate` says what others decided.
    #[inline(never)]
    fn decide_with_tracestate(&mut self, sampler: &HeadSampler) -> bool {
        let parent = self.flags.has(Flags::HAS_PARENT).then(|| TraceParent {
            trace_id: self.trace_id.into(),
            span_id: self.parent_id.into(),
            flags: TraceFlags::new(self.trace_flags),
        });
        let (start, len) = self.tracestate;
        let decision = sampler.decide(
            parent.as_ref(),
            self.trace_id.into(),
            self.attributes.text_at(start, len),
        );
        if decision.changes_tracestate {
            self.write_threshold(decision.threshold);
        }
        decision.sampled
    }

    /// A trace sampled by share says so downstream, so that backends can scale its counts.
    #[cold]
    fn write_threshold(&mut self, threshold: Option<u64>) {
        use crate::propagation::tracestate::{read_ot, set_ot};
        let mut text = String::new();
        let current = self.tracestate();
        let ot = crate::propagation::ot::Ot {
            threshold,
            ..read_ot(current)
        };
        set_ot(current, ot, &mut text);
        self.tracestate = self.attributes.keep_text(&text);
    }
}
