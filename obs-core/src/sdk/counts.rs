//! What became of a signal on our side of the couriers.

/// What a processor or an exporter took over from the user's SDK, and where each item is: `created = handed_over +
/// too_large + after_shutdown + waiting`, at every moment. What becomes of those handed over is in the telemetry's
/// [accounts](crate::Telemetry::accounts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalCounts {
    /// Spans, log records or data points that the SDK gave us.
    pub created: u64,
    /// Of these, what was handed to the couriers.
    pub handed_over: u64,
    /// Longer than a request may be; dropped.
    pub too_large: u64,
    /// Came after shutdown, that of the telemetry or that of the provider; dropped.
    pub after_shutdown: u64,
    /// Encoded, and waiting for the next collection.
    pub waiting: u64,
}

impl SignalCounts {
    /// Every item is in exactly one place.
    pub fn is_balanced(&self) -> bool {
        self.created == self.handed_over + self.dropped() + self.waiting
    }

    /// What was let go of here, for any reason.
    pub fn dropped(&self) -> u64 {
        self.too_large + self.after_shutdown
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.handed_over += other.handed_over;
        self.too_large += other.too_large;
        self.after_shutdown += other.after_shutdown;
        self.waiting += other.waiting;
    }
}
