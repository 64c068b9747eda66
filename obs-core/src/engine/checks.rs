//! Bad input when instruments and kinds are registered: put right where that is possible, and warned about.

use super::Engine;
use super::instruments::Instrument;
use super::metric_set::Shape;
use crate::descriptor::Descriptor;
use crate::label::Label;

/// Labels of one set, as many as a record has room for.
const LABELS: usize = 8;
/// Of a kind.
const MEASURES: usize = 4;

impl Engine {
    /// Says whether there is anything to record under.
    pub(crate) fn check_instrument(&self, instrument: &Instrument, shape: &mut Shape) -> bool {
        let name = instrument.name;
        if name.is_empty() {
            self.diagnostics
                .warn("an instrument without a name records nothing".into());
            return false;
        }
        if !is_allowed(name) {
            self.diagnostics.warn(format!(
                "`{}` is not the name of an instrument by OpenTelemetry's rules; it is exported as it is",
                name.escape_debug()
            ));
        }
        self.check_labels(name, instrument.labels);
        if let Shape::Values { bounds } = shape
            && let Some(right) = put_right(bounds)
        {
            self.diagnostics.warn(format!(
                "boundaries of `{name}` are not finite and ascending: {bounds:?}; taken as {right:?}"
            ));
            *bounds = right;
        }
        true
    }

    /// Boundaries are put right where the cells are made, with the same answer.
    pub(crate) fn check_kind(&self, descriptor: &Descriptor) {
        self.check_labels(descriptor.name, descriptor.labels);
        let stages = descriptor.stages.iter().map(|stage| &stage.histogram);
        let measures = descriptor.measures.iter().map(|measure| &measure.histogram);
        let quantities = { descriptor.quantities.iter() }.map(|quantity| &quantity.histogram);
        let parts = stages.chain(measures).chain(quantities);
        for histogram in descriptor.duration.iter().chain(parts) {
            if let Some(right) = put_right(histogram.bounds) {
                self.diagnostics.warn(format!(
                    "boundaries of `{}` are not finite and ascending: {:?}; taken as {right:?}",
                    histogram.name, histogram.bounds
                ));
            }
        }
        let name = descriptor.name;
        if descriptor.measures.len() > MEASURES {
            self.diagnostics.warn(format!(
                "`{name}` has {} measures; the first {MEASURES} are used",
                descriptor.measures.len()
            ));
        }
        if descriptor
            .method
            .is_some_and(|index| index >= descriptor.labels.len().min(LABELS))
        {
            self.diagnostics
                .warn(format!("the method of `{name}` is none of its labels"));
        }
    }

    fn check_labels(&self, name: &str, labels: &[Label]) {
        if labels.len() > LABELS {
            self.diagnostics.warn(format!(
                "`{name}` has {} labels; the first {LABELS} are used",
                labels.len()
            ));
        }
        for (index, label) in labels.iter().enumerate() {
            let key = label.key.as_str();
            if key.is_empty() {
                self.diagnostics.warn(format!(
                    "`{name}` has a label without a key; it is left out"
                ));
            } else if labels[..index]
                .iter()
                .any(|other| other.key.as_str() == key)
            {
                self.diagnostics.warn(format!(
                    "`{name}`: label `{key}` is there twice; the first is used"
                ));
            }
        }
    }
}

/// `metrics/api.md` of the specification, §"Instrument name syntax".
pub(crate) fn is_allowed(name: &str) -> bool {
    name.len() <= 255
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte))
}

/// Finite, ascending, each once; `None` if they are already.
pub(super) fn put_right(bounds: &[f64]) -> Option<Box<[f64]>> {
    if bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let finite = bounds.iter().copied().filter(|bound| bound.is_finite());
    let mut right: Vec<f64> = finite.collect();
    right.sort_unstable_by(f64::total_cmp);
    right.dedup_by(|a, b| a == b);
    Some(right.into())
}
