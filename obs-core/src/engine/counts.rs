//! What the engine did with records, and what it had to let go of and why. Everything here is exported: see
//! `setup/self_metrics.rs`.

use super::Engine;
use crate::courier::Signal;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of rare things: shared, because they are rare.
        #[derive(Debug, Default)]
        pub(crate) struct Counts {
            $($(#[$doc])* pub(crate) $name: Count,)*
        }

        /// What a telemetry did with records so far, and what it let go of and why.
        ///
        /// A record that is to be exported, or waits for its root to say whether it is, ends up in exactly one of
        /// `collected`, `ring_full`, `waiting_full`, `after_shutdown`, `forked`, `keep_truncated` and `keep_dropped`. What became
        /// of all of them, and of metrics and log events, is in [`Telemetry::books`](crate::Telemetry::books).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct EngineCounts {
            $($(#[$doc])* pub $name: u64,)*
            /// Records the collector took out of the rings.
            pub collected: u64,
            /// Bytes of finished operations that wait for their roots now; not a counter.
            pub parked_bytes: u64,
        }

        impl Counts {
            fn read(&self, collected: u64, parked_bytes: u64) -> EngineCounts {
                EngineCounts { $($name: self.$name.read(),)* collected, parked_bytes }
            }

            /// Nothing has happened in a process that was just forked.
            pub(crate) fn begin_anew(&self) {
                $(self.$name.0.store(0, Ordering::Relaxed);)*
            }

            /// All of them, by name.
            #[cfg(test)]
            pub(crate) fn each(&self) -> Vec<(&'static str, &Count)> {
                vec![$((stringify!($name), &self.$name)),*]
            }
        }
    };
}

counts! {
    /// Kept records for which a thread's ring had no room.
    ring_full,
    /// Kept records that hold much (events, links, dynamic attributes, long texts), for which there was no room in bytes on the
    /// way to the collector.
    waiting_full,
    /// Kept records of operations that ended after the last collection before shutdown.
    after_shutdown,
    /// Children of undecided traces that were let go because too many waited, or for too long.
    keep_truncated,
    /// Of those, how many were of traces that were kept after all: these are losses.
    keep_torn,
    /// Children that waited and went with a trace nobody wanted.
    keep_dropped,
    /// Attributes, events, links or names set through a handle or a current span after the operation's end.
    late_calls,
    /// `end()` called by user code on the operation's own span.
    foreign_ends,
    /// Panics inside observables, subscribers and exporters, id generators and rules that name spans, in functions that
    /// settings of layers hold, and in recorders of metrics that ours hands on to.
    panics,
    /// Observables that took longer than their deadline, or that a collection waited for no longer.
    slow_observables,
    /// Kept records of operations that ended in a forked child of a process whose telemetry has threads: nothing takes them
    /// there.
    forked,
    /// Log events for which there was no room.
    log_events_full,
    /// Log events that were emitted after shutdown.
    log_events_after_shutdown,
    /// Log events that flood control held back at their call sites.
    log_flood,
    /// Log lines that a writer did not take, or took and could not write.
    log_lines_lost,
    /// Log events from within the handling of another one, or from within the delivery of telemetry.
    log_nested,
    /// Parents from outside that made no sense: a `traceparent` that does not parse, or two of them.
    invalid_parents,
    /// Members of a `tracestate` from outside that were dropped: too many or too long, or one for an invalid `tracestate`.
    dropped_tracestate,
    /// Members of `baggage` from outside that were dropped where baggage is read: not well formed, or too many.
    dropped_baggage,
    /// Methods that the [`RaiseRule`](crate::RaiseRule) raised to Detailed for a time.
    raises,
    /// Operations after which it would have, were not so many raised within a minute already.
    raises_over_rate,
    /// The same, were not so many raised at the time.
    raises_over_methods,
    /// Instruments registered under a name that has another kind, unit, description, set of labels or boundaries already.
    instrument_conflicts,
    /// What the macros of the `metrics` crate recorded under names that were refused, and values that are not finite.
    metrics_refused,
    /// Spans of the OpenTelemetry SDK that its processors gave us. Each is handed to the couriers, or is in one of the two
    /// below, or waits for the next collection.
    sdk_spans,
    /// Spans of the SDK that were longer than a request may be.
    sdk_spans_too_large,
    /// Spans of the SDK that ended after shutdown, that of the telemetry or that of their provider.
    sdk_spans_after_shutdown,
    /// Log records of the SDK; as with spans.
    sdk_log_records,
    /// Log records of the SDK that were longer than a request may be.
    sdk_log_records_too_large,
    /// Log records of the SDK that were emitted after shutdown.
    sdk_log_records_after_shutdown,
    /// Data points that the SDK exported; as with spans, but that none waits.
    sdk_points,
    /// Data points of the SDK that were longer than a request may be.
    sdk_points_too_large,
    /// Data points that the SDK exported after shutdown.
    sdk_points_after_shutdown,
    /// Requests of exporters of others ([`Telemetry::http_client`](crate::Telemetry)) that were refused because they could
    /// not be read; nobody knows how many items were in them.
    sdk_requests_refused,
}

impl Engine {
    pub(crate) fn read_counts(&self) -> EngineCounts {
        self.intakes.settle();
        let collected = self.flow.read(Signal::Traces).taken;
        self.counts.read(collected, self.parked.bytes() as u64)
    }
}

/// What an OpenTelemetry SDK gave us of one signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfSdk<'a> {
    #[cfg(feature = "sdk")]
    pub(crate) created: &'a Count,
    pub(crate) too_large: &'a Count,
    pub(crate) after_shutdown: &'a Count,
}

#[cfg(feature = "sdk")]
impl OfSdk<'_> {
    pub(crate) fn add(&self, now: &crate::sdk::SignalCounts) {
        self.created.add(now.created);
        self.too_large.add(now.too_large);
        self.after_shutdown.add(now.after_shutdown);
    }
}

impl Counts {
    pub(crate) fn of_sdk(&self, signal: Signal) -> OfSdk<'_> {
        match signal {
            Signal::Traces => OfSdk {
                #[cfg(feature = "sdk")]
                created: &self.sdk_spans,
                too_large: &self.sdk_spans_too_large,
                after_shutdown: &self.sdk_spans_after_shutdown,
            },
            Signal::Metrics => OfSdk {
                #[cfg(feature = "sdk")]
                created: &self.sdk_points,
                too_large: &self.sdk_points_too_large,
                after_shutdown: &self.sdk_points_after_shutdown,
            },
            Signal::Logs => OfSdk {
                #[cfg(feature = "sdk")]
                created: &self.sdk_log_records,
                too_large: &self.sdk_log_records_too_large,
                after_shutdown: &self.sdk_log_records_after_shutdown,
            },
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
