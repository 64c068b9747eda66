//! The handle: `Copy`, several per process, inert after shutdown.

use super::books::Books;
use super::builder::Builder;
use super::control::Control;
use super::resource::Resource;
use crate::contain::contain;
use crate::courier::Accounts;
use crate::courier::time::within;
use crate::descriptor::Descriptor;
use crate::encode::{PageFormat, PrometheusPage};
use crate::engine::counts::EngineCounts;
use crate::engine::diagnostics::Problem;
use crate::engine::fold::ReaderState;
use crate::engine::instruments::{
    Counter, FloatCounter, Gauge, Instrument, Tally, UpDownCounter, ValueHistogram,
};
use crate::engine::kind::Kind;
use crate::engine::log_queue::Queued;
use crate::engine::metric_set::Shape;
use crate::engine::sources::PointSource;
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::fork::{Anew, PerProcess};
use crate::log_event::LogEvent;
use crate::metrics::{Metric, Temporality};
use crate::propagation::Propagator;
use crate::redact::{Redaction, Text};
use crate::sync::lock_std;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// A telemetry: what services and layers hold. `Copy`; it lives until the process ends, and is inert after
/// [`shutdown`](Self::shutdown).
#[derive(Clone, Copy, Debug)]
pub struct Telemetry {
    engine: &'static Engine,
    control: Option<&'static Control>,
    resource: Option<&'static PerProcess<Resource>>,
}

static GLOBAL: OnceLock<Telemetry> = OnceLock::new();

impl Telemetry {
    /// Builds one.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// One that records nothing and costs one branch.
    pub fn noop() -> Self {
        Self {
            engine: engine::noop(),
            control: None,
            resource: None,
        }
    }

    /// `control`: none for one that is switched off, and can only say who would have spoken, and what was wrong.
    pub(crate) fn new(
        engine: &'static Engine,
        control: Option<&'static Control>,
        resource: &'static PerProcess<Resource>,
    ) -> Self {
        Self {
            engine,
            control,
            resource: Some(resource),
        }
    }

