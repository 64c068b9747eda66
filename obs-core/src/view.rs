//! Views: what becomes of metrics before anybody sees them, decided at set-up.

use crate::aggregation::HistogramAggregation;
use crate::descriptor::Scope;
use crate::error::Error;
use std::borrow::Cow;

/// What is exported of the metrics it selects, by whatever way: OTLP, the page of Prometheus, readers. For
/// [`Builder::with_view`](crate::Builder::with_view).
///
/// A view selects by the name of the metric as it is registered, and by the scope that emits it. As in the specification
/// (`metrics/sdk.md`, §View) each view that matches a metric makes one stream of it, whatever the others do, and a metric
/// that no view matches is exported as it is: `View::of("*").dropped()` and a second view leave what the second selects.
///
/// ```
/// # use obs_core::{Telemetry, View};
/// let telemetry = Telemetry::builder()
///     .with_view(View::of("http.server.request.duration").with_attributes(["http.route"]))
///     .with_view(View::of("*.body.size").dropped())
///     .manual()
///     .build()?;
/// # Ok::<(), obs_core::Error>(())
/// ```
///
/// # What is merged
/// [Fewer attributes](Self::with_attributes) make one point of several. Counts, sums and buckets are added, in either
/// temporality (exponential ones at the greatest scale that has room for all); of exemplars the latest of each bucket stays. Of a gauge, which cannot be added, the greatest value is
/// shown (an SDK shows the one set last; when a value was set is not remembered here). A mirrored counter that starts again
/// gives its start to the whole point. What found no room within
/// [the cap](crate::Builder::with_max_series), which counts before views, stays a point of its own as long as any
/// attribute is kept: nobody knows which it had.
///
/// Nothing of this is on the path of an operation; a metric of operations that is dropped is counted still, and not shown.
#[derive(Clone, Debug)]
#[must_use = "a view does nothing until a builder has it"]
pub struct View {
    pattern: String,
    scope: Option<String>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) description: Option<Cow<'static, str>>,
    pub(crate) attributes: Option<Vec<String>>,
    pub(crate) boundaries: Option<Vec<f64>>,
    pub(crate) aggregation: Option<HistogramAggregation>,
    pub(crate) dropped: bool,
}

/// More would be no histogram any more, and each is a cell per series and thread.
const BOUNDARIES: usize = 256;

impl View {
    /// Of the metrics of this name. In it `*` stands for any characters, `?` for one; names are the same in any case. What a
    /// telemetry says about itself (`obs.telemetry.*`) has names too.
    pub fn of(name: impl Into<String>) -> Self {
        Self {
            pattern: name.into(),
            scope: None,
            name: None,
            description: None,
            attributes: None,
            boundaries: None,
            aggregation: None,
            dropped: false,
        }
    }

    /// Only those of this scope, by its name: `obs-http`.
    pub fn with_scope(mut self, name: impl Into<String>) -> Self {
        self.scope = Some(name.into());
        self
    }

