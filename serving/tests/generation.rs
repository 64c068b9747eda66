//! A model that really runs, and what is recorded of it: held against the engine's own clock and counts.

use obs_core::semconv::{gen_ai, obs};
use obs_core::{End, Key, Outcome, Parent};
use obs_llm::{Dialect, Llm, LlmOperation, ModelServer, Provider};
use obs_serving::{Answer, Asked, Engine, Inbox, Journal, Life, Step, TinyLlama};
use obs_testing::metrics::HistogramPoint;
use obs_testing::{AttrValue, Capture, CapturedRecord, assert_tree};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const SEED: u64 = 7;
const SLOTS: usize = 2;

fn model() -> TinyLlama {
    TinyLlama::seeded(SEED).expect("candle makes a model")
}

fn asked(number: usize, tokens: usize) -> Asked {
    let prompt = (0..5 + 3 * number).map(|at| ((at * 11 + number * 7) % 64) as u32);
    Asked {
        id: format!("r-{number}"),
        prompt: prompt.collect(),
        tokens,
    }
}

/// What the model says without engine and recorder.
fn alone(asked: &Asked) -> Vec<u32> {
    let model = model();
    let mut sequence = model.begin(&asked.prompt).expect("room");
    let tokens = (0..asked.tokens).map(|_| sequence.advance(&model).expect("it computes"));
    tokens.collect()
}

/// By the machine's clock: what it says is to be compared with that of somebody else.
fn capture() -> Arc<Capture> {
    Arc::new(Capture::builder().with_real_clock().build())
}

fn server(capture: &Capture) -> ModelServer {
    ModelServer::new(capture.telemetry(), Provider::named("candle"), "two-layers")
        .with_dialect(Dialect::V1_41)
        .with_slots(SLOTS as u32)
}

/// What the gauges said after each step, beside the engine's own counts.
type Seen = Arc<Mutex<Vec<(Step, i64, i64, f64)>>>;

fn watched(capture: &Arc<Capture>) -> (Seen, impl FnMut(Step) + Send + 'static) {
    let seen = Seen::default();
    let (into, capture) = (seen.clone(), capture.clone());
    let watch = move |step| {
        let active = capture.in_flight(obs::LLM_SERVER_ACTIVE);
        let waiting = capture.in_flight(obs::LLM_SERVER_WAITING);
        let usage = capture.points().gauge(obs::LLM_SERVER_KV_CACHE_USAGE, &[]);
        let usage = usage.map_or(f64::NAN, |point| point.as_f64());
        into.lock().unwrap().push((step, active, waiting, usage));
    };
    (seen, watch)
}

/// A tick's length is measured, not known: a thousandth, and what a reading takes.
#[track_caller]
fn within(what: &str, seconds: f64, (least, most): (Duration, Duration)) {
    let slack = |time: f64| time * 0.001 + 0.000_05;
    let (least, most) = (least.as_secs_f64(), most.as_secs_f64());
    assert!(
        seconds >= least - slack(least) && seconds <= most + slack(most),
        "{what}: {seconds} s recorded, {least} s to {most} s by the engine's clock"
    );
}

fn sum(spans: impl Iterator<Item = (Duration, Duration)>) -> (Duration, Duration) {
    spans.fold(Default::default(), |sum: (Duration, Duration), span| {
        (sum.0 + span.0, sum.1 + span.1)
    })
}

fn record_of<'r>(records: &'r [CapturedRecord], life: &Life) -> &'r CapturedRecord {
    let mut records = records.iter();
    let is = |record: &&CapturedRecord| record.text("gen_ai.response.id") == Some(&life.id);
    records.find(is).expect("a record of each request")
}

fn seconds(record: &CapturedRecord, key: Key) -> Option<f64> {
    record.attr(key.as_str()).and_then(AttrValue::as_f64)
}

fn stage(capture: &Capture, name: &str) -> HistogramPoint {
    let of = [(obs::STAGE.as_str(), AttrValue::from(name))];
    let points = capture.points();
    let found = points.histogram(obs::LLM_SERVER_STAGE_DURATION, &of);
    found.unwrap_or_else(|| panic!("no stage {name}"))
}

