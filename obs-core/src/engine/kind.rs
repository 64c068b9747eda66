//! A kind of operation in one telemetry: its levels, thresholds, label values and metrics.

use super::Engine;
use super::cells::Cells;
use super::checks::put_right;
use super::histogram::TickHistogram;
use super::metric_set::{MetricSet, Shape, bucket};
use crate::attributes::{Bounds, Key};
use crate::clock::Clock;
use crate::contain::contain;
use crate::context::{self, ContextMode};
use crate::descriptor::{Descriptor, Histogram};
use crate::engine::lent::MethodLevel;
use crate::engine::live::{Live, ROOM};
use crate::event::Event;
use crate::label::{LabelId, Labels, Space, Values};
use crate::level::{LevelCell, StatsLevel};
use crate::recorder::Tracer;
use crate::redact::Place;
use crate::{scope, thread};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

mod around;
mod further;
mod groups;
pub(crate) mod passages;
mod quantities;

/// A registered kind of operation. `&'static`, so a layer holds it as one pointer.
pub struct Kind {
    pub(crate) engine: &'static Engine,
    pub(crate) descriptor: &'static Descriptor,
    pub(crate) set: MetricSet,
    pub(crate) gauge: Option<(MetricSet, Labels)>,
    /// What `record` needs, beside each other.
    duration: Option<TickHistogram>,
    stages: Box<[HotStage]>,
    /// Those of them that are recorded at the end.
    at_end: Box<[HotStage]>,
    /// By the level: up to where among these there are some that it records. Each lies in cache lines of its own.
    staged: [u16; 3],
    /// Offset and shape of each.
    quantities: Box<[quantities::Place]>,
    /// Offset and boundaries of each measure that is a histogram too.
    measures: Box<[(usize, Box<[f64]>)]>,
    /// Whether there is more to record than times by explicit boundaries.
    further: bool,
    pub(crate) context: ContextMode,
    /// Whether something is to be done for the rest of OpenTelemetry when an operation becomes current.
    pub(crate) attaches: bool,
    /// Where a provider records spans.
    pub(crate) tracer: Option<Tracer>,
    pub(crate) clock: Clock,
    pub(crate) bounds: Bounds,
    level: LevelCell,
    methods: Box<[LevelCell]>,
    groups: groups::Groups,
    /// Ticks from which a call is slow; `u64::MAX` is never.
    slow: AtomicU64,
    slow_methods: Box<[AtomicU64]>,
    /// The least of them: what is quicker is not slow, whichever method it is.
    least_slow: AtomicU64,
    /// The keys of the labels, as [`walk`](crate::record::walk) compares them.
    pub(crate) label_keys: u64,
    /// Whether its texts are shown to redactors.
    pub(crate) redacts: bool,
    /// Where the error label is, if the kind has one.
    error_label: Option<usize>,
    /// The flag of what runs within it, if it is watched.
    around: AtomicU32,
    /// What its fresh records have room for.
    pub(crate) room: AtomicU32,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kind")
            .field("name", &self.descriptor.name)
            .finish_non_exhaustive()
    }
}

/// A stage as the hot path sees it.
#[derive(Clone, Debug)]
struct HotStage {
    by_hand: bool,
    level: StatsLevel,
    /// `None` is the operation's start.
    from: Option<Event>,
    /// `None` is its end.
    to: Option<Event>,
    histogram: TickHistogram,
}

impl HotStage {
    /// Ticks from its one moment to the other, if both happened and the level asks for it.
    #[inline(always)]
    fn took(&self, live: &Live, ticks: u64) -> Option<u64> {
        if live.level < self.level {
            return None;
        }
        let from = match self.from {
            None => 0,
            Some(event) => live.timeline.at(event)?,
        };
        let to = match self.to {
            None => ticks,
            Some(event) => live.timeline.at(event)?,
        };
        Some(to.saturating_sub(from))
    }
}

