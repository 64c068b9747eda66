//! What calls cost, by tables of prices in LiteLLM's format.

mod allocations;
mod calls;
mod charges;
mod load;
mod lookup;
mod oracle;
mod published;
mod reload;
mod support;
