//! The prices of one model, and what a call costs by them.

use super::field::{Rate, Tier};
use super::off_peak::OffPeak;
use super::place::{Place, Uplift};
use crate::usage::{Tokens, Usage};

/// How many rates a call is charged by: [`Rate::CacheHit`] is resolved before.
pub(super) const RATES: usize = Rate::CacheHit as usize;

/// Prices in dollars, by [`Rate`]; NaN where there is none. What has no price of its own has that of what it is a part of.
pub(super) type Rates = [f64; RATES];

/// The prices that are in force together.
#[derive(Debug)]
pub(super) struct Scheme {
    pub(super) tier: Tier,
    /// For calls whose input has more tokens than this; 0 is for all.
    pub(super) above: u64,
    pub(super) rates: Rates,
}

/// One model.
#[derive(Debug)]
pub(super) struct Entry {
    /// By tier, and within one by threshold; the first is the standard tier's for all calls.
    pub(super) schemes: Box<[Scheme]>,
    /// A threshold counts as passed when it is reached.
    pub(super) inclusive: bool,
    pub(super) off_peak: Option<Box<OffPeak>>,
    pub(super) uplift: Option<Box<Uplift>>,
}

/// What a call costs by an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Charge {
    pub(super) usd: f64,
    /// The tier that was asked for has prices of its own.
    pub(super) tier_priced: bool,
}

impl Entry {
    /// What these tokens cost; `None` where a price that is needed is missing, or the input was not told.
    pub(super) fn charge(
        &self,
        usage: &Usage,
        tier: Tier,
        seconds: Option<u64>,
        place: Option<Place>,
    ) -> Option<Charge> {
        let input = usage.get(Tokens::Input)?;
        let priced = |tier| self.schemes.iter().any(|scheme| scheme.tier == tier);
        let tier_priced = priced(tier);
        let tier = if tier_priced { tier } else { Tier::Standard };
        let passed = |above| match self.inclusive {
            true => input >= above,
            false => input > above || above == 0,
        };
        let passed = |scheme: &&Scheme| scheme.tier == tier && passed(scheme.above);
        let scheme = self.schemes.iter().rev().find(passed)?;
        let cheaper = self.off_peak.as_ref().zip(seconds);
        let cheaper =
            cheaper.and_then(|(off_peak, seconds)| off_peak.rates(&scheme.rates, seconds));
        let usd = cost(input, usage, cheaper.as_ref().unwrap_or(&scheme.rates));
        let uplift = self.uplift.as_ref().zip(place);
        let usd = usd * uplift.map_or(1.0, |(uplift, place)| uplift[place as usize]);
        (usd.is_finite()).then_some(Charge { usd, tier_priced })
    }
}

/// Parts are taken out of their whole, in an order: what a cache served or kept is charged as that, whatever it is of; of the
/// rest, sound and images are charged as such, and what is left is text. A part never exceeds what is left of its whole, so that
/// reports that contradict themselves are not charged twice.
fn cost(input: u64, usage: &Usage, rates: &Rates) -> f64 {
    let told = |tokens| usage.get(tokens).unwrap_or(0);
    let mut left = input;
    let mut take = |count: u64| {
        let taken = count.min(left);
        left -= taken;
        taken
    };
    let read = take(told(Tokens::CacheRead));
    let written = take(told(Tokens::CacheWrite).max(told(Tokens::CacheWriteHour)));
    let hour = told(Tokens::CacheWriteHour).min(written);
    let heard = take(told(Tokens::AudioInput));
    let seen = take(told(Tokens::ImageInput));

    let mut rest = told(Tokens::Output);
    let mut give = |count: u64| {
        let given = count.min(rest);
        rest -= given;
        given
    };
    let reasoned = give(told(Tokens::Reasoning));
    let spoken = give(told(Tokens::AudioOutput));
    let drawn = give(told(Tokens::ImageOutput));

    let lines = [
        (left, Rate::Input),
        (read, Rate::CacheRead),
        (written - hour, Rate::CacheWrite),
        (hour, Rate::CacheWriteHour),
        (heard, Rate::AudioInput),
        (seen, Rate::ImageInput),
        (rest, Rate::Output),
        (reasoned, Rate::Reasoning),
        (spoken, Rate::AudioOutput),
        (drawn, Rate::ImageOutput),
        (1, Rate::Request),
    ];
    // A price that is missing matters only where there is something to charge by it.
    let lines = lines.into_iter().filter(|&(count, _)| count > 0);
    lines
        .map(|(count, rate)| count as f64 * rates[rate as usize])
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(prices: &[(Rate, f64)]) -> Rates {
        let mut rates = [f64::NAN; RATES];
        rates[Rate::Request as usize] = 0.0;
        for &(rate, price) in prices {
            rates[rate as usize] = price;
        }
        rates
    }

    fn entry(schemes: Vec<Scheme>) -> Entry {
        Entry {
            schemes: schemes.into(),
            inclusive: false,
            off_peak: None,
            uplift: None,
        }
    }

    #[test]
    fn a_price_that_is_missing_matters_only_where_it_is_needed() {
        let rates = rates(&[(Rate::Input, 2.0)]);
        let entry = entry(vec![Scheme {
            tier: Tier::Standard,
            above: 0,
            rates,
        }]);
        let input = Usage::new().with(Tokens::Input, 3);
        let charge = |usage: &Usage| entry.charge(usage, Tier::Standard, None, None);
        assert_eq!(charge(&input).map(|charge| charge.usd), Some(6.0));
        assert_eq!(
            charge(&input.with(Tokens::Output, 0)).map(|charge| charge.usd),
            Some(6.0)
        );
        assert_eq!(charge(&input.with(Tokens::Output, 1)), None);
        assert_eq!(charge(&Usage::new().with(Tokens::Output, 0)), None);
    }

    #[test]
    fn a_tier_without_prices_is_said() {
        let standard = Scheme {
            tier: Tier::Standard,
            above: 0,
            rates: rates(&[(Rate::Input, 2.0)]),
        };
        let flex = Scheme {
            tier: Tier::Flex,
            above: 0,
            rates: rates(&[(Rate::Input, 1.0)]),
        };
        let entry = entry(vec![standard, flex]);
        let usage = Usage::new().with(Tokens::Input, 1);
        let charge = |tier| entry.charge(&usage, tier, None, None);
        assert_eq!(
            charge(Tier::Flex),
            Some(Charge {
                usd: 1.0,
                tier_priced: true
            })
        );
        assert_eq!(
            charge(Tier::Priority),
            Some(Charge {
                usd: 2.0,
                tier_priced: false
            })
        );
    }
}