impl Kind {
    pub(crate) fn new(
        engine: &'static Engine,
        descriptor: &'static Descriptor,
        ids: (u16, u16),
    ) -> Self {
        let labels = &descriptor.labels[..descriptor.labels.len().min(8)];
        let spaces: Arc<[Space]> = labels
            .iter()
            .map(|label| Space::new(*label, descriptor.errors))
            .collect();
        let rate = engine.clock.ticks_per_second();
        let mut set = MetricSet::empty(engine, ids.0, descriptor.scope, spaces.clone());
        let keys: Vec<Key> = labels.iter().map(|label| label.key).collect();
        let mut push =
            |histogram: &Histogram, attribute: Option<(Key, _)>, shape: fn(Box<[f64]>) -> Shape| {
                let name = (histogram.name, histogram.unit, histogram.description);
                let bounds = put_right(histogram.bounds);
                let mut shape = shape(bounds.unwrap_or_else(|| histogram.bounds.into()));
                let own = attribute.iter().map(|(key, _)| *key);
                let all: Vec<Key> = keys.iter().copied().chain(own).collect();
                let shown = engine.view(descriptor.scope, histogram.name, Some(&all), &mut shape);
                let bounds: Box<[f64]> = shape.bounds().into();
                (set.push_with(name, attribute, shape, shown), bounds)
            };
        let ticks = |bounds| Shape::Ticks { bounds };
        let hot = |(offset, bounds): (usize, Box<[f64]>)| TickHistogram::new(offset, &bounds, rate);
        let duration = descriptor
            .duration
            .as_ref()
            .map(|histogram| hot(push(histogram, None, ticks)));
        let stages = descriptor.stages.iter().map(|stage| {
            let histogram = push(&stage.histogram, stage.attribute, ticks);
            HotStage {
                by_hand: stage.by_hand,
                level: stage.level,
                from: (stage.from != Event::RPC_START).then_some(stage.from),
                to: (stage.to != Event::RPC_FINISH).then_some(stage.to),
                histogram: hot(histogram),
            }
        });
        let stages: Box<[HotStage]> = stages.collect();
        let at_end = stages.iter().filter(|stage| !stage.by_hand).cloned();
        let at_end: Box<[HotStage]> = at_end.collect();
        let staged = [StatsLevel::Disabled, StatsLevel::Base, StatsLevel::Detailed].map(|level| {
            let last = at_end.iter().rposition(|stage| stage.level <= level);
            last.map_or(0, |last| last as u16 + 1)
        });
        let asked = if engine.config.measures { 4 } else { 0 };
        let measures = descriptor
            .measures
            .iter()
            .take(asked)
            .map(|measure| push(&measure.histogram, None, |bounds| Shape::Values { bounds }));
        let measures: Box<[_]> = measures.collect();
        let quantities = descriptor.quantities.iter().map(|quantity| {
            let shape = match quantity.histogram.bounds {
                [] => |_| Shape::Sum { monotonic: true },
                _ => |bounds| Shape::Values { bounds },
            };
            quantities::Place::of(push(&quantity.histogram, quantity.attribute, shape))
        });
        let quantities = quantities.collect();
        let gauge = descriptor.in_flight.map(|gauge| {
            let mut set = MetricSet::empty(engine, ids.1, descriptor.scope, spaces.clone());
            let mut shape = Shape::Sum { monotonic: false };
            let shown = engine.view(descriptor.scope, gauge.name, Some(&keys), &mut shape);
            set.push((gauge.name, gauge.unit, gauge.description), shape, shown);
            (set, Labels::mask(gauge.labels))
        });
        // Number 0 is "no method", the cap's own is the overflow.
        let methods = match descriptor
            .method
            .and_then(|index| labels.get(index))
            .map(|label| label.values)
        {
            Some(Values::Open { cap }) => usize::from(cap) + 1,
            Some(Values::Closed(list)) => list.len() + 1,
            _ => 0,
        };
        let config = engine.config.kind(descriptor.name);
        let slow = config.slow.or(engine.config.slow);
        Self {
            further: !measures.is_empty() || set.exponentials > 0,
            engine,
            descriptor,
            set,
            gauge,
            level: LevelCell::new(config.level.unwrap_or(engine.config.level)),
            methods: (0..methods).map(|_| LevelCell::inherit()).collect(),
            groups: groups::Groups::new(methods),
            slow: AtomicU64::new(slow.map_or(u64::MAX, |slow| engine.ticks(slow))),
            least_slow: AtomicU64::new(slow.map_or(u64::MAX, |slow| engine.ticks(slow))),
            slow_methods: (0..methods).map(|_| AtomicU64::new(0)).collect(),
            duration,
            stages,
            at_end,
            staged,
            measures,
            quantities,
            context: engine.config.context,
            attaches: engine.config.context != ContextMode::Off || engine.config.recorder.is_sdk(),
            tracer: engine.config.recorder.tracer(descriptor.scope),
            clock: engine.clock.clone(),
            bounds: engine.config.bounds,
            redacts: !engine.config.redactors.is_empty(),
            around: AtomicU32::new(0),
            room: AtomicU32::new(ROOM),
            label_keys: crate::record::walk::bits(labels.iter().map(|label| label.key.as_str())),
            error_label: labels
                .iter()
                .position(|label| matches!(label.values, Values::Error)),
        }
    }