    /// Exported under another name. For one metric, so not together with a wildcard.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(Cow::Owned(name.into()));
        self
    }

    /// Described otherwise.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(Cow::Owned(description.into()));
        self
    }

    /// With these attributes only; points that differ in others become one.
    pub fn with_attributes<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.attributes = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Without attributes: one point of all.
    pub fn without_attributes(mut self) -> Self {
        self.attributes = Some(Vec::new());
        self
    }

    /// Boundaries of the buckets of histograms in place of their own: inclusive upper limits in the metric's unit,
    /// finite and ascending, at most 256. None at all leaves count and sum. Values are counted by them, so that they are
    /// exact. Histograms with them are explicit, unless [another aggregation](Self::with_aggregation) is asked for.
    pub fn with_boundaries(mut self, boundaries: impl IntoIterator<Item = f64>) -> Self {
        self.boundaries = Some(boundaries.into_iter().collect());
        self
    }

    /// How histograms count, in place of [what is set for all](crate::Builder::with_histograms):
    /// `View::of("http.*").with_aggregation(ExponentialHistogram::default())`. Of an exponential one,
    /// [boundaries](Self::with_boundaries) are those on a page of Prometheus.
    pub fn with_aggregation(mut self, aggregation: impl Into<HistogramAggregation>) -> Self {
        self.aggregation = Some(aggregation.into());
        self
    }

    /// Not exported.
    pub fn dropped(mut self) -> Self {
        self.dropped = true;
        self
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it is meant for one metric.
    pub(crate) fn is_exact(&self) -> bool {
        !self.pattern.contains(['*', '?'])
    }

    pub(crate) fn matches(&self, scope: &Scope, name: &str) -> bool {
        self.scope.as_ref().is_none_or(|own| own == scope.name)
            && is_like(self.pattern.as_bytes(), name.as_bytes())
    }

    /// Whether attributes of points may differ from the metric's.
    pub(crate) fn keeps(&self, key: &str) -> bool {
        let kept = self.attributes.as_ref();
        kept.is_none_or(|kept| kept.iter().any(|kept| kept == key))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |what: String| {
            let message = format!("the view of `{}` {what}", self.pattern.escape_debug());
            Err(Error::configuration(message))
        };
        if self.pattern.is_empty() {
            return wrong("selects no name".into());
        }
        if let Some(name) = &self.name {
            if !self.is_exact() {
                return wrong(format!(
                    "would give the name `{}` to several metrics",
                    name.escape_debug()
                ));
            }
            if !crate::engine::checks::is_allowed(name) {
                return wrong(format!(
                    "gives a name that is not allowed: `{}`",
                    name.escape_debug()
                ));
            }
        }
        if let Some(boundaries) = &self.boundaries {
            let finite = boundaries.iter().all(|bound| bound.is_finite());
            if !finite || !boundaries.is_sorted_by(|a, b| a < b) {
                return wrong(format!(
                    "has boundaries that are not finite and ascending: {boundaries:?}"
                ));
            }
            if boundaries.len() > BOUNDARIES {
                return wrong(format!(
                    "has {} boundaries; {BOUNDARIES} are the most",
                    boundaries.len()
                ));
            }
        }
        if let Some(problem) = self.aggregation.and_then(HistogramAggregation::problem) {
            return wrong(format!("has {problem}"));
        }
        let changes = self.name.is_some()
            || self.description.is_some()
            || self.attributes.is_some()
            || self.boundaries.is_some()
            || self.aggregation.is_some();
        if self.dropped && changes {
            return wrong("drops what it changes".into());
        }
        Ok(())
    }
}

/// Boundaries that histograms have besides their own, by the metric's name.
pub(crate) fn check_boundaries(boundaries: &[(String, f64)]) -> Result<(), Error> {
    for (metric, limit) in boundaries {
        let name = metric.escape_debug();
        if metric.is_empty() || !limit.is_finite() {
            let message = format!("no boundary can be {limit} for the metric `{name}`");
            return Err(Error::configuration(message));
        }
        let of = boundaries.iter().filter(|(other, _)| other == metric);
        if of.count() > BOUNDARIES {
            let message = format!("`{name}` has more than {BOUNDARIES} boundaries besides its own");
            return Err(Error::configuration(message));
        }
    }
    Ok(())
}

/// Whether a name is like a pattern with `*` and `?`: the last `*` takes as much more as is needed.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(one) if *one == b'?' || one.eq_ignore_ascii_case(&name[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match &mut star {
                Some((star, taken)) => {
                    *taken += 1;
                    (at, seen) = (*star + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expect: bool) {
        let like = is_like(pattern.as_bytes(), name.as_bytes());
        assert_eq!(like, expect, "{name} like {pattern}");
    }

    #[test]
    fn patterns_match_by_name_and_wildcards() {
        check("a.b", "a.b", true);
        check("a.b", "A.B", true);
        check("a.b", "a.b.c", false);
        check("a.b.c", "a.b", false);
        check("*", "", true);
        check("*", "a.b", true);
        check("a.*", "a.", true);
        check("a.*", "ab.c", false);
        check("*.c", "a.b.c.c", true);
        check("*.c", "a.c.b", false);
        check("a*b*c", "a-b-b-c-c", true);
        check("a*b*c", "a-c-b", false);
        check("a**c", "ac", true);
        check("a.?", "a.b", true);
        check("a.?", "a.", false);
        check("?*b", "b", false);
        check("?*b", "ab", true);
    }
}