    pub(crate) fn engine(&self) -> &'static Engine {
        self.engine
    }

    /// Those that deliver; none where nothing is exported.
    #[cfg(feature = "sdk")]
    pub(crate) fn couriers(&self) -> crate::courier::Couriers {
        let couriers = self.control.map(|control| control.couriers.clone());
        couriers.unwrap_or_default()
    }

    /// The HTTP methods that are labels of their own, if [the builder](Builder::with_known_http_methods) or the environment
    /// names them.
    pub fn known_http_methods(&self) -> Option<&'static [String]> {
        self.engine.config.known_http_methods.as_deref()
    }

    /// How layers read what callers send, and write what calls carry.
    pub fn propagator(&self) -> &'static Propagator {
        &self.engine.config.propagator
    }

    /// Makes it the one that [`global`](Self::global) returns.
    ///
    /// # Errors
    /// When there is one already.
    pub fn install_global(self) -> Result<(), Error> {
        GLOBAL
            .set(self)
            .map_err(|_| Error::configuration("a global telemetry is installed already"))
    }

    /// The installed one, [`noop`](Self::noop) if there is none.
    pub fn global() -> Self {
        GLOBAL.get().copied().unwrap_or_else(Self::noop)
    }

    /// The kind of operation that `descriptor` describes, registered at first sight.
    pub fn kind(&self, descriptor: &'static Descriptor) -> &'static Kind {
        self.engine.kind(descriptor)
    }

    /// All kinds registered so far, for level control.
    pub fn kinds(&self) -> Vec<&'static Kind> {
        self.engine.kinds()
    }

    /// A counter.
    pub fn counter(&self, instrument: &Instrument) -> Counter {
        Counter(
            self.engine
                .instrument(instrument, Shape::Sum { monotonic: true }),
        )
    }

    /// A counter whose total is set, mirrored from elsewhere.
    pub fn absolute_counter(&self, instrument: &Instrument) -> Counter {
        Counter(self.engine.instrument(instrument, Shape::Absolute))
    }

    /// The same in floating point, for seconds.
    pub fn absolute_float_counter(&self, instrument: &Instrument) -> FloatCounter {
        FloatCounter(self.engine.instrument(instrument, Shape::AbsoluteF64))
    }

    /// A sum that goes up and down and is set, mirrored from elsewhere: bytes in use, threads.
    pub fn absolute_up_down_counter(&self, instrument: &Instrument) -> UpDownCounter {
        UpDownCounter(self.engine.instrument(instrument, Shape::Level))
    }

    /// A sum that goes up and down by what is added here: requests that wait, connections that are open.
    pub fn tally(&self, instrument: &Instrument) -> Tally {
        Tally(
            self.engine
                .instrument(instrument, Shape::Sum { monotonic: false }),
        )
    }

    /// A gauge.
    pub fn gauge(&self, instrument: &Instrument) -> Gauge {
        Gauge(self.engine.instrument(instrument, Shape::Gauge))
    }

    /// A histogram of values. `bounds` are upper limits, inclusive, of all buckets but the last, in ascending order.
    pub fn histogram(&self, instrument: &Instrument, bounds: &[f64]) -> ValueHistogram {
        ValueHistogram(self.engine.instrument(
            instrument,
            Shape::Values {
                bounds: bounds.into(),
            },
        ))
    }

    /// Calls `observe` at each collection: it sets gauges and absolute counters. It runs on a thread for observables,
    /// never on that of whoever collects; in manual mode inside the collection. One that is not over at
    /// [its deadline](Builder::with_observable_deadline) is waited for no longer: what was set last is shown.
    pub fn observe(&self, observe: impl FnMut() + Send + 'static) {
        self.engine.observe(Box::new(observe));
    }

    /// A place for points that somebody else counted: what a page that was scraped says, what a device counts itself.
    pub fn point_source(&self) -> PointSource {
        PointSource::new(self.engine)
    }

    /// How long an [observable](Self::observe) may [take](Builder::with_observable_deadline).
    pub fn observable_deadline(&self) -> Duration {
        self.engine.config.observable_deadline
    }

    /// Whether it has [no threads](Builder::manual): whoever adds something to it must not start one either.
    pub fn is_manual(&self) -> bool {
        !self.engine.config.threads
    }

    /// Shows a text to the redactors, as it would be where it is recorded: for whoever makes one text of several, as JSON is,
    /// which a redactor must not see as a whole.
    pub fn redact(&self, text: Text<'_>) -> Redaction {
        match self.engine.looking() {
            Some(by) => by.text(text.place, text.key, text.value),
            None => Redaction::Keep,
        }
    }

    /// How many characters of a text in a span are exported, where `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` or its like set a limit.
    pub fn span_text_limit(&self) -> Option<usize> {
        let characters = self.engine.config.limits.characters;
        (characters != usize::MAX).then_some(characters)
    }

    /// Emits a structured event. Never blocks; without room it is dropped and counted.
    pub fn emit(&self, mut event: LogEvent) {
        if !self.engine.is_shut_down() {
            if let Some(by) = self.engine.looking() {
                // Before redactors, which see less of an id that was cut: one user has one hash.
                let users = &self.engine.config.user_ids;
                event.session = event.session.map(|session| session.left_by(users));
                event.redact(by);
            }
            event.cut(&self.engine.config);
        }
        self.queue(event);
    }

    /// The same of an event whose texts have been looked at and cut.
    pub(crate) fn queue(&self, mut event: LogEvent) {
        let counts = &self.engine.counts;
        self.engine.look_for_fork();
        if self.engine.is_shut_down() {
            // One that records nothing has nothing to account for.
            if self.control.is_some() {
                counts.log_events_after_shutdown.add(1);
            }
            return;
        }
        if event.unix_nanos == 0 {
            event.unix_nanos = self.engine.clock.unix_nanos();
        }
        match self.engine.logs.push(event) {
            Queued::Taken => {}
            Queued::Full => counts.log_events_full.add(1),
            Queued::Closed => counts.log_events_after_shutdown.add(1),
        }
    }

    /// A reader of its own: what it has seen decides its deltas.
    pub fn reader(&self, temporality: Temporality) -> Reader {
        Reader {
            engine: self.engine,
            state: PerProcess::new(Reading(
                Mutex::new(ReaderState::new(temporality)),
                temporality,
            )),
        }
    }

    /// The metrics page of now, in Prometheus's text format ([`PrometheusPage::CONTENT_TYPE`]): everything counts from
    /// the start, whatever other readers do. A metric that cannot be shown beside another is named in a comment.
    ///
    /// Waits for [observables](Self::observe), at most until their deadline.
    pub fn prometheus(&self) -> String {
        self.prometheus_page(PageFormat::Text)
    }

    /// The same in the format that a reader [asks for](PageFormat::negotiate).
    pub fn prometheus_page(&self, format: PageFormat) -> String {
        self.engine.run_observables(None);
        let metrics = self
            .engine
            .collect_metrics(&mut ReaderState::new(Temporality::Cumulative));
        let resource = self.resource().into_iter().flat_map(Resource::iter);
        let mut page = String::new();
        let skipped = PrometheusPage::new(resource)
            .with_format(format)
            .render(&metrics, &mut page);
        match format {
            // It has no comments.
            PageFormat::OpenMetrics => page.push_str("# EOF\n"),
            PageFormat::Text => {
                for skipped in skipped {
                    page.push_str(&format!("# not shown: {skipped}\n"));
                }
            }
        }
        page
    }

    /// Names and types that everything registered by now has on the page, also what was never recorded: for whoever joins
    /// it with another page.
    pub fn prometheus_names(&self) -> Vec<(String, &'static str)> {
        let mut names = Vec::new();
        self.engine.each_metric(|name, unit, shape| {
            names.push(crate::encode::name_and_type(name, unit, shape));
        });
        names
    }

    /// What happened to records so far.
    pub fn counts(&self) -> EngineCounts {
        self.engine.settle();
        self.engine.read_counts()
    }

    /// Counts something of everything that is counted, and says how much.
    #[cfg(test)]
    pub(crate) fn count_each(&self) -> Vec<(&'static str, u64)> {
        let each = self.engine.counts.each().into_iter().zip(1_001..);
        each.map(|((name, count), value)| {
            count.add(value);
            (name, value)
        })
        .collect()
    }

    /// What a function that a setting holds says, or `otherwise` if it panics, which is counted.
    #[doc(hidden)]
    pub fn contain<T>(&self, otherwise: T, asked: impl FnOnce() -> T) -> T {
        contain(asked).unwrap_or_else(|| {
            self.engine.counts.panics.add(1);
            otherwise
        })
    }

    /// Hands everything that has ended to subscribers and exporters. In manual mode this is where all work is done but
    /// delivery: what is encoded waits in memory until a [`flush`](Self::flush) or the [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// When it could not be done within `deadline`, or a subscriber could not hand on what it holds.
    pub fn collect(&self, deadline: Duration) -> Result<(), Error> {
        match self.control {
            Some(control) => control.collect(within(deadline)),
            None => Ok(()),
        }
    }

    /// Like [`collect`](Self::collect), and waits until it is delivered.
    ///
    /// # Errors
    /// When not everything was delivered within `deadline` ([`Error::pending`] says how much is left), or something was lost
    /// meanwhile ([`Error::losses`]). When a subscriber failed.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        match self.control {
            Some(control) => control.flush(within(deadline)),
            None => Ok(()),
        }
    }

    /// Who is speaking: the same for every signal, to be shared with providers of the user's. `None` for
    /// [`noop`](Self::noop).
    pub fn resource(&self) -> Option<&'static Resource> {
        self.engine.settle();
        self.resource.map(|resource| &**resource)
    }

    /// What was passed over so far, and why, each once and in order: settings of the environment, settings that do not
    /// go together, and bad input when instruments and kinds are registered. To be printed once set-up is over; what
    /// comes later is told to [`Builder::with_diagnostics`].
    ///
    /// ```
    /// # let telemetry = obs_core::Telemetry::builder().manual().build()?;
    /// for warning in telemetry.warnings() {
    ///     eprintln!("telemetry: {warning}");
    /// }
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<String> {
        self.engine.diagnostics.warnings()
    }

    /// The last failure to deliver, of the exporter or of a subscriber, with its time. It may be over by now: what is
    /// lost for good is in [`accounts`](Self::accounts).
    pub fn last_problem(&self) -> Option<Problem> {
        let trouble = self.control.and_then(|control| control.couriers.trouble());
        self.engine.diagnostics.last_problem(trouble)
    }

    /// One set of books: where everything is that was created to be delivered, per signal; created = delivered + dropped +
    /// pending. Exact where nothing moves; while threads are at it, an item on its way from one place to the next may be
    /// missing from both sides.
    ///
    /// Where there are several destinations it is their sum: what two are to be given counts twice, and what was lost before
    /// it reached either was lost to both.
    ///
    /// ```
    /// use obs_core::courier::Capture;
    /// use obs_core::{Body, LogEvent, Telemetry};
    /// use std::time::Duration;
    ///
    /// let telemetry = Telemetry::builder().with_transport(Capture::new()).manual().build()?;
    /// telemetry.emit(LogEvent::new("shop.sold", Body::Text("a cup".into())));
    /// assert_eq!(telemetry.books().logs.pending, 1);
    /// telemetry.flush(Duration::from_secs(5))?;
    /// let logs = telemetry.books().logs;
    /// assert_eq!((logs.created, logs.delivered, logs.pending), (1, 1, 0));
    /// assert!(telemetry.books().is_balanced());
    /// # Ok::<(), obs_core::Error>(())
    /// ```
    pub fn books(&self) -> Books {
        self.control.map(Control::books).unwrap_or_default()
    }

    /// The same by destination, with its [name](crate::Delivery::named).
    pub fn books_by_destination(&self) -> Vec<(&'static str, Books)> {
        self.control.map(Control::books_of_each).unwrap_or_default()
    }

    /// What became of everything that was encoded: accepted = delivered + dropped + pending, per signal. Where there are
    /// several destinations it is their sum: what is handed to two counts twice.
    pub fn accounts(&self) -> Accounts {
        self.engine.settle();
        self.control
            .map(|control| control.couriers.accounts())
            .unwrap_or_default()
    }

    /// The same by destination, with its [name](crate::Delivery::named), in the order they were given to the builder.
    pub fn deliveries(&self) -> Vec<(&'static str, Accounts)> {
        let Some(control) = self.control else {
            return Vec::new();
        };
        self.engine.settle();
        let outlets = control.couriers.iter();
        outlets
            .map(|outlet| (outlet.name.as_str(), outlet.courier.accounts()))
            .collect()
    }

    /// Waits a moment for operations that are [still running](Builder::with_shutdown_grace), delivers what there is, and
    /// stops. Operations that start afterwards record nothing. Only the first call does it: further ones wait for its result,
    /// until their own deadlines, and get the same.
    ///
    /// # Errors
    /// When anything that was to be delivered was lost, at any time since the telemetry was built: [`Error::losses`] says
    /// what, by signal and reason, and so does the text. What [late keep](crate::KeepPolicy) dropped with a trace that nobody
    /// wanted, and what flood control held back, is no loss: it was chosen. When a subscriber failed.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        match self.control {
            Some(control) => control.stop(within(deadline)),
            None => Ok(()),
        }
    }

    /// Whether it has been shut down. One that records nothing always is.
    pub fn is_shut_down(&self) -> bool {
        self.engine.is_shut_down()
    }

    /// A guard for `main`: shuts down when dropped.
    pub fn shutdown_on_drop(self, deadline: Duration) -> ShutdownGuard {
        ShutdownGuard {
            telemetry: self,
            deadline,
        }
    }
}

