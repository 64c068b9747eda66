//! The table that calls are priced by, and its replacement while they are.

use super::field::Tier;
use super::load::{self, LONGEST};
use super::place::Place;
use super::report::LoadReport;
use super::table::Table;
use crate::bill::{Bill, Price};
use obs_core::Error;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// A table of prices, replaceable while calls are priced by it. Share it behind an `Arc`.
///
/// A look-up takes a lock that only a replacement takes for writing, for as long as two pointers change places: reading,
/// checking and freeing a table happen outside of it.
///
/// ```
/// use obs_llm::cost::Prices;
/// use obs_llm::{Bill, Price, Tokens, Usage};
///
/// let table = r#"{"gpt-4o": {
///     "litellm_provider": "openai",
///     "input_cost_per_token": 2.5e-6,
///     "cache_read_input_token_cost": 1.25e-6,
///     "output_cost_per_token": 1e-5
/// }}"#;
/// let (prices, report) = Prices::from_json(table)?;
/// assert_eq!(report.models, 1);
///
/// let usage = Usage::new()
///     .with(Tokens::Input, 2_000)
///     .with(Tokens::CacheRead, 1_500)
///     .with(Tokens::Output, 100);
/// let bill = Bill::new("openai", "chat", &usage).with_request_model(Some("gpt-4o"));
/// // 500 at 2.5, 1,500 at 1.25 and 100 at 10 dollars a million.
/// assert_eq!(prices.price(&bill), Some(0.004_125));
/// assert_eq!(prices.price(&bill.with_request_model(Some("gpt-9"))), None);
/// # Ok::<(), obs_core::Error>(())
/// ```
pub struct Prices {
    table: RwLock<Arc<Table>>,
    providers: Vec<(Box<str>, Box<str>)>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    priced: AtomicU64,
    approximate: AtomicU64,
    unknown: AtomicU64,
    uncharged: AtomicU64,
}

/// What a call costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Quote {
    /// US dollars.
    pub usd: f64,
    /// By the prices of that very model and tier. If not, by those of the model without its date, release or region, or by the
    /// standard prices of a model that has none for the tier or the batch.
    pub exact: bool,
}

/// How calls were priced so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PriceStats {
    /// Calls that have a cost.
    pub priced: u64,
    /// Of these, those whose quote is not exact.
    pub approximate: u64,
    /// Calls without a cost because the table has no such model of that provider, or none was told.
    pub unknown: u64,
    /// Calls without a cost of a model that is in the table: it has no price for what was used, or the input was not told.
    pub uncharged: u64,
}

impl Prices {
    /// Reads a table from its text.
    ///
    /// # Errors
    ///
    /// The text is no JSON object, is longer than 64 MiB, or has no model with a price for tokens. Entries that make no sense
    /// are no error: they are left out, and the report lists them.
    pub fn from_json(text: &str) -> Result<(Self, LoadReport), Error> {
        let (table, report) = load::load(text)?;
        let prices = Self {
            table: RwLock::new(Arc::new(table)),
            providers: Vec::new(),
            counts: Counts::default(),
        };
        Ok((prices, report))
    }

    /// Reads a table from a file: LiteLLM's `model_prices_and_context_window.json`, or one like it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its text is what [`from_json`](Self::from_json) refuses.
    pub fn from_file(path: impl AsRef<Path>) -> Result<(Self, LoadReport), Error> {
        Self::from_json(&text(path.as_ref())?)
    }

    /// Says what the table calls a provider, where calls have a name that it does not know: a gateway's own. The names of the
    /// conventions are known.
    #[must_use]
    pub fn with_provider(mut self, name: &str, in_table: &str) -> Self {
        self.providers.push((name.into(), in_table.into()));
        self
    }

    /// Replaces the table. Calls that end from now on are priced by the new one. Takes some tens of milliseconds for LiteLLM's
    /// own, so call it where blocking is no harm; calls are priced meanwhile.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json); the old table stays.
    pub fn reload_json(&self, text: &str) -> Result<LoadReport, Error> {
        let (table, report) = load::load(text)?;
        let mut table = Arc::new(table);
        {
            let mut place = self.table.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *place, &mut table);
        }
        // The old one is freed here, when nobody waits.
        drop(table);
        Ok(report)
    }

    /// Replaces the table by that of a file. See [`reload_json`](Self::reload_json).
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file); the old table stays.
    pub fn reload_file(&self, path: impl AsRef<Path>) -> Result<LoadReport, Error> {
        self.reload_json(&text(path.as_ref())?)
    }

    /// What a call costs, and how well that is known; `None` if it is not, which is not zero.
    pub fn quote(&self, bill: &Bill<'_>) -> Option<Quote> {
        let quote = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            self.quote_by(&table, bill)
        };
        let counts = &self.counts;
        let (count, quote) = match quote {
            Ok(quote) => (&counts.priced, Some(quote)),
            Err(Unpriced::Unknown) => (&counts.unknown, None),
            Err(Unpriced::Uncharged) => (&counts.uncharged, None),
        };
        count.fetch_add(1, Relaxed);
        if quote.is_some_and(|quote| !quote.exact) {
            counts.approximate.fetch_add(1, Relaxed);
        }
        quote
    }

    fn quote_by(&self, table: &Table, bill: &Bill<'_>) -> Result<Quote, Unpriced> {
        let mut providers = self.providers.iter();
        let provider = providers.find(|(name, _)| **name == *bill.provider);
        let provider = provider.map_or(bill.provider, |(_, in_table)| in_table);
        // A model that is asked for free answers by the name of the one that is paid for.
        let free = bill.request_model.filter(|model| model.ends_with(":free"));
        let mut models = [bill.response_model, bill.request_model];
        if free.is_some() {
            models = [free, None];
        }
        let mut models = models.into_iter().flatten();
        let found = models.find_map(|model| table.find(provider, model));
        let found = found.ok_or(Unpriced::Unknown)?;
        let place = bill.server_address.and_then(Place::of_host);
        let tier = Tier::of(bill.service_tier, bill.batch);
        let charge = found
            .entry
            .charge(bill.usage, tier, bill.unix_seconds, place);
        let charge = charge.ok_or(Unpriced::Uncharged)?;
        Ok(Quote {
            usd: charge.usd,
            exact: found.exact && charge.tier_priced,
        })
    }

    /// How many keys the table has.
    pub fn len(&self) -> usize {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.len()
    }

    /// Whether the table has no keys; never, since such a table is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How calls were priced so far.
    pub fn stats(&self) -> PriceStats {
        let counts = &self.counts;
        PriceStats {
            priced: counts.priced.load(Relaxed),
            approximate: counts.approximate.load(Relaxed),
            unknown: counts.unknown.load(Relaxed),
            uncharged: counts.uncharged.load(Relaxed),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Unpriced {
    Unknown,
    Uncharged,
}

impl Price for Prices {
    fn price(&self, bill: &Bill<'_>) -> Option<f64> {
        self.quote(bill).map(|quote| quote.usd)
    }
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prices")
            .field("keys", &self.len())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A file's text, and no more of it than a table may have.
fn text(path: &Path) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the table of prices at {} cannot be read", path.display());
        Error::configuration(message).with_source(error)
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let most = LONGEST as u64 + 1;
    file.take(most)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}
