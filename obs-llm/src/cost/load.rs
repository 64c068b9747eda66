//! Reads a table in LiteLLM's format: one JSON object, an entry for each model.

use super::entry::{Entry, RATES, Rates, Scheme};
use super::field::{Field, Rate, Tier};
use super::name::KEY;
use super::off_peak::{self, OffPeak, UNCHANGED, Window};
use super::place::Uplift;
use super::report::LoadReport;
use super::table::Table;
use obs_core::Error;
use serde_core::Deserializer;
use serde_core::de::{MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The longest text that is read, in bytes: twenty times LiteLLM's own.
pub(super) const LONGEST: usize = 64 << 20;

/// Entries that are about the table, not of a model.
const ABOUT: [&str; 2] = ["sample_spec", "fallback_generalizations"];

/// More than a dollar for a token is a price for a million of them, in the wrong field.
const DEAREST: f64 = 1.0;

/// The most prices that an entry may have, and the most ranges: four times what the longest of LiteLLM's has. All their
/// combinations are worked out when a table is read.
const PRICES: usize = 256;

/// How deep names of names may go.
const ALIASES: usize = 8;

/// What a price is of, from how many tokens of input on, in which tier.
type Price = (Rate, u64, Tier, f64);

pub(super) fn load(text: &str) -> Result<(Table, LoadReport), Error> {
    if text.len() > LONGEST {
        return Err(Error::configuration(
            "the table of prices is longer than 64 MiB",
        ));
    }
    let mut loading = Loading::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = (&mut json)
        .deserialize_map(&mut loading)
        .and_then(|()| json.end());
    read.map_err(|error| {
        Error::configuration("the table of prices is not a JSON object").with_source(error)
    })?;
    loading.resolve();
    match loading.report.models {
        0 => Err(Error::configuration(
            "the table of prices has no model with a price for tokens",
        )),
        _ => Ok((loading.table, loading.report)),
    }
}

#[derive(Default)]
struct Loading {
    table: Table,
    report: LoadReport,
    aliases: Vec<(String, String)>,
}

impl<'de> Visitor<'de> for &mut Loading {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<Value>()?;
            if ABOUT.contains(&key.as_str()) {
                continue;
            }
            if let Err(reason) = self.entry(&key, value) {
                self.report.bad(&key, &reason);
            }
        }
        Ok(())
    }
}

impl Loading {
    fn entry(&mut self, key: &str, value: Value) -> Result<(), String> {
        let Value::Object(fields) = value else {
            return Err("is not an object".into());
        };
        if key.is_empty() || key.len() > KEY {
            return Err(format!("its name is empty or longer than {KEY} bytes"));
        }
        if let Some(of) = fields.get("alias_of") {
            let of = of.as_str().ok_or("alias_of is not a text")?;
            self.aliases.push((key.to_owned(), of.to_owned()));
            return Ok(());
        }
        let provider = match fields.get("litellm_provider") {
            None | Some(Value::Null) => "",
            Some(provider) => provider.as_str().ok_or("litellm_provider is not a text")?,
        };
        let prices = self.prices(&fields)?;
        let schemes = match self.tiered(&fields, &prices)? {
            Some(schemes) => schemes,
            None => schemes(&prices),
        };
        let per_token = |scheme: &Scheme| {
            scheme
                .rates
                .iter()
                .take(Rate::Request as usize)
                .any(|rate| !rate.is_nan())
        };
        let by_tokens = schemes.iter().any(per_token);
        let entry = Entry {
            schemes,
            // xAI charges the dearer price from the threshold on; the others above it.
            inclusive: provider == "xai",
            off_peak: self.off_peak(&fields)?.map(Box::new),
            uplift: uplift(&fields)?.map(Box::new),
        };
        match by_tokens {
            true => self.report.models += 1,
            false => self.report.other_units += 1,
        }
        self.table.insert(key, provider, entry);
        Ok(())
    }

    fn prices(&mut self, fields: &Map<String, Value>) -> Result<Vec<Price>, String> {
        let mut prices = Vec::new();
        for (name, value) in fields {
            match Field::of(name) {
                Field::Price { rate, above, tier } => {
                    if let Some(price) = price(name, value)? {
                        prices.push((rate, above, tier, price));
                    }
                    if prices.len() > PRICES {
                        return Err(format!("it has more than {PRICES} prices"));
                    }
                }
                Field::Uplift(_) => {}
                // These two are read by themselves.
                Field::Unknown if matches!(name.as_str(), TIERED | OFF_PEAK) => {}
                Field::Unknown => self.report.unknown(name),
                Field::Untold => self.report.untold(name),
                Field::Other => {}
            }
        }
        Ok(prices)
    }

