//! stub
use crate::propagation::TraceParent;
use opentelemetry::trace::TraceId;
/// stub
#[derive(Clone, Debug, Default)]
pub struct HeadSampler(pub bool);
/// stub
#[derive(Debug)]
pub struct Decision {
    /// stub
    pub sampled: bool,
    /// stub
    pub threshold: Option<u64>,
    /// stub
    pub changes_tracestate: bool,
}
impl HeadSampler {
    /// stub
    #[inline]
    pub fn decide(&self, parent: Option<&TraceParent>, _trace: TraceId, _state: &str) -> Decision {
        let sampled = parent.map_or(self.0, |p| p.flags.is_sampled());
        Decision {
            sampled,
            threshold: None,
            changes_tracestate: false,
        }
    }
}
