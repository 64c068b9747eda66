//! That the checks can fail: evidence that was falsified in one place, for every call and every thing that is held equal.

use crate::Result;
use crate::agree::{Evidence, Timing};
use crate::load::{Ended, Saw};
use crate::ours::Told;
use std::collections::BTreeMap;
use std::time::Duration;

/// A falsehood about a call; `None` where it would be none.
type Lie = fn(&mut Told, &mut Saw) -> Option<()>;

/// A falsehood about all of them.
type LieOfAll = fn(&mut Evidence);

const LIES: &[(&str, Lie)] = &[
    ("one token more", |told, _| {
        told.output.as_mut().map(|it| *it += 1)
    }),
    ("one token less read", |told, _| {
        told.input.as_mut().map(|it| *it -= 1)
    }),
    ("one token more from a cache", |told, _| {
        told.cached.as_mut().map(|it| *it += 1)
    }),
    ("no tokens", |told, _| told.input.take().map(drop)),
    ("a chunk lost", |told, _| {
        told.chunks = told.chunks.checked_sub(1)?;
        Some(())
    }),
    ("two chunks more", |told, _| {
        told.chunks += 2;
        Some(())
    }),
    ("2 ms later", |told, _| {
        told.first_chunk.as_mut().map(|it| *it += 0.002)
    }),
    ("2 ms earlier", |told, _| {
        told.first_chunk.as_mut().map(|it| *it -= 0.002)
    }),
    ("no first chunk", |told, _| {
        told.first_chunk.take().map(drop)
    }),
    ("another reason", |told, _| {
        told.finish.last_mut().map(|it| it.push('x'))
    }),
    ("another id", |told, _| {
        told.id.as_mut().map(|it| it.push('x'))
    }),
    ("no id", |told, _| told.id.take().map(drop)),
    ("another model", |told, _| {
        told.model.as_mut().map(|it| it.push('x'))
    }),
    ("another ending", |told, _| {
        told.error = match told.error {
            None => Some("cancelled".to_owned()),
            Some(_) => None,
        };
        Some(())
    }),
    ("a millisecond more of reading", |told, _| {
        told.reading.as_mut().map(|it| *it += 0.001)
    }),
    ("a byte changed", |_, saw| {
        let at = saw.body.len().checked_sub(1)?;
        saw.body[at] ^= 1;
        Some(())
    }),
    ("a byte lost", |_, saw| {
        (saw.ended == Ended::Whole).then_some(())?;
        saw.body.pop().map(drop)
    }),
];

/// Tells each lie, and gives back how many were told.
pub(crate) fn all(truth: &Evidence) -> Result<usize> {
    let (mut told, mut believed) = (0, Vec::new());
    for saw in &truth.saw {
        let number = saw.case.number;
        for (name, lie) in LIES {
            let mut told_of = truth.told[&number].clone();
            let mut saw = saw.clone();
            let late = truth.timing_of(&saw) == Timing::Late;
            if late && name.contains("2 ms") || lie(&mut told_of[0], &mut saw).is_none() {
                continue;
            }
            let evidence = truth.about(number, told_of);
            told += 1;
            if evidence.wrong_of(&saw).is_empty() {
                believed.push(format!("{number}: {name}"));
            }
        }
        // One that is as late for us as for its caller says nothing, and is measured again.
        if let Timing::After(_) = truth.timing_of(saw) {
            let (mut told_of, mut saw) = (truth.told[&number].clone(), saw.clone());
            told_of[0].first_chunk = told_of[0].first_chunk.map(|it| it + 0.002);
            saw.first_content = saw.first_content.map(|it| it + Duration::from_millis(2));
            told += 1;
            if truth.about(number, told_of).timing_of(&saw) != Timing::Late {
                believed.push(format!("{number}: late"));
            }
        }
        let twice = [truth.told[&number].clone(), truth.told[&number].clone()].concat();
        for spans in [Vec::new(), twice] {
            told += 1;
            if truth.about(number, spans).wrong_of(saw).is_empty() {
                believed.push(format!("{number}: none or two"));
            }
        }
    }
    let totals: &[(&str, LieOfAll)] = &[
        ("a call more", |it| it.totals.calls += 1),
        ("a cut less", |it| {
            *it.totals.errors.entry("cancelled".into()).or_default() -= 1
        }),
        ("an error more", |it| {
            *it.totals.errors.entry("500".into()).or_default() += 1
        }),
        ("a first chunk less", |it| it.totals.first_chunks -= 1),
        ("a gap less", |it| it.totals.gaps -= 1),
        ("a token more", |it| it.totals.output += 1),
        ("a token less read", |it| it.totals.input -= 1),
        ("a call with tokens less", |it| it.totals.counted -= 1),
        ("one in flight", |it| it.totals.in_flight += 1),
        ("an anomaly", |it| {
            *it.totals.anomalies.entry("cut".into()).or_default() += 1
        }),
        ("a token more of the engine", |it| {
            it.engine.written += 1;
            it.scraped.written += 1;
        }),
        ("a token less read by the engine", |it| {
            it.engine.read -= 1;
            it.scraped.read -= 1;
        }),
        ("a token more of the engine's cache", |it| {
            it.engine.cached += 1;
            it.scraped.cached += 1;
        }),
        ("a token more for a cut one", |it| {
            let cut = it.saw.iter_mut().find_map(|saw| saw.spent.as_mut());
            if let Some(spent) = cut {
                spent.written += 1;
            }
        }),
        ("a token more of the scraper's", |it| {
            it.scraped.written += 1
        }),
        ("a token less read of the scraper's", |it| {
            it.scraped.read -= 1
        }),
        ("a case less", |it| drop(it.saw.pop())),
    ];
    for (name, lie) in totals {
        let mut evidence = truth.clone();
        lie(&mut evidence);
        told += 1;
        if evidence.wrong_totals().is_empty() {
            believed.push(format!("all: {name}"));
        }
    }
    match believed.is_empty() {
        true => Ok(told),
        false => Err(format!("believed: {}", believed.join("; ")).into()),
    }
}

impl Evidence {
    /// The same, with other spans of one call, and no other call.
    fn about(&self, number: u64, told: Vec<Told>) -> Self {
        Self {
            saw: Vec::new(),
            relay: self
                .relay
                .get(&number)
                .map(|it| (number, it.clone()))
                .into_iter()
                .collect(),
            told: BTreeMap::from([(number, told)]),
            totals: self.totals.clone(),
            engine: self.engine,
            scraped: self.scraped,
        }
    }
}