    /// Prices by ranges of input, one of which is in force for all of a call: `(start, end]`, and beyond the last its own.
    fn tiered(
        &mut self,
        fields: &Map<String, Value>,
        flat: &[Price],
    ) -> Result<Option<Box<[Scheme]>>, String> {
        let Some(list) = fields.get(TIERED).and_then(Value::as_array) else {
            return Ok(None);
        };
        if list.len() > PRICES {
            return Err(format!("{TIERED} has more than {PRICES} ranges"));
        }
        let output = at(flat, Rate::Output, 0, Tier::Standard);
        let mut schemes = Vec::new();
        for range in list {
            let Some(fields) = range.as_object() else {
                return Err(format!("{TIERED} holds what is not an object"));
            };
            let start = fields
                .get("range")
                .and_then(|range| range.get(0))
                .and_then(Value::as_f64);
            let mut prices = Vec::new();
            for (name, value) in fields {
                if let Field::Price {
                    rate,
                    above: 0,
                    tier: Tier::Standard,
                } = Field::of(name)
                    && let Some(price) = price(name, value)?
                {
                    prices.push((rate, 0, Tier::Standard, price));
                }
            }
            let (Some(start), Some(_)) = (start, at(&prices, Rate::Input, 0, Tier::Standard))
            else {
                // Ranges of something else than tokens.
                self.report.untold(TIERED);
                return Ok(None);
            };
            if at(&prices, Rate::Output, 0, Tier::Standard).is_none()
                && let Some(output) = output
            {
                prices.push((Rate::Output, 0, Tier::Standard, output));
            }
            schemes.push(Scheme {
                above: start as u64,
                ..scheme(&prices, Tier::Standard, 0)
            });
        }
        schemes.sort_by_key(|scheme| scheme.above);
        if let Some(first) = schemes.first_mut() {
            first.above = 0;
        }
        Ok((!schemes.is_empty()).then(|| schemes.into()))
    }

    fn off_peak(&mut self, fields: &Map<String, Value>) -> Result<Option<OffPeak>, String> {
        let Some(block) = fields.get(OFF_PEAK).and_then(Value::as_object) else {
            return Ok(None);
        };
        let mut rates = UNCHANGED;
        for (name, value) in block {
            if let Field::Price {
                rate,
                above: 0,
                tier: Tier::Standard,
            } = Field::of(name)
                && let Some(place) = rates.get_mut(rate as usize)
                && let Some(price) = price(name, value)?
            {
                *place = price;
            }
        }
        let zone = block
            .get("weekday_timezone")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (windows, ahead) = (windows(block), off_peak::ahead(zone));
        let (Some(windows), Some(ahead)) = (windows, ahead) else {
            self.report.untold(OFF_PEAK);
            return Ok(None);
        };
        Ok(Some(OffPeak {
            windows,
            rates,
            ahead,
        }))
    }

    fn resolve(&mut self) {
        let mut waiting = std::mem::take(&mut self.aliases);
        for _ in 0..ALIASES {
            let (table, report) = (&mut self.table, &mut self.report);
            waiting.retain(|(key, of)| {
                let known = table.alias(key, of);
                report.aliases += usize::from(known);
                !known
            });
        }
        for (key, of) in waiting {
            self.report
                .bad(&key, &format!("alias_of {of:?}, which is not in the table"));
        }
    }
}

/// By how much more a model costs in some places.
fn uplift(fields: &Map<String, Value>) -> Result<Option<Uplift>, String> {
    let mut uplift = None;
    for (name, value) in fields {
        if let Field::Uplift(place) = Field::of(name) {
            let factor = value
                .as_f64()
                .filter(|factor| (0.1..=10.0).contains(factor));
            let factor = factor.ok_or_else(|| format!("{name} is not a factor from 0.1 to 10"))?;
            uplift.get_or_insert([1.0; 3])[place as usize] = factor;
        }
    }
    Ok(uplift)
}

const TIERED: &str = "tiered_pricing";
const OFF_PEAK: &str = "off_peak_pricing";

/// A price in dollars: a number, or one as a text, which a table that went through YAML has.
fn price(name: &str, value: &Value) -> Result<Option<f64>, String> {
    let price = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let price = price.filter(|price| price.is_finite());
    let price = price.ok_or_else(|| format!("{name} is not a number"))?;
    if price < 0.0 {
        return Err(format!("{name} is negative"));
    }
    if price > DEAREST && !name.starts_with("input_cost_per_request") {
        return Err(format!("{name} is more than {DEAREST} dollar for a token"));
    }
    // Minus zero is a zero.
    Ok(Some(price + 0.0))
}

