//! What the disk let go of: it is booked, with what of it is in memory or on its way.

use super::*;

impl Ledger {
    pub(super) fn lose(&mut self, losses: Vec<Loss>) {
        for loss in losses {
            let shelf = &mut self.lanes[loss.signal.index()].shelf;
            let mut items = loss.unread.items.min(shelf.items);
            shelf.records = shelf.records.saturating_sub(loss.unread.records);
            shelf.items -= items;
            if let Some(epoch) = loss.segment {
                items += self.lose_loaded(loss.signal, epoch, loss.reason);
            }
            self.accounts.of_mut(loss.signal).spooled -= items;
            self.drop_pending(loss.signal, items, loss.reason);
        }
    }

    /// The segment is gone: of its records that are in memory, those that wait go with it, and one that is being sent has no
    /// place to come back to.
    fn lose_loaded(&mut self, signal: Signal, epoch: u64, reason: DropReason) -> u64 {
        let is_gone = |saved: Option<Place>| saved.is_some_and(|place| place.epoch == epoch);
        let mut items = 0;
        let bytes = &mut self.bytes;
        self.lanes[signal.index()].shelf.loaded.retain(|queued| {
            let gone = is_gone(queued.saved);
            if gone {
                items += queued.batch.items;
                *bytes -= queued.batch.weight();
            }
            !gone
        });
        if let Some(flight) = &mut self.in_flight
            && flight.signal == signal
            && is_gone(flight.saved)
        {
            flight.saved = None;
            flight.evicted = Some(reason);
            self.accounts.of_mut(signal).spooled -= flight.items;
        }
        items
    }
}
