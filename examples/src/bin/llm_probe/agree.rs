//! What we say, what the relay saw, what the caller had and what the engine counted: held against each other.

use crate::engine::Account;
use crate::load::{Ended, Saw};
use crate::ours::{Told, Totals};
use crate::plain::{Exchange, Heard};
use crate::plan::RESPONSES;
use std::collections::BTreeMap;

/// All that is known after a run, by the numbers of its cases.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) saw: Vec<Saw>,
    pub(crate) relay: BTreeMap<u64, Exchange>,
    pub(crate) told: BTreeMap<u64, Vec<Told>>,
    pub(crate) totals: Totals,
    pub(crate) engine: Account,
    /// The same, as our scraper has it.
    pub(crate) scraped: Account,
}

/// What two clocks may differ by, in seconds.
const CLOSE: f64 = 0.001;
/// What reading two clocks one after the other costs, and what they drift apart.
const CLOCKS: f64 = 0.000_02;

/// What a time to the first chunk says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Timing {
    /// There is none, and none to be.
    Absent,
    /// As much after the relay's.
    After(f64),
    /// The caller's own time is so much after the relay's that the machine was elsewhere between. It says nothing.
    Late,
    Wrong,
}

/// The time between the relay's reads lies within ours, as the request reaches it later and the answer earlier; ours lies
/// within the caller's. Where the outer two are close, ours is close to both.
pub(crate) fn timing(saw: &Saw, exchange: Option<&Exchange>, told: &Told) -> Timing {
    let outer = saw.first_content.map(|it| it.as_secs_f64());
    let inner = exchange.and_then(Exchange::first_content);
    let (ours, inner, outer) = match (told.first_chunk, inner, outer) {
        (None, _, None) => return Timing::Absent,
        (Some(ours), Some(inner), Some(outer)) => (ours, inner.as_secs_f64(), outer),
        _ => return Timing::Wrong,
    };
    let drift = CLOCKS + outer * 0.000_1;
    if ours < inner - drift || ours > outer + drift {
        return Timing::Wrong;
    }
    match outer - inner <= CLOSE {
        true => Timing::After(ours - inner),
        false => Timing::Late,
    }
}

impl Evidence {
    /// What one call and its readers do not agree about.
    pub(crate) fn wrong_of(&self, saw: &Saw) -> Vec<String> {
        let number = saw.case.number;
        let exchange = self.relay.get(&number);
        let told = match self.told.get(&number).map(Vec::as_slice) {
            Some([told]) => told,
            other => {
                return vec![format!(
                    "{number}: {} spans",
                    other.unwrap_or_default().len()
                )];
            }
        };
        let mut wrong = Vec::new();
        wrong.extend(bytes(saw, exchange));
        let heard = &saw.heard;
        let mut hold = |what: &str, same: bool| {
            if !same {
                wrong.push(what.to_owned());
            }
        };
        let timing = timing(saw, exchange, told);
        hold("time to the first chunk", timing != Timing::Wrong);
        hold("chunks", chunks(saw).contains(&told.chunks));
        hold("input", told.input == heard.input);
        hold("output", told.output == heard.output);
        hold("cached", told.cached == heard.cached);
        hold("id", told.id == heard.id);
        hold("model", told.model == heard.model);
        // What never left told nobody.
        let left = exchange.is_some() || told.asked_model.is_some();
        hold(
            "request",
            left || saw.ended == Ended::Dropped && saw.status.is_none(),
        );
        hold(
            "model asked for",
            !left || told.asked_model.as_deref() == saw.case.body["model"].as_str(),
        );
        hold("streamed", !left || told.streamed == saw.case.is_streamed());
        hold("ending", ending(saw, told.error.as_deref()));
        let finish = match told.error {
            None => heard.finish.clone(),
            Some(_) => vec!["error".to_owned()],
        };
        hold("finish", told.finish == finish);
        // What stands in an event that was cut, we may have read. In Responses they stand beside the response.
        let same = |ours: Option<f64>, engine: Option<f64>| match (ours, engine) {
            (Some(ours), Some(ms)) => (ours - ms / 1e3).abs() < 1e-6,
            (ours, engine) => ours.is_none() == engine.is_none(),
        };
        let heard_all = !heard.cut && saw.case.path != RESPONSES;
        hold(
            "reading",
            !heard_all || same(told.reading, heard.reading_ms),
        );
        hold(
            "writing",
            !heard_all || same(told.writing, heard.writing_ms),
        );
        // The engine agrees with itself.
        if let (Some(input), Some(spent)) = (heard.input, &heard.told) {
            hold("tokens of the engine", spent.read + spent.cached == input);
        }
        let told = format!("{told:?}");
        let describe = |what| {
            format!(
                "{number}: {what}: {:?} {:?} {told} {heard:?}",
                saw.case.cut, saw.ended
            )
        };
        wrong.into_iter().map(describe).collect()
    }