    /// Its labels' values, each with the label's index.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = (usize, &Space)> {
        self.set.spaces.iter().enumerate()
    }

    /// What it is.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    /// Whether what is current on this thread is an operation of this kind, of whichever telemetry.
    #[inline]
    pub fn is_current(&self) -> bool {
        context::peek(|current| match current {
            Some(live) => std::ptr::eq(live.kind.descriptor, self.descriptor),
            None => thread::is_scoped() && self.is_in_scope(),
        })
    }

    #[cold]
    #[inline(never)]
    fn is_in_scope(&self) -> bool {
        let descriptor = scope::handle().and_then(|handle| handle.0.identity().descriptor);
        descriptor.is_some_and(|descriptor| std::ptr::eq(descriptor, self.descriptor))
    }

    /// The level of operations of no particular method.
    #[inline(always)]
    pub fn level(&self) -> StatsLevel {
        LevelCell::level(self.level.raw())
    }

    /// Whether everything of this kind is switched off: the one branch that Disabled costs.
    #[inline(always)]
    pub fn is_disabled(&self) -> bool {
        LevelCell::is_disabled(self.level.raw())
    }

    /// The level of operations with these labels.
    #[inline(always)]
    pub fn level_of(&self, labels: Labels) -> StatsLevel {
        let raw = self.level.raw();
        if LevelCell::has_methods(raw) {
            self.level_of_method(raw, labels)
        } else {
            LevelCell::level(raw)
        }
    }

    #[cold]
    fn level_of_method(&self, raw: u8, labels: Labels) -> StatsLevel {
        let own = self.descriptor.method.and_then(|index| {
            let id = labels.get(index);
            let own = self.methods.get(usize::from(id.0)).and_then(LevelCell::own);
            own.or_else(|| self.group_level(id))
        });
        own.unwrap_or(LevelCell::level(raw))
    }

    /// Sets the level of all methods without one of their own. Takes effect for operations that start from now on.
    pub fn set_level(&self, level: StatsLevel) {
        self.level.set(level);
    }

    /// For good: the telemetry is shut down.
    pub(crate) fn switch_off(&self) {
        self.level.switch_off();
    }

    /// Sets the level of one method (route, RPC method, tool), or with `None` lets it follow its kind again.
    /// Says whether the method could be given one: a full set of methods cannot take another, and nothing has a level
    /// after shutdown.
    ///
    /// A name that ends in `/*` stands for all methods that begin with what is before the star, those that are met later
    /// among them: `package.Service/*` for those of a service. A method's own level goes before, and so does that of a group
    /// within. A kind has 63 groups.
    pub fn set_method_level(&self, method: &str, level: Option<StatsLevel>) -> bool {
        let Some(cell) = self.number(method).and_then(|id| self.cell(id)) else {
            return false;
        };
        cell.set_own(level);
        self.level.mark_methods()
    }

    /// [`set_level`](Self::set_level) for a time: then it falls back to what it was, unless another is set meanwhile. In
    /// manual mode that happens inside the collection after. Says whether it could be set: nothing has a level after
    /// shutdown.
    pub fn set_level_for(&'static self, level: StatsLevel, lasts: Duration) -> bool {
        self.engine.lend(self, None, level, lasts)
    }

    /// [`set_method_level`](Self::set_method_level) for a time.
    pub fn set_method_level_for(
        &'static self,
        method: &str,
        level: StatsLevel,
        lasts: Duration,
    ) -> bool {
        self.number(method).is_some_and(|id| {
            self.engine
                .lend(self, Some(LabelId(id as u16)), level, lasts)
        })
    }

    /// How long its level still lasts, if it has it for a time.
    pub fn level_left(&self) -> Option<Duration> {
        let left = self.engine.lent_for(self, None);
        left.filter(|_| self.level.is_lent())
    }

    /// The methods and groups of methods that have a level of their own.
    pub fn method_levels(&self) -> Vec<MethodLevel> {
        let cells = self.methods.iter().chain(self.groups.cells()).enumerate();
        let own = cells.filter_map(|(id, cell)| Some((LabelId(id as u16), cell, cell.own()?)));
        own.map(|(id, cell, level)| MethodLevel {
            method: self.name_of(usize::from(id.0)),
            level,
            left: self
                .engine
                .lent_for(self, Some(id))
                .filter(|_| cell.is_lent()),
        })
        .collect()
    }

    /// Whether this method, or one of this group, has been seen, configured or given a level.
    pub fn knows_method(&self, method: &str) -> bool {
        if let Some(known) = self.knows_group(method) {
            return known;
        }
        self.method_space().is_some_and(|space| {
            self.shown(space, method)
                .is_some_and(|method| space.knows(&method))
        })
    }

    pub(crate) fn lend(&self, method: Option<LabelId>, level: StatsLevel) -> bool {
        let Some(id) = method else {
            return self.level.lend(level);
        };
        let Some(cell) = self.cell(usize::from(id.0)) else {
            return false;
        };
        cell.lend_own(level);
        self.level.mark_methods()
    }

    pub(crate) fn give_back(&self, method: Option<LabelId>) {
        match method.and_then(|id| self.cell(usize::from(id.0))) {
            Some(cell) => {
                cell.give_back();
                let cells = || self.methods.iter().chain(self.groups.cells());
                self.level
                    .unmark_methods(|| cells().any(|cell| cell.own().is_some()));
            }
            None => self.level.give_back(),
        }
    }

    /// What to raise to Detailed for an operation with these labels: its method, or the kind where there are none.
    /// Nothing where that is Disabled, or Detailed already, or a method beyond the cap.
    pub(crate) fn raisable(&self, labels: Labels) -> Option<Option<LabelId>> {
        if self.level_of(labels) != StatsLevel::Base {
            return None;
        }
        match self.descriptor.method {
            Some(index) if !self.methods.is_empty() => {
                let id = labels.get(index);
                self.methods.get(usize::from(id.0)).map(|_| Some(id))
            }
            _ => Some(None),
        }
    }

    /// Sets from which duration a call counts as slow and is kept although the head decision left it out.
    pub fn set_slow(&self, threshold: Option<Duration>) {
        self.slow.store(
            threshold.map_or(u64::MAX, |slow| self.engine.ticks(slow)),
            Ordering::Relaxed,
        );
        self.find_least_slow();
    }

    /// After any of the thresholds has changed. Whoever changes one at the same time comes to the same least.
    fn find_least_slow(&self) {
        let own = self
            .slow_methods
            .iter()
            .map(|slow| slow.load(Ordering::Relaxed));
        let least = own.filter(|slow| *slow != 0).min().unwrap_or(u64::MAX);
        let least = least.min(self.slow.load(Ordering::Relaxed));
        self.least_slow.store(least, Ordering::Relaxed);
    }

    /// The same for one method; `None` lets it follow its kind again.
    pub fn set_method_slow(&self, method: &str, threshold: Option<Duration>) -> bool {
        let Some(cell) = self
            .method_number(method)
            .and_then(|id| self.slow_methods.get(id))
        else {
            return false;
        };
        cell.store(
            threshold.map_or(0, |slow| self.engine.ticks(slow).max(1)),
            Ordering::Relaxed,
        );
        self.find_least_slow();
        true
    }

    /// Counts a parent from outside that made no sense.
    #[doc(hidden)]
    #[cold]
    pub fn count_invalid_parent(&self) {
        self.engine.counts.invalid_parents.add(1);
    }

    /// What a function that a setting holds says, or `otherwise` if it panics, which is counted.
    #[doc(hidden)]
    #[inline]
    pub fn contain<T>(&self, otherwise: T, asked: impl FnOnce() -> T) -> T {
        contain(asked).unwrap_or_else(|| {
            self.engine.counts.panics.add(1);
            otherwise
        })
    }

    /// Counts members of a `tracestate` from outside that were dropped.
    #[doc(hidden)]
    #[cold]
    pub fn count_dropped_tracestate(&self, members: u64) {
        self.engine.counts.dropped_tracestate.add(members);
    }

    /// Counts members of `baggage` from outside that were dropped.
    #[doc(hidden)]
    #[cold]
    pub fn count_dropped_baggage(&self, members: u64) {
        self.engine.counts.dropped_baggage.add(members);
    }

    /// Reserves a place for a configured value of a label, and room for 64 series with it, so that a flood of unknown ones
    /// cannot take them.
    pub fn reserve(&self, label: usize, value: &str) -> bool {
        let Some(space) = self.set.spaces.get(label) else {
            return false;
        };
        self.shown(space, value)
            .is_some_and(|value| space.reserve(&value))
    }

    /// A text that someone configures, as operations will have it: what redactors leave of it. What is known already may be
    /// that.
    fn shown<'a>(&self, space: &Space, text: &'a str) -> Option<Cow<'a, str>> {
        match self.engine.looking() {
            Some(by) if space.is_open() && !space.knows(text) => {
                by.left(Place::Label, space.key().as_str(), text)
            }
            _ => Some(text.into()),
        }
    }

    fn method_number(&self, method: &str) -> Option<usize> {
        let space = self.set.spaces.get(self.descriptor.method?)?;
        let (id, _) = space.intern(&self.shown(space, method)?);
        (id != LabelId::OVERFLOW).then_some(usize::from(id.0))
    }

    #[inline(always)]
    pub(crate) fn is_slow(&self, labels: Labels, ticks: u64) -> bool {
        ticks >= self.least_slow.load(Ordering::Relaxed) && self.is_slow_for(labels, ticks)
    }

    #[cold]
    #[inline(never)]
    fn is_slow_for(&self, labels: Labels, ticks: u64) -> bool {
        let own = match self.descriptor.method {
            Some(index) => self
                .slow_methods
                .get(usize::from(labels.get(index).0))
                .map_or(0, |slow| slow.load(Ordering::Relaxed)),
            None => 0,
        };
        ticks
            >= if own == 0 {
                self.slow.load(Ordering::Relaxed)
            } else {
                own
            }
    }

    /// The number of a label's value, through this thread's cache.
    #[inline]
    pub fn label(&self, label: usize, value: &str) -> LabelId {
        match self.set.spaces.get(label) {
            Some(space) => self.engine.with_local(|local| local.intern(space, value)),
            None => LabelId::ABSENT,
        }
    }

    /// The same for a value that was met before or is configured; of any other there is none.
    #[doc(hidden)]
    #[inline]
    pub fn known_label(&self, label: usize, value: &str) -> Option<LabelId> {
        let space = self.set.spaces.get(label)?;
        self.engine
            .with_local(|local| local.known(space, value))
            .or_else(|| self.known_elsewhere(space, value))
    }

    #[cold]
    #[inline(never)]
    fn known_elsewhere(&self, space: &Space, value: &str) -> Option<LabelId> {
        let known = self.shown(space, value)?;
        let id = || self.engine.with_local(|local| local.intern(space, value));
        space.knows(&known).then(id)
    }

    #[inline(always)]
    pub(crate) fn with_error(&self, labels: Labels, error: u16) -> Labels {
        match self.error_label {
            Some(index) => labels.with(index, LabelId(error)),
            None => labels,
        }
    }

    /// What a finished operation writes into cells, but for the gauge and [the rest](Self::record_further).
    #[inline(always)]
    pub(crate) fn record(&self, live: &Live, ticks: u64, cells: &Cells, owned: bool) {
        if let Some(duration) = &self.duration {
            duration.record(cells, ticks, owned);
        }
        let staged = usize::from(self.staged[live.level as usize]);
        for stage in self.at_end.get(..staged).unwrap_or_default() {
            if let Some(took) = stage.took(live, ticks) {
                stage.histogram.record(cells, took, owned);
            }
        }
    }

    /// What both wrote into the cells of the series: the cell of each bucket that it counted in, and the value in the metric's unit.
    pub(crate) fn each_value(&self, live: &Live, mut visit: impl FnMut(usize, f64)) {
        let ticks = live.end.saturating_sub(live.start);
        // Divided, not multiplied: 30 ms read 0.03 and not 0.030000000000000002.
        let seconds = |ticks: u64| ticks as f64 / self.set.ticks_per_second;
        if let Some(duration) = &self.duration {
            visit(duration.cell(ticks), seconds(ticks));
        }
        for stage in &self.stages {
            if let Some(took) = stage.took(live, ticks) {
                visit(stage.histogram.cell(took), seconds(took));
            }
        }
        for (index, (offset, bounds)) in self.measures.iter().enumerate() {
            if let Some(value) = live.measure(index) {
                visit(offset + 1 + bucket(bounds, value), value);
            }
        }
    }
}
