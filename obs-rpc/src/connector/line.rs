//! The connections of one channel, one after another: when each was dialled, and how far it came.

use super::meter::Meter;
use obs_core::{Active, Event, Kind, Moment};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a channel's connector writes, and its calls read.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) kind: &'static Kind,
    meter: Meter,
    /// When the last dial was over; [`DIALLING`] while it is not, 0 where there was none.
    until: AtomicU64,
    /// Locked to dial, and by calls that had to wait for it.
    latest: Mutex<Option<Arc<Dial>>>,
}

const DIALLING: u64 = u64::MAX;

/// Each is right by itself: a call asks after the worker of its channel saw the dial end.
const ORDER: Ordering = Ordering::Relaxed;

/// What happened in a dial; 0 is not yet, or never.
#[derive(Debug, Default)]
pub(crate) struct Dial {
    whole: Part,
    dns: Part,
    tcp: Part,
    tls: Part,
}

#[derive(Debug, Default)]
struct Part {
    from: AtomicU64,
    to: AtomicU64,
}

/// How a dial ended that brought no connection: `error.type` of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Dns,
    Tcp,
    Tls,
    /// A connector of somebody else's failed.
    Connect,
    /// Nobody waits for it any more, or its time is over.
    Dropped,
}

impl Part {
    fn begin(&self, at: Moment) {
        self.from.store(at.to_bits(), ORDER);
    }

    fn end(&self, at: Moment) {
        if self.is_open() {
            self.to.store(at.to_bits(), ORDER);
        }
    }

    fn is_open(&self) -> bool {
        self.from.load(ORDER) != 0 && self.to.load(ORDER) == 0
    }

    fn began(&self) -> Option<Moment> {
        Moment::from_bits(self.from.load(ORDER))
    }

    fn ended(&self) -> Option<Moment> {
        Moment::from_bits(self.to.load(ORDER))
    }
}

impl Dial {
    /// Onto an operation that started then. What was over before is none of its waiting.
    pub(super) fn stamp(&self, active: &mut Active<'_>, started: Moment) {
        let parts = [
            (
                &self.whole,
                Event::CLIENT_CONN_START,
                Event::CLIENT_CONN_FINISH,
            ),
            (&self.dns, Event::DNS_START, Event::DNS_FINISH),
            (&self.tcp, Event::TCP_START, Event::TCP_FINISH),
            (&self.tls, Event::TLS_START, Event::TLS_FINISH),
        ];
        let stamps = parts.into_iter().flat_map(|(part, start, finish)| {
            let ended = part.ended();
            let is_waited_for = ended.is_none_or(|at| at > started);
            let stamps = [(start, part.began()), (finish, ended)].into_iter();
            let stamps = stamps.filter_map(|(event, at)| Some((event, at?)));
            stamps.filter(move |_| is_waited_for)
        });
        active.stamp_all_at(stamps);
    }
}

impl Line {
    pub(super) fn new(kind: &'static Kind, meter: Meter) -> Arc<Self> {
        Arc::new(Self {
            kind,
            meter,
            until: AtomicU64::new(0),
            latest: Mutex::new(None),
        })
    }

    /// A dial begins.
    pub(super) fn dial(self: &Arc<Self>) -> Dialling {
        let dial = Arc::<Dial>::default();
        dial.whole.begin(self.kind.now());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(dial.clone());
        self.until.store(DIALLING, ORDER);
        Dialling {
            line: self.clone(),
            dial,
        }
    }

    /// The last dial, if it was not over at that moment.
    #[inline]
    pub(super) fn dialled_after(&self, at: Moment) -> Option<Arc<Dial>> {
        if self.until.load(ORDER) <= at.to_bits() {
            return None;
        }
        self.latest()
    }

    #[cold]
    #[inline(never)]
    fn latest(&self) -> Option<Arc<Dial>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    /// A call is sent over the connection of this dial: there is one, whatever was seen of it.
    pub(super) fn carries(&self, dial: &Dial) {
        if dial.whole.is_open() {
            self.done(dial, self.kind.now());
        }
    }

    fn done(&self, dial: &Dial, at: Moment) {
        dial.tls.end(at);
        self.over(dial, at, None);
    }

    fn over(&self, dial: &Dial, at: Moment, failure: Option<Failure>) {
        // Once, whoever sees it first.
        let place = &dial.whole.to;
        if place
            .compare_exchange(0, at.to_bits(), ORDER, ORDER)
            .is_err()
        {
            return;
        }
        let is_latest = |latest: Option<Arc<Dial>>| {
            latest.is_some_and(|latest| std::ptr::eq(&raw const *latest, dial))
        };
        if is_latest(self.latest()) {
            self.until.store(at.to_bits(), ORDER);
        }
        if let Some(from) = dial.whole.began() {
            self.meter.record(self.kind.between(from, at), failure);
        }
    }
}

/// A dial that is under way, in the hands of those who see its parts.
#[derive(Clone, Debug)]
pub(crate) struct Dialling {
    line: Arc<Line>,
    dial: Arc<Dial>,
}

impl Dialling {
    fn now(&self) -> Moment {
        self.line.kind.now()
    }

    pub(super) fn looks_up(&self) {
        self.dial.dns.begin(self.now());
    }

    /// There are addresses to dial, or none.
    pub(super) fn looked_up(&self, found: bool) {
        let now = self.now();
        self.dial.dns.end(now);
        if found {
            self.dial.tcp.begin(now);
        }
    }

    /// A TCP connection is there, or could not be had. What is to be kept secret has its keys to agree on yet.
    pub(super) fn connected(&self, result: Result<(), ()>, is_secure: bool) {
        let (now, dial) = (self.now(), &self.dial);
        // Without a name there was nothing to look up first.
        if let (None, Some(began)) = (dial.dns.began(), dial.whole.began()) {
            dial.tcp.begin(began);
        }
        let by_name = dial.tcp.began().is_none();
        dial.tcp.end(now);
        match result {
            Ok(()) if is_secure => {}
            Ok(()) => self.line.done(dial, now),
            Err(()) if by_name => self.line.over(dial, now, Some(Failure::Dns)),
            Err(()) => self.line.over(dial, now, Some(Failure::Tcp)),
        }
    }

    /// The same of a connector whose parts are not seen.
    pub(super) fn connected_somehow(&self, result: Result<(), ()>, is_secure: bool) {
        match result {
            Ok(()) if is_secure => {}
            Ok(()) => self.line.done(&self.dial, self.now()),
            Err(()) => self
                .line
                .over(&self.dial, self.now(), Some(Failure::Connect)),
        }
    }

    /// The first byte of a handshake is sent.
    pub(super) fn shakes_hands(&self) {
        self.dial.tls.begin(self.now());
    }

    /// It can be sent over.
    pub(super) fn is_ready(&self) {
        self.line.done(&self.dial, self.now());
    }

    /// It is dropped. Where it was of use already, that is no failure of the dial.
    pub(super) fn dropped(&self) {
        if !self.dial.whole.is_open() {
            return;
        }
        let now = self.now();
        let failure = if self.dial.tls.is_open() {
            self.dial.tls.end(now);
            Failure::Tls
        } else {
            Failure::Dropped
        };
        self.line.over(&self.dial, now, Some(failure));
    }
}
