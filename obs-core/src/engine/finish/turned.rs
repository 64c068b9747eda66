//! Operations that turn out to be something else: an operation of another kind is what ends.

use super::finish;
use crate::engine::kind::Kind;
use crate::engine::live::Live;
use crate::label::Labels;
use crate::operation::{Active, Operation};
use crate::outcome::Outcome;
use std::ptr;

impl Operation {
    /// Ends it as an operation of another kind of the same telemetry, with its time, its place in the trace and its attributes, and
    /// with nothing of what its own kind counts: neither its duration nor its measures and labels. Its own gauge goes back to what
    /// it was. For whoever told something at second hand that was then told within it, first hand.
    ///
    /// Of another telemetry's kind it ends as what it is.
    #[doc(hidden)]
    #[cold]
    pub fn end_as(mut self, kind: &'static Kind, labels: Labels, outcome: Outcome) {
        if let Some(mut live) = self.0.take() {
            if ptr::eq(live.kind.engine, kind.engine) {
                live.turn_into(kind, labels);
            }
            finish(live, outcome);
        }
    }
}

impl Active<'_> {
    /// What starts in the scope of its handle, or where its context is carried, is not [within](Kind::is_around) an operation of this
    /// kind for its sake: it may tell itself what this operation tells at second hand. Where the operation itself is polled, it is
    /// within one all the same.
    #[doc(hidden)]
    #[cold]
    pub fn stand_aside(&mut self) {
        let around = self.0.flags.around();
        self.0.share().stand_aside(around);
    }
}

impl Live {
    fn turn_into(&mut self, kind: &'static Kind, labels: Labels) {
        let engine = kind.engine;
        let mut local = engine.take_local();
        let owned = local.owned;
        if let Some((gauge, _)) = &self.kind.gauge
            && let Some(cells) = local.cells_again(gauge, self.in_flight_slot, self.in_flight)
        {
            cells.add(0, 1_u64.wrapping_neg(), owned);
        }
        if let Some((gauge, mask)) = &kind.gauge {
            let (index, slot) = local.series(gauge, labels.masked(*mask));
            self.in_flight = slot.series;
            self.in_flight_slot = index;
            if let Some(cells) = &slot.cells {
                cells.add(0, 1, owned);
            }
        }
        engine.put_local(local);
        self.kind = kind;
        self.labels = labels;
        self.measured = 0;
        if let Some(side) = &mut self.side {
            side.forget_labels();
        }
    }
}
