//! What calls cost, by a table of prices in LiteLLM's format.
//!
//! No table is compiled in: prices change by the week, and one that is as old as a binary is wrong. Load LiteLLM's
//! `model_prices_and_context_window.json`, or a table of your own in its format, and load it again when it changed:
//! [`Prices::reload_file`] replaces it while calls are priced.
//!
//! **A cost is what is known, or nothing.** A model that is not in the table has no cost, never zero, and is counted. A model
//! whose price is zero costs zero. What a table prices by other units than tokens (images, seconds, searches, pages) or by what
//! no answer tells (a FedRAMP surcharge) is not in a cost; [`LoadReport`] says which fields those were.
//!
//! **Which price.** The model that answered is looked up, then the one that was asked for: under the provider's name in the table
//! and without it, as LiteLLM does (`azure/gpt-4o`, `gemini/gemini-2.5-pro`, `us.anthropic.claude-sonnet-4-5-…`), and only among
//! that provider's entries. Where the table has no entry for a dated name (`gpt-4o-2024-08-06`), a release (`…-001`) or a region
//! of Amazon's, the undated model's is taken, and [`Quote::exact`] says so.
//!
//! **Arithmetic.** Tokens read from and written to caches are parts of the input and are taken out of it before the rest is
//! charged; tokens kept for an hour are part of those written; reasoning is part of the output. Sound and images have prices of
//! their own where the table does. A part without a price of its own costs as its whole; LiteLLM charges nothing for such parts
//! of the input. Prices above a threshold (`…_above_200k_tokens`) hold for the whole call, by its total input; those of tiers
//! (`…_priority`, `…_flex`, `…_batches`) by the tier that served. Prices by the hour are in force when the call's time is known, and OpenAI's and
//! Vertex AI's surcharges for a region when its host is.
//! Sums are in binary floating point: of a cost below 100 dollars, the picodollars are exact.
//!
//! **What it takes.** With LiteLLM's own table of October 2026 (4,878 entries, 3.4 MiB) a look-up and its arithmetic take 0.1 to
//! 0.4 microseconds, once for each call, and allocate nothing. Reading the table takes some 20 milliseconds; it holds about
//! 4 MiB.

mod entry;
mod field;
mod load;
mod name;
mod off_peak;
mod place;
mod prices;
mod report;
mod table;

pub use prices::{PriceStats, Prices, Quote};
pub use report::{BadEntry, LoadReport};