    /// What the totals do not agree about.
    pub(crate) fn wrong_totals(&self) -> Vec<String> {
        let (saw, totals) = (&self.saw, &self.totals);
        let count = |of: &dyn Fn(&&Saw) -> bool| saw.iter().filter(of).count() as u64;
        let sum = |of: &dyn Fn(&Heard) -> Option<u64>| {
            saw.iter().filter_map(|saw| of(&saw.heard)).sum::<u64>()
        };
        let mut wrong = Vec::new();
        let mut hold = |what: &str, same: bool| {
            if !same {
                wrong.push(format!("all: {what}: {totals:?}"));
            }
        };
        hold("calls", totals.calls == saw.len() as u64);
        let dropped = count(&|saw| saw.ended == Ended::Dropped);
        hold(
            "cancelled",
            totals.errors.get("cancelled") == Some(&dropped),
        );
        let failed = count(&|saw| saw.status.is_some_and(|status| status >= 400));
        hold(
            "failed",
            totals.errors.values().sum::<u64>() == dropped + failed,
        );
        let first = count(&|saw| saw.first_content.is_some());
        hold("first chunks", totals.first_chunks == first);
        let streams = || saw.iter().filter(|saw| saw.first_content.is_some());
        let least: u64 = streams().map(|saw| chunks(saw).start() - 1).sum();
        let most: u64 = streams().map(|saw| chunks(saw).end() - 1).sum();
        hold("gaps", (least..=most).contains(&totals.gaps));
        hold("input", totals.input == sum(&|heard| heard.input));
        hold("output", totals.output == sum(&|heard| heard.output));
        hold(
            "calls with tokens",
            totals.counted == count(&|saw| saw.heard.input.is_some()),
        );
        hold("in flight", totals.in_flight == 0);
        let silent = count(&|saw| {
            saw.ended == Ended::Whole && saw.status == Some(200) && saw.heard.input.is_none()
        });
        let missing = totals
            .anomalies
            .get("usage_missing")
            .copied()
            .unwrap_or_default();
        hold("usage that is missing", missing == silent);
        let others = totals.anomalies.keys().filter(|it| *it != "usage_missing");
        hold("anomalies", others.count() == 0);
        let spent = saw
            .iter()
            .filter_map(|saw| saw.spent.or_else(|| saw.heard.spent()));
        let spent = spent.fold(Account::default(), Account::and);
        if spent != self.engine {
            wrong.push(format!(
                "the engine counted {:?}, and told {spent:?}",
                self.engine
            ));
        }
        if self.scraped != self.engine {
            wrong.push(format!(
                "the engine counted {:?}, and the scraper {:?}",
                self.engine, self.scraped
            ));
        }
        wrong
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<_> = self.saw.iter().flat_map(|saw| self.wrong_of(saw)).collect();
        wrong.extend(self.wrong_totals());
        wrong
    }

    pub(crate) fn timing_of(&self, saw: &Saw) -> Timing {
        match self.told.get(&saw.case.number).map(Vec::as_slice) {
            Some([told]) => timing(saw, self.relay.get(&saw.case.number), told),
            _ => Timing::Wrong,
        }
    }
}

/// Nothing is changed on the way: a whole answer is what the relay passed on, one that was cut is how that begins.
fn bytes(saw: &Saw, exchange: Option<&Exchange>) -> Option<String> {
    let answer = exchange.and_then(|exchange| exchange.answer.as_ref());
    let sent = exchange
        .is_none_or(|exchange| exchange.asked == saw.case.body && exchange.path == saw.case.path);
    let same = match (&saw.ended, answer) {
        (Ended::Failed(_), _) => false,
        (Ended::Dropped, None) => saw.body.is_empty(),
        (Ended::Dropped, Some(answer)) => answer.body.starts_with(&saw.body),
        (Ended::Whole, None) => false,
        (Ended::Whole, Some(answer)) => {
            answer.whole
                && answer.body == saw.body
                && answer.heard == saw.heard
                && Some(answer.status) == saw.status
        }
    };
    (!same || !sent).then(|| "bytes".to_owned())
}

/// How many chunks with content we may say there were: an event that was cut may count.
fn chunks(saw: &Saw) -> std::ops::RangeInclusive<u64> {
    let chunks = saw.heard.content.len() as u64;
    // An answer in one piece has none.
    if !saw.case.is_streamed() {
        return 0..=0;
    }
    chunks..=chunks + u64::from(saw.heard.cut)
}

fn ending(saw: &Saw, error: Option<&str>) -> bool {
    match (&saw.ended, saw.status) {
        (Ended::Whole, Some(200)) => error.is_none() && saw.heard.done,
        // What the answer says of it, or its status.
        (Ended::Whole, Some(status)) => {
            saw.heard.error.is_some()
                && (error == saw.heard.error.as_deref()
                    || error == Some(status.to_string().as_str()))
        }
        (Ended::Dropped, _) => error == Some("cancelled"),
        _ => false,
    }
}