fn at(prices: &[Price], rate: Rate, above: u64, tier: Tier) -> Option<f64> {
    let mut prices = prices.iter();
    let here = |price: &&Price| (price.0, price.1, price.2) == (rate, above, tier);
    prices.find(here).map(|price| price.3)
}

/// All combinations of the tiers and thresholds that there are.
fn schemes(prices: &[Price]) -> Box<[Scheme]> {
    let mut tiers: Vec<_> = prices.iter().map(|price| price.2).collect();
    tiers.push(Tier::Standard);
    tiers.sort_unstable();
    tiers.dedup();
    let mut aboves: Vec<_> = prices.iter().map(|price| price.1).collect();
    aboves.push(0);
    aboves.sort_unstable();
    aboves.dedup();
    let tiers = tiers.into_iter();
    let schemes =
        tiers.flat_map(|tier| aboves.iter().map(move |&above| scheme(prices, tier, above)));
    schemes.collect()
}

/// What is in force in a tier above a threshold. A price that is not there is, as LiteLLM has it, that of the standard tier above
/// the threshold, then that of the tier, then the standard one; and if there is none at all, that of the whole it is a part of.
fn scheme(prices: &[Price], tier: Tier, above: u64) -> Scheme {
    let levels = [
        (above, tier),
        (above, Tier::Standard),
        (0, tier),
        (0, Tier::Standard),
    ];
    let level = |rate, (above, tier)| at(prices, rate, above, tier);
    let find = |rate| levels.into_iter().find_map(|here| level(rate, here));
    let output = find(Rate::Output).or_else(|| find(Rate::ImageOutput));
    // A price of output that is nearer than one of reasoning holds for reasoning, too: `gpt` in `flex` does not reason at the
    // standard price.
    let nearest = |here| level(Rate::Reasoning, here).or_else(|| level(Rate::Output, here));
    let reasoning = levels.into_iter().find_map(nearest).or(output);
    let input = find(Rate::Input);
    let write = find(Rate::CacheWrite).or(input);
    let mut rates: Rates = [f64::NAN; RATES];
    let mut set = |rate: Rate, price: Option<f64>| {
        rates[rate as usize] = price.unwrap_or(f64::NAN);
    };
    set(Rate::Input, input);
    set(Rate::Output, output);
    set(
        Rate::CacheRead,
        find(Rate::CacheRead)
            .or_else(|| find(Rate::CacheHit))
            .or(input),
    );
    set(Rate::CacheWrite, write);
    set(Rate::CacheWriteHour, find(Rate::CacheWriteHour).or(write));
    set(Rate::Reasoning, reasoning);
    set(Rate::AudioInput, find(Rate::AudioInput).or(input));
    set(Rate::AudioOutput, find(Rate::AudioOutput).or(output));
    set(Rate::ImageInput, find(Rate::ImageInput).or(input));
    set(Rate::ImageOutput, find(Rate::ImageOutput).or(output));
    set(Rate::Request, Some(find(Rate::Request).unwrap_or(0.0)));
    Scheme { tier, above, rates }
}

/// `hours_utc` of every day, and `windows` with days of their own. `None` if one of them makes no sense: half of the hours would
/// be a wrong price in the other half.
fn windows(block: &Map<String, Value>) -> Option<Box<[Window]>> {
    const EVERY_DAY: u8 = 0x7f;
    let mut windows = Vec::new();
    let mut add = |hours: &Value, days: u8| {
        let one = std::slice::from_ref(hours);
        let hours = hours.as_array().map_or(one, Vec::as_slice);
        for hours in hours {
            windows.push(Window::parse(hours.as_str()?, days)?);
        }
        Some(())
    };
    if let Some(hours) = block.get("hours_utc") {
        add(hours, EVERY_DAY)?;
    }
    for rule in block
        .get("windows")
        .map_or(Some(&[][..]), |rules| Some(rules.as_array()?.as_slice()))?
    {
        let days = match rule.get("weekdays") {
            None | Some(Value::Null) => EVERY_DAY,
            Some(days) => {
                let mut days = days.as_array()?.iter();
                days.try_fold(0, |all, day| {
                    Some(all | off_peak::day(day.as_u64(), day.as_str())?)
                })?
            }
        };
        add(rule.get("hours_utc")?, days)?;
    }
    (!windows.is_empty()).then(|| windows.into())
}
