//! Requests that are told anything in any order: whatever it is, each is one point, the gauges say what is so, and no token is
//! lost or counted twice.

use crate::support::Rig;
use obs_core::Outcome;
use obs_core::semconv::{gen_ai, obs};
use obs_llm::InferenceRequest;
use obs_llm::server::MODEL_ERROR;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Told {
    Begin,
    Scheduled,
    Preempted,
    Prefilled(u64),
    Cached(u64),
    Tokens(u32),
    Answered,
    Failed,
    Dropped,
    Wait(u64),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        3 => Just(Told::Begin),
        3 => Just(Told::Scheduled),
        1 => Just(Told::Preempted),
        1 => (0..50_u64).prop_map(Told::Prefilled),
        1 => (0..50_u64).prop_map(Told::Cached),
        6 => (0..40_u32).prop_map(Told::Tokens),
        1 => Just(Told::Answered),
        1 => Just(Told::Failed),
        1 => Just(Told::Dropped),
        3 => (0..100_u64).prop_map(Told::Wait),
    ]
}

/// What is known of a request without looking at the recorder.
#[derive(Debug, Default)]
struct Known {
    waits: bool,
    scheduled: bool,
    told_when: bool,
    preempted: u64,
    input: u64,
    /// Since it was put back.
    read: u64,
    tokens: u64,
    batches: u64,
}

impl Known {
    /// How many of them are new.
    fn reads(&mut self, tokens: u64) -> u64 {
        if self.preempted > 0 && self.tokens > 0 {
            return 0;
        }
        self.read += tokens;
        let before = self.input;
        self.input = self.input.max(self.read);
        self.input - before
    }
}

#[derive(Debug, Default)]
struct Totals {
    ended: u64,
    first_tokens: u64,
    queues: u64,
    prefills: u64,
    decodes: u64,
    input: u64,
    cached: u64,
    output: u64,
    preempted: u64,
    out_of_order: u64,
}

struct World {
    rig: Rig,
    requests: Vec<(InferenceRequest, Known)>,
    totals: Totals,
}

impl World {
    fn tell(&mut self, which: usize, told: Told) {
        match told {
            Told::Begin => {
                let waits = Known {
                    waits: true,
                    ..Known::default()
                };
                return self.requests.push((self.rig.request(), waits));
            }
            Told::Wait(millis) => return self.rig.pass(millis),
            _ if self.requests.is_empty() => return,
            _ => {}
        }
        let which = which % self.requests.len();
        let (request, known) = &mut self.requests[which];
        let totals = &mut self.totals;
        match told {
            Told::Scheduled => {
                request.scheduled();
                totals.out_of_order += u64::from(!known.waits);
                if known.waits && !known.scheduled && known.preempted == 0 && known.tokens == 0 {
                    known.told_when = true;
                    totals.queues += 1;
                }
                known.scheduled = true;
                known.waits = false;
            }
            Told::Preempted => {
                request.preempted();
                totals.out_of_order += u64::from(known.waits);
                if !known.waits {
                    known.waits = true;
                    known.preempted += 1;
                    known.read = 0;
                    totals.preempted += 1;
                }
            }
            Told::Prefilled(tokens) => {
                request.prefilled(tokens);
                totals.input += known.reads(tokens);
            }
            Told::Cached(tokens) => {
                request.cached(tokens);
                totals.input += known.reads(tokens);
                totals.cached += if known.preempted == 0 { tokens } else { 0 };
            }
            Told::Tokens(count) => {
                request.tokens(count);
                if count > 0 {
                    totals.prefills += u64::from(known.batches == 0 && known.told_when);
                    totals.output += u64::from(count);
                    known.tokens += u64::from(count);
                    known.batches += 1;
                    known.waits = false;
                }
            }
            Told::Answered | Told::Failed | Told::Dropped => self.end(which, told),
            Told::Begin | Told::Wait(_) => unreachable!("handled above"),
        }
    }

    fn end(&mut self, which: usize, how: Told) {
        let (request, known) = self.requests.swap_remove(which);
        let totals = &mut self.totals;
        totals.ended += 1;
        totals.decodes += u64::from(known.tokens > 1);
        match how {
            Told::Answered => {
                totals.first_tokens += u64::from(known.tokens > 0);
                request.end(Outcome::ANSWERED);
            }
            Told::Failed => request.end(Outcome::failed(MODEL_ERROR)),
            _ => drop(request),
        }
    }

    fn hold_gauges(&self) {
        let waiting = self.requests.iter().filter(|(_, known)| known.waits);
        assert_eq!(self.rig.waiting(), waiting.count() as i64, "waiting");
        assert_eq!(self.rig.active(), self.requests.len() as i64, "active");
    }

    fn hold_totals(&self) {
        let (rig, totals) = (&self.rig, &self.totals);
        let stage = |stage| rig.stage(stage).map_or(0, |point| point.count);
        let count = |name| rig.capture.count(name);
        assert_eq!(count(gen_ai::SERVER_REQUEST_DURATION), totals.ended);
        assert_eq!(
            count(gen_ai::SERVER_TIME_TO_FIRST_TOKEN),
            totals.first_tokens
        );
        assert_eq!(stage("queue"), totals.queues, "queue");
        assert_eq!(stage("prefill"), totals.prefills, "prefill");
        assert_eq!(stage("decode"), totals.decodes, "decode");
        for (counter, expect) in [
            (obs::LLM_SERVER_INPUT_TOKENS, totals.input),
            (obs::LLM_SERVER_CACHED_TOKENS, totals.cached),
            (obs::LLM_SERVER_OUTPUT_TOKENS, totals.output),
            (obs::LLM_SERVER_PREEMPTIONS_METRIC, totals.preempted),
        ] {
            assert_eq!(rig.total(counter), expect as i64, "{counter}");
        }
        assert_eq!(rig.anomalies("out_of_order"), totals.out_of_order as i64);
        assert_eq!(rig.capture.records().len() as u64, totals.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_they_are_told_nothing_is_lost_or_counted_twice(
        script in prop::collection::vec((any::<usize>(), told()), 1..60),
    ) {
        let mut world = World {
            rig: Rig::new(),
            requests: Vec::new(),
            totals: Totals::default(),
        };
        for (which, told) in script {
            world.tell(which, told);
            world.hold_gauges();
        }
        while !world.requests.is_empty() {
            world.end(0, Told::Dropped);
        }
        world.hold_gauges();
        world.hold_totals();
    }
}