/// Holds the times of each request against the journal.
#[track_caller]
fn hold_times(records: &[CapturedRecord], journal: &Journal) {
    for life in &journal.lives {
        let record = record_of(records, life);
        let Some(scheduled) = life.scheduled else {
            assert_eq!(seconds(record, obs::LLM_SERVER_QUEUE), None, "{}", life.id);
            continue;
        };
        let queue = seconds(record, obs::LLM_SERVER_QUEUE).expect("a time in the queue");
        within(
            &format!("{}: queue", life.id),
            queue,
            scheduled.since(life.asked),
        );
        let (Some(first), Some(last)) = (life.first, life.last) else {
            continue;
        };
        let parts: [(Key, (Duration, Duration)); 3] = [
            (obs::LLM_SERVER_FIRST_TOKEN, first.since(life.asked)),
            (obs::LLM_SERVER_PREFILL, first.since(scheduled)),
            (obs::LLM_SERVER_DECODE, last.since(first)),
        ];
        for (key, bounds) in parts {
            let found = seconds(record, key).expect("a time");
            within(&format!("{}: {key:?}", life.id), found, bounds);
        }
        let after = life.tokens.len() as u32 - 1;
        let (least, most) = last.since(first);
        let each = seconds(record, obs::LLM_TIME_PER_OUTPUT_TOKEN_ATTRIBUTE);
        let each = each.expect("a time per token");
        within(&life.id, each, (least / after, most / after));
    }
}

/// Holds what is counted against the journal.
#[track_caller]
fn hold_counts(capture: &Capture, journal: &Journal) {
    let written: usize = journal.lives.iter().map(|life| life.tokens.len()).sum();
    let begun = journal.lives.iter().filter(|life| life.first.is_some());
    let read: usize = begun.map(|life| life.prompt).sum();
    let total = |name| capture.in_flight(name);
    assert_eq!(total(obs::LLM_SERVER_OUTPUT_TOKENS), written as i64);
    assert_eq!(total(obs::LLM_SERVER_INPUT_TOKENS), read as i64);
    let sizes = capture.points();
    let sizes = sizes
        .histogram(obs::LLM_SERVER_BATCH_SIZE, &[])
        .expect("steps");
    let batches = || journal.steps.iter().map(|step| step.batch);
    assert_eq!(sizes.count, journal.steps.len() as u64);
    assert_eq!(sizes.sum, Some(batches().sum::<usize>() as f64));
    for (bucket, of) in [(0, 1), (1, 2)] {
        let count = batches().filter(|batch| *batch == of).count() as u64;
        assert_eq!(sizes.bucket_counts[bucket], count, "steps of {of}");
    }
    for gauge in [obs::LLM_SERVER_ACTIVE, obs::LLM_SERVER_WAITING] {
        assert_eq!(total(gauge), 0, "{gauge}");
    }
    assert_eq!(total(obs::LLM_ANOMALIES), 0);
}

/// After each step the gauges said what the engine knew.
#[track_caller]
fn hold_gauges(seen: &Seen) {
    for (step, active, waiting, usage) in seen.lock().unwrap().iter() {
        let counts = (*active, *waiting);
        assert_eq!(
            counts,
            (step.active as i64, step.waiting as i64),
            "{step:?}"
        );
        let held = step.held as f64 / step.room as f64;
        assert_eq!(*usage, held, "{step:?}");
    }
}

fn answers(inbox: &Inbox, all: &[Asked]) -> Vec<Answer> {
    all.iter()
        .map(|asked| inbox.ask(asked.clone(), Parent::Root))
        .collect()
}

#[test]
fn the_cache_changes_nothing_of_what_the_model_says() {
    let (model, asked) = (model(), asked(2, 12));
    let mut text = asked.prompt.clone();
    for token in alone(&asked) {
        assert_eq!(token, model.follows(&text).expect("it computes"));
        text.push(token);
    }
    let differ: std::collections::HashSet<_> = text[asked.prompt.len()..].iter().collect();
    assert!(
        differ.len() > 3,
        "a model that repeats itself shows nothing: {text:?}"
    );
}