/// Shuts a telemetry down when dropped: the last line of `main` is the best place for an explicit
/// [`shutdown`](Telemetry::shutdown), this is for every other way out.
#[derive(Debug)]
#[must_use = "dropping it shuts the telemetry down"]
pub struct ShutdownGuard {
    telemetry: Telemetry,
    deadline: Duration,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        // Whoever shut down before has been told.
        let told = self.telemetry.is_shut_down();
        if let Err(error) = self.telemetry.shutdown(self.deadline)
            && !told
            && let Some(control) = self.telemetry.control
        {
            control.tell_failure(&error);
        }
    }
}

/// Reads metrics with a temporality of its own.
#[derive(Debug)]
pub struct Reader {
    engine: &'static Engine,
    state: PerProcess<Reading>,
}

#[derive(Debug)]
struct Reading(Mutex<ReaderState>, Temporality);

impl Anew for Reading {
    fn anew(&self) -> Self {
        Self(Mutex::new(ReaderState::new(self.1)), self.1)
    }
}

impl Reader {
    /// Everything recorded so far (cumulative), or since this reader's last call (delta). Waits for
    /// [observables](Telemetry::observe), at most until their deadline.
    pub fn collect(&self) -> Vec<Metric> {
        self.engine.run_observables(None);
        self.engine.collect_metrics(&mut lock_std(&self.state.0))
    }
}
