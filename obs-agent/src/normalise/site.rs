//! Which call sites make spans that are looked at: decided once for each.

use super::dialect::{Dialect, framework};
use super::table::{self, Row};
use super::words::{self, Called};
use obs_core::semconv::dialects;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use tracing_core::subscriber::Interest;
use tracing_core::{Level, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// What is the same for all spans of a call site.
#[derive(Debug)]
pub(super) struct Site {
    key: usize,
    pub(super) name: &'static str,
    pub(super) scope: &'static str,
    /// What implements its runs.
    pub(super) framework: &'static str,
    /// Whose words its spans are told in, where that is the same for all of them.
    pub(super) dialect: Option<Dialect>,
    /// Its fields. One that is declared twice is the first.
    names: Box<[&'static str]>,
    /// Which of them are read, by their places: bit by bit.
    facts: u64,
    said: u64,
    /// Which of them stand in each row, in the order of the row, one row after another; and where each begins.
    places: Box<[u8]>,
    rows: [u16; table::ROWS + 1],
    /// In which rows each of them stands, bit by bit.
    rows_of: Box<[u64]>,
    /// What its spans may still say where they have not, before a run of them begins.
    pub(super) awaits_kind: bool,
    pub(super) awaits_provider: bool,
    pub(super) awaits_model: bool,
    pub(super) awaits_tool: bool,
    pub(super) awaits_agent: bool,
    pub(super) awaits_workflow: bool,
}

/// As many fields as are known of a call site; `tracing` has 32.
const FIELDS: usize = 64;

/// As many call sites as are looked at.
const MOST: usize = 1024;

static SITES: RwLock<Vec<&'static Site>> = RwLock::new(Vec::new());

impl Site {
    /// That of a span: none where the program has too many.
    pub(super) fn of(meta: &'static Metadata<'static>) -> Option<&'static Self> {
        let key = key_of(meta);
        let find = |sites: &[&'static Self]| sites.iter().find(|site| site.key == key).copied();
        let (known, is_full) = {
            let sites = SITES.read().unwrap_or_else(PoisonError::into_inner);
            (find(&sites), sites.len() >= MOST)
        };
        if known.is_some() || is_full {
            return known;
        }
        let mut sites = SITES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = find(&sites) {
            return Some(known);
        }
        if sites.len() >= MOST {
            return None;
        }
        let site: &'static Self = Box::leak(Box::new(Self::read(meta)));
        sites.push(site);
        Some(site)
    }

    fn read(meta: &'static Metadata<'static>) -> Self {
        let dialect = dialect_of(meta);
        let bits = |with_content| {
            let fields = meta.fields().iter().take(FIELDS).enumerate();
            let known =
                fields.filter(|(_, field)| table::knows(field.name(), dialect, with_content));
            known.fold(0, |bits, (place, _)| bits | 1 << place)
        };
        let (facts, all) = (bits(false), bits(true));
        let has = |key: &str| meta.fields().iter().any(|field| field.name() == key);
        let names: Box<[&str]> = { meta.fields().iter().take(FIELDS) }
            .map(|field| field.name())
            .collect();
        let stands = |row: Row| row.of(dialect).any(has);
        let (mut places, mut rows) = (Vec::new(), [0; table::ROWS + 1]);
        let mut rows_of: Box<[u64]> = names.iter().map(|_| 0).collect();
        for row in table::rows() {
            let own = { row.of(dialect) }.filter_map(|key| place(&names, key));
            places.extend(own.map(|place| place as u8));
            for place in &places[usize::from(rows[row.at])..] {
                rows_of[usize::from(*place)] |= 1 << row.at;
            }
            rows[row.at + 1] = places.len() as u16;
        }
        let is_fixed = dialect != Dialect::Conventions || !table::TELLING.into_iter().any(has);
        Self {
            key: key_of(meta),
            name: meta.name(),
            scope: meta.target(),
            framework: framework(meta.target()).unwrap_or(krate(meta.target())),
            dialect: is_fixed.then_some(dialect),
            names,
            facts,
            said: all & !facts,
            places: places.into(),
            rows,
            rows_of,
            awaits_kind: stands(table::SPAN_NAME) || table::KINDS.into_iter().any(stands),
            awaits_provider: stands(table::PROVIDER),
            awaits_model: stands(table::REQUEST_MODEL),
            awaits_tool: stands(table::TOOL_NAME),
            awaits_agent: stands(table::AGENT_NAME),
            awaits_workflow: stands(table::WORKFLOW_NAME),
        }
    }

    /// The place of a field that is read.
    #[inline]
    pub(super) fn reads(&self, place: usize, with_content: bool) -> Option<usize> {
        let read = if with_content {
            self.facts | self.said
        } else {
            self.facts
        };
        (place < FIELDS && read >> place & 1 == 1).then_some(place)
    }

    /// Whether a field in this place is what was said.
    pub(super) fn is_said(&self, place: usize) -> bool {
        place < FIELDS && self.said >> place & 1 == 1
    }

    /// Where a field of this name is.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        place(&self.names, name)
    }

    /// The rows in which the field of a place stands, bit by bit.
    pub(super) fn rows_of(&self, place: usize) -> u64 {
        self.rows_of.get(place).copied().unwrap_or_default()
    }

    /// The places of the fields that stand in a row, in its order.
    #[inline]
    pub(super) fn row(&self, row: usize) -> &[u8] {
        let at = |row: usize| self.rows.get(row).map_or(0, |at| usize::from(*at));
        self.places.get(at(row)..at(row + 1)).unwrap_or_default()
    }
}

fn place(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

/// Which crate a target is of.
pub(super) fn krate(target: &str) -> &str {
    let end = target.bytes().position(|byte| byte == b':');
    &target[..end.unwrap_or(target.len())]
}

/// Metadata lives as long as the program, so that its place in memory is a name.
fn key_of(meta: &Metadata<'_>) -> usize {
    std::ptr::from_ref(meta).cast::<()>().addr()
}

/// Whose fields those are. What a call site declares is all that its spans can ever have.
fn dialect_of(meta: &Metadata<'_>) -> Dialect {
    struct Nothing;
    impl super::Attributes for Nothing {
        fn get(&self, _: &str) -> Option<super::Value<'_>> {
            None
        }
    }
    Dialect::of(meta.target(), &Nothing)
}

/// Whether spans of a call site may be operations of ours.
fn is_ours(meta: &Metadata<'_>) -> bool {
    if !meta.is_span() {
        return false;
    }
    let has = |key: &str| meta.fields().iter().any(|field| field.name() == key);
    let stands = |row: Row| { row.names.iter() }.any(|name| name.only.is_none() && has(name.key));
    if table::KINDS.into_iter().any(stands) {
        return true;
    }
    let is_named = has(dialects::SPAN_NAME);
    let dialect = dialect_of(meta);
    let spoken = words::SPAN_NAMES.iter().any(|spoken| {
        spoken.by == dialect
            && match spoken.name {
                Called::Is(name) => name == meta.name(),
                Called::Begins(_) => is_named,
            }
    });
    let first = meta.name().split(' ').next().unwrap_or_default();
    let is_called = is_named || { words::OPERATIONS.iter() }.any(|(name, _)| *name == first);
    let rows = [
        table::PROVIDER,
        table::REQUEST_MODEL,
        table::TOOL_NAME,
        table::AGENT_NAME,
    ];
    spoken || is_called && rows.into_iter().any(stands)
}

/// The filter of the layer: spans that may be operations of ours, and events at `ERROR`, which tell that one failed. A call site
/// is looked at once; where other layers want it as well, and `tracing` asks again for each span, the answer is one load.
#[derive(Debug, Default)]
pub struct GenAiSpans {
    known: Known,
}

impl<S: Subscriber> Filter<S> for GenAiSpans {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.known.look(meta)
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        match self.known.look(meta) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    /// Frameworks tell of themselves at `INFO`; what is finer need not be made for our sake.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

const SLOTS: usize = 256;

/// What was said of call sites, by their places in memory, the lowest bit being the answer. Two that share a slot take turns.
#[derive(Debug)]
struct Known([AtomicUsize; SLOTS]);

impl Default for Known {
    fn default() -> Self {
        Self([const { AtomicUsize::new(0) }; SLOTS])
    }
}

impl Known {
    #[inline]
    fn look(&self, meta: &Metadata<'_>) -> bool {
        if meta.is_event() {
            return *meta.level() == Level::ERROR;
        }
        if *meta.level() > Level::INFO {
            return false;
        }
        let key = key_of(meta);
        // The lowest bits are those that all have in common.
        let slot = &self.0[(key >> 4) % SLOTS];
        let known = slot.load(Ordering::Relaxed);
        if known & !1 == key {
            return known & 1 == 1;
        }
        self.decide(meta, slot)
    }

    #[cold]
    #[inline(never)]
    fn decide(&self, meta: &Metadata<'_>, slot: &AtomicUsize) -> bool {
        let is_ours = is_ours(meta);
        slot.store(key_of(meta) | usize::from(is_ours), Ordering::Relaxed);
        is_ours
    }
}