#[test]
fn what_is_recorded_of_requests_is_what_the_engine_did() {
    let capture = capture();
    let (seen, watch) = watched(&capture);
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, watch);
    let all: Vec<Asked> = (0..6).map(|number| asked(number, 6 + 4 * number)).collect();
    let answers = answers(&inbox, &all);
    assert_eq!(capture.in_flight(obs::LLM_SERVER_WAITING), 6);
    drop(inbox);
    let running = engine.start();
    let answers: Vec<_> = answers.into_iter().map(Answer::rest).collect();
    let journal = running.join().expect("the engine ends");

    let expect: Vec<_> = all.iter().map(alone).collect();
    assert_eq!(answers, expect, "watched or not, the model says the same");
    let records = capture.records();
    assert_eq!(records.len(), 6);
    hold_times(&records, &journal);
    hold_counts(&capture, &journal);
    hold_gauges(&seen);

    for (asked, answer) in all.iter().zip(&answers) {
        let life = { journal.lives.iter() }.find(|life| life.id == asked.id);
        let record = record_of(&records, life.expect("each is in the journal"));
        assert_eq!(record.name, "text_completion two-layers");
        assert_eq!(record.outcome, Outcome::ANSWERED);
        let count = |key| record.attr(key).and_then(AttrValue::as_i64);
        let (input, output) = (asked.prompt.len() as i64, answer.len() as i64);
        assert_eq!(count("gen_ai.usage.input_tokens"), Some(input));
        assert_eq!(count("gen_ai.usage.output_tokens"), Some(output));
    }

    // The metrics say of all what the spans say of each.
    let lives = || journal.lives.iter();
    let first = |life: &Life| life.first.expect("a first token");
    let scheduled = |life: &Life| life.scheduled.expect("a slot");
    let parts: [(HistogramPoint, &str, (Duration, Duration)); 4] = [
        (
            point(&capture, gen_ai::SERVER_TIME_TO_FIRST_TOKEN),
            "time to the first token",
            sum(lives().map(|life| first(life).since(life.asked))),
        ),
        (
            stage(&capture, "queue"),
            "queue",
            sum(lives().map(|life| scheduled(life).since(life.asked))),
        ),
        (
            stage(&capture, "prefill"),
            "prefill",
            sum(lives().map(|life| first(life).since(scheduled(life)))),
        ),
        (
            stage(&capture, "decode"),
            "decode",
            sum(lives().map(|life| life.last.unwrap().since(first(life)))),
        ),
    ];
    for (point, what, bounds) in parts {
        assert_eq!(point.count, 6, "{what}");
        within(what, point.sum.expect("a sum"), bounds);
    }
    assert_eq!(
        point(&capture, gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).count,
        6
    );
}

#[track_caller]
fn point(capture: &Capture, name: &str) -> HistogramPoint {
    let found = capture.points().histogram(name, &[]);
    found.unwrap_or_else(|| panic!("no point of {name}"))
}

#[test]
fn who_finds_no_slot_waits_until_one_is_free() {
    let capture = capture();
    let (seen, watch) = watched(&capture);
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, watch);
    // Two that are long, and one that has to wait for the shorter of them.
    let all = [asked(0, 20), asked(1, 8), asked(2, 4)];
    let answers = answers(&inbox, &all);
    drop(inbox);
    let running = engine.start();
    answers.into_iter().for_each(|answer| drop(answer.rest()));
    let journal = running.join().expect("the engine ends");
    let life = |number: usize| {
        let mut lives = journal.lives.iter();
        lives.find(|life| life.id == format!("r-{number}")).unwrap()
    };
    let records = capture.records();
    let queue =
        |number| seconds(record_of(&records, life(number)), obs::LLM_SERVER_QUEUE).expect("a time");
    let (waited, _) = life(1).last.unwrap().since(life(2).asked);
    assert!(queue(2) >= waited.as_secs_f64() * 0.999, "{} s", queue(2));
    assert!(queue(0) < queue(2) && queue(1) < queue(2));
    let steps = seen.lock().unwrap();
    let waiting: Vec<_> = steps.iter().map(|(_, _, waiting, _)| *waiting).collect();
    drop(steps);
    let expect = [vec![1; 8], vec![0; 12]].concat();
    assert_eq!(
        waiting, expect,
        "one waits for as long as both slots are taken"
    );
    hold_gauges(&seen);
}

#[test]
fn the_cache_fills_and_is_empty_again() {
    let capture = capture();
    let (seen, watch) = watched(&capture);
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, watch);
    let all = [asked(0, 10), asked(1, 14)];
    let answers = answers(&inbox, &all);
    drop(inbox);
    let running = engine.start();
    answers.into_iter().for_each(|answer| drop(answer.rest()));
    drop(running.join().expect("the engine ends"));
    hold_gauges(&seen);
    let steps = seen.lock().unwrap();
    let usage: Vec<f64> = steps.iter().map(|(_, _, _, usage)| *usage).collect();
    drop(steps);
    let room = (SLOTS * model().longest()) as f64;
    // Both prompts, and a token of each more with every step, until the shorter is done: 5 and 8 at first.
    for (step, found) in usage.iter().enumerate().take(9) {
        assert_eq!(*found, (13 + 2 * step) as f64 / room, "step {step}");
    }
    assert_eq!(usage[9], (8 + 9) as f64 / room, "the shorter is gone");
    assert_eq!(usage.last(), Some(&0.0));
}

