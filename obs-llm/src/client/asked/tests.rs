use super::*;

/// What is told, as text.
#[derive(Debug, Default, PartialEq)]
struct Told(Vec<String>);

impl Told {
    fn say(&mut self, what: impl fmt::Debug) {
        self.0.push(format!("{what:?}"));
    }
}

impl RequestSink for Told {
    fn model(&mut self, model: &str) {
        self.say(("model", model));
    }
    fn stream(&mut self, stream: bool) {
        self.say(("stream", stream));
    }
    fn max_tokens(&mut self, tokens: u64) {
        self.say(("max_tokens", tokens));
    }
    fn temperature(&mut self, value: f64) {
        self.say(("temperature", value));
    }
    fn top_p(&mut self, value: f64) {
        self.say(("top_p", value));
    }
    fn top_k(&mut self, value: f64) {
        self.say(("top_k", value));
    }
    fn frequency_penalty(&mut self, value: f64) {
        self.say(("frequency_penalty", value));
    }
    fn presence_penalty(&mut self, value: f64) {
        self.say(("presence_penalty", value));
    }
    fn seed(&mut self, seed: i64) {
        self.say(("seed", seed));
    }
    fn choice_count(&mut self, count: u64) {
        self.say(("choice_count", count));
    }
    fn stop_sequence(&mut self, text: &str) {
        self.say(("stop", text));
    }
    fn service_tier(&mut self, tier: &str) {
        self.say(("tier", tier));
    }
    fn reasoning_level(&mut self, level: &str) {
        self.say(("reasoning", level));
    }
    fn output_type(&mut self, kind: &'static str) {
        self.say(("output", kind));
    }
    fn encoding_format(&mut self, format: &str) {
        self.say(("encoding", format));
    }
    fn dimensions(&mut self, dimensions: u64) {
        self.say(("dimensions", dimensions));
    }
    fn previous_response(&mut self, id: &str) {
        self.say(("previous", id));
    }
    fn conversation(&mut self, id: &str) {
        self.say(("conversation", id));
    }
}

fn everything(sink: &mut impl RequestSink) {
    sink.model("größer");
    sink.stream(true);
    sink.stream(false);
    sink.max_tokens(u64::MAX);
    sink.temperature(-0.5);
    sink.top_p(f64::MIN_POSITIVE);
    sink.top_k(40.0);
    sink.frequency_penalty(1.25);
    sink.presence_penalty(-2.0);
    sink.seed(i64::MIN);
    sink.choice_count(3);
    sink.stop_sequence("");
    sink.stop_sequence("\n\n");
    sink.service_tier("flex");
    sink.reasoning_level("high");
    for kind in OUTPUTS {
        sink.output_type(kind);
    }
    sink.encoding_format("base64");
    sink.dimensions(256);
    sink.previous_response("resp_1");
    sink.conversation("conv_1");
}

#[test]
fn all_that_is_noted_is_told_again() {
    let (mut seen, mut direct, mut replayed) = (Seen::default(), Told::default(), Told::default());
    everything(&mut direct);
    everything(&mut Noting(&mut seen));
    replay(&seen.notes, &mut replayed);
    assert_eq!(replayed, direct);
}

#[test]
fn what_is_noted_has_an_end_and_each_fact_has_its_room() {
    let mut seen = Seen::default();
    let long = "x".repeat(128);
    for _ in 0..1_000 {
        Noting(&mut seen).stop_sequence(&long);
    }
    everything(&mut Noting(&mut seen));
    let mut told = Told::default();
    replay(&seen.notes, &mut told);
    assert!(told.0.contains(&r#"("conversation", "conv_1")"#.to_owned()));
    for _ in 0..1_000 {
        Noting(&mut seen).model(&long);
    }
    assert!(seen.notes.len() <= MOST, "{}", seen.notes.len());
}

#[test]
fn notes_that_are_cut_tell_what_is_whole() {
    let mut seen = Seen::default();
    everything(&mut Noting(&mut seen));
    let mut whole = Told::default();
    replay(&seen.notes, &mut whole);
    for end in 0..seen.notes.len() {
        let mut told = Told::default();
        replay(&seen.notes[..end], &mut told);
        assert!(whole.0.starts_with(&told.0), "{end}");
    }
}

#[test]
fn a_further_attempt_tells_anew_only_what_was_not_told_whole() {
    let asked = Asked::default();
    let model = |name: &'static str, read: Read| {
        move |noting: &mut Noting<'_>| {
            noting.model(name);
            read
        }
    };
    let stop = |noting: &mut Noting<'_>| {
        noting.stop_sequence("x");
        Read::Further
    };
    let (mut one, mut two, mut three) = (0, 0, 0);
    assert!(asked.note(&mut one, stop));
    assert!(asked.note(&mut two, stop));
    // The first is read no more.
    assert!(!asked.note(&mut one, stop));
    assert!(!asked.note(&mut two, model("a", Read::Whole)));
    assert!(!asked.note(&mut three, model("b", Read::Whole)));
    let mut told = Told::default();
    replay(&asked.0.lock().unwrap().notes, &mut told);
    assert_eq!(told.0, [r#"("stop", "x")"#, r#"("model", "a")"#]);
}

/// Of a request are held the text that is being read, and what its span will say until that says it.
#[test]
fn what_is_held_of_a_request_is_little() {
    use crate::wire::{RequestScanner, Wire};
    const HELD: usize = 256;
    assert!(size_of::<RequestScanner>() <= HELD);
    let usual = r#"{"model":"gpt-4o-2024-08-06","messages":[],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":64,"temperature":0.2,"top_p":0.9,"seed":7,"stop":["END"]}"#;
    let asked = Asked::default();
    let mut attempt = 0;
    asked.note(&mut attempt, |noting| {
        RequestScanner::new(Wire::OpenAiChat).feed(usual.as_bytes(), noting);
        Read::Whole
    });
    let room = |asked: &Asked| asked.0.lock().unwrap().notes.capacity();
    assert!((70..=HELD).contains(&room(&asked)), "{}", room(&asked));
    let capture = obs_testing::Capture::new();
    let llm = crate::Llm::new(capture.telemetry());
    let mut call = llm.call(crate::LlmOperation::Chat, &crate::Provider::OPENAI);
    assert!(asked.tell(&mut call));
    assert_eq!(room(&asked), 0);
}