#[test]
fn whoever_goes_away_cancels_what_waits_for_them_and_what_runs() {
    const READ: usize = 4;
    let capture = capture();
    let (seen, mut watch) = watched(&capture);
    let (gone, is_gone) = mpsc::channel::<()>();
    let mut steps = 0;
    let watch = move |step| {
        watch(step);
        steps += 1;
        // Whoever reads is as slow as the machine has it: the engine waits for them here, and nowhere else.
        if steps == READ {
            is_gone.recv().expect("they go away");
        }
    };
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, watch);
    let running = inbox.ask(asked(0, 60), Parent::Root);
    let whole = inbox.ask(asked(1, 30), Parent::Root);
    let queued = inbox.ask(asked(2, 5), Parent::Root);
    drop(inbox);
    let engine = engine.start();
    for _ in 0..READ {
        running.next().expect("a token");
    }
    drop((running, queued));
    gone.send(()).expect("the engine waits");
    assert_eq!(whole.rest().len(), 30);
    let journal = engine.join().expect("the engine ends");
    let records = capture.records();
    hold_times(&records, &journal);
    hold_counts(&capture, &journal);
    hold_gauges(&seen);
    for life in &journal.lives {
        let record = record_of(&records, life);
        let (end, error) = match life.complete {
            true => (End::Answered, None),
            false => (End::Cancelled, Some("cancelled")),
        };
        assert_eq!(record.outcome.end(), end, "{}", life.id);
        assert_eq!(record.error_type(), error, "{}", life.id);
    }
    let first = point(&capture, gen_ai::SERVER_TIME_TO_FIRST_TOKEN);
    assert_eq!(first.count, 1, "of the one that was answered");
    let tokens = |id: &str| {
        let mut lives = journal.lives.iter();
        lives.find(|life| life.id == id).unwrap().tokens.len()
    };
    // The token that nobody took was written all the same.
    assert_eq!((tokens("r-0"), tokens("r-2")), (READ + 1, 0));
}

#[test]
fn a_text_that_is_too_long_for_the_model_fails_where_candle_fails() {
    let capture = capture();
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, |_| {});
    let longest = model().longest();
    let too_long = Asked {
        prompt: vec![1; longest + 1],
        ..asked(0, 4)
    };
    let grows = Asked {
        prompt: vec![1; longest - 3],
        ..asked(1, 30)
    };
    let answers = [too_long, grows].map(|asked| inbox.ask(asked, Parent::Root));
    drop(inbox);
    let running = engine.start();
    let [none, some] = answers.map(Answer::rest);
    let journal = running.join().expect("the engine ends");
    assert_eq!((none.len(), some.len()), (0, 4));
    for record in capture.records() {
        assert_eq!(record.error_type(), Some("model_error"));
    }
    assert_eq!(capture.count(gen_ai::SERVER_REQUEST_DURATION), 2);
    assert_eq!(capture.count(gen_ai::SERVER_TIME_TO_FIRST_TOKEN), 0);
    hold_counts(&capture, &journal);
}

#[test]
fn a_request_is_the_child_of_the_call_that_asks_for_it() {
    let capture = capture();
    let (engine, inbox) = Engine::new(model(), &server(&capture), SLOTS, |_| {});
    let running = engine.start();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let mut call = llm.call_of(
        LlmOperation::TextCompletion,
        &Provider::named("candle"),
        Parent::Root,
    );
    let parent = call.handle().expect("it records");
    let begin = Instant::now();
    let answer = inbox.ask(asked(0, 6), Parent::Operation(&parent));
    assert_eq!(answer.rest(), alone(&asked(0, 6)));
    let took = begin.elapsed();
    call.end();
    drop(inbox);
    running.join().expect("the engine ends");
    assert_tree(
        capture.tree().without_attributes(),
        r#"
        trace 1
          text_completion [client]
            text_completion two-layers [server]
        "#,
    );
    let records = capture.records();
    let served = { records.iter() }.find(|record| record.descriptor == "llm.server");
    let served = served.expect("the server's side");
    let first = seconds(served, obs::LLM_SERVER_FIRST_TOKEN).expect("a first token");
    assert!(first < took.as_secs_f64(), "{first} s of {took:?}");
}
