//! What is asked of the engine: answers of all lengths in each of its formats, whole and cut.

use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const COMPLETIONS: &str = "/v1/completions";
pub(crate) const RESPONSES: &str = "/v1/responses";
pub(crate) const MESSAGES: &str = "/v1/messages";
pub(crate) const PATHS: [&str; 4] = [CHAT, COMPLETIONS, RESPONSES, MESSAGES];
/// What the engine is started with.
pub(crate) const MODEL: &str = "drawn";
pub(crate) const SLOTS: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) number: u64,
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    pub(crate) cut: Option<Cut>,
    /// Where the engine is told to run it; absent: where it likes.
    pub(crate) slot: Option<usize>,
}

/// When the caller drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// While it waits for the answer's head, after as long; with the head, if that was faster.
    Waiting(Duration),
    /// With the head, before any chunk.
    AtHead,
    /// After as many chunks with content.
    After(usize),
}

impl Case {
    pub(crate) fn is_streamed(&self) -> bool {
        self.body["stream"] == true
    }

    /// The text that is sent.
    pub(crate) fn prompt(&self) -> &str {
        let body = &self.body;
        let texts = [
            &body["prompt"],
            &body["input"],
            &body["messages"][0]["content"],
        ];
        texts.iter().find_map(|it| it.as_str()).unwrap_or_default()
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }

    /// Where the answer is a call of a tool. Of Anthropic's interface the server does not take what makes it one.
    fn with_tools(self) -> Self {
        let (name, what) = (
            "look_up",
            json!({"type": "string", "enum": ["bread", "butter"]}),
        );
        let schema = json!({"type": "object", "properties": {"what": what}, "required": ["what"]});
        let tool = match self.path {
            RESPONSES => json!({"type": "function", "name": name, "parameters": schema}),
            _ => {
                let function = json!({"name": name, "parameters": schema});
                json!({"type": "function", "function": function})
            }
        };
        // The token that opens a call, by its number.
        let tools = self
            .with("tools", json!([tool]))
            .with("tool_choice", "required");
        tools.with("logit_bias", json!({"6": 60}))
    }

    fn unary(mut self) -> Self {
        self.body["stream"] = false.into();
        if let Some(body) = self.body.as_object_mut() {
            body.remove("stream_options");
        }
        self
    }

    /// Nothing of it comes from the engine's cache, so that what a cut one read is told by what its slot holds. Messages have no
    /// such switch, so they are cut after they have told.
    fn cut(self, cut: Cut) -> Self {
        let mut case = self.with("cache_prompt", false);
        case.cut = Some(cut);
        case
    }

    fn in_slot(self, slot: usize) -> Self {
        let mut case = self.with("id_slot", slot);
        case.slot = Some(slot);
        case
    }
}

/// Cases, in the order and the company in which they run.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// One after another.
    pub(crate) alone: Vec<Case>,
    /// As many at once as the engine has slots.
    pub(crate) together: Vec<Case>,
    /// Twice as many.
    pub(crate) crowded: Vec<Case>,
    /// Those that the engine refuses.
    pub(crate) refused: Vec<Case>,
    /// Cut, one after another.
    pub(crate) cut: Vec<Case>,
    /// Cut, in each slot one after another.
    pub(crate) cut_together: Vec<Case>,
    /// Each a whole one that runs in a slot, and one that is cut while it waits for that.
    pub(crate) queued: Vec<(Case, Case)>,
    cases: u64,
}

impl Plan {
    pub(crate) fn new() -> Self {
        let mut plan = Self::default();
        plan.whole();
        plan.cuts();
        plan
    }

    /// A case once more, under a number of its own.
    pub(crate) fn again(&mut self, case: &Case) -> Case {
        self.cases += 1;
        let mut again = case.clone().with("seed", self.cases);
        again.number = self.cases;
        again
    }

    fn whole(&mut self) {
        let mut alone = Vec::new();
        for words in [2, 12, 80, 300, 700] {
            for tokens in [1, 2, 16, 48, 300] {
                alone.push(self.case(CHAT, words, tokens));
            }
        }
        for path in [COMPLETIONS, RESPONSES, MESSAGES] {
            for (words, tokens) in [(2, 1), (12, 40), (12, 300), (80, 7), (300, 60), (700, 20)] {
                alone.push(self.case(path, words, tokens));
            }
        }
        for path in PATHS {
            for (words, tokens) in [(2, 1), (12, 40), (300, 300)] {
                alone.push(self.case(path, words, tokens).unary());
            }
        }
        for words in [12, 80] {
            // The second of them is in the cache.
            let first = self.case(CHAT, words, 20);
            let second = self.case(CHAT, words, 20);
            let prompt = first.body["messages"].clone();
            alone.extend([first, second.with("messages", prompt)]);
            // Chunks wait for what might be the word that ends the answer.
            let stop = json!(["bababa", " do", "zu"]);
            alone.push(self.case(CHAT, words, 300).with("stop", stop.clone()));
            alone.push(self.case(COMPLETIONS, words, 300).with("stop", stop));
            // Nobody asked for usage.
            let mut silent = self.case(CHAT, words, 30);
            if let Some(body) = silent.body.as_object_mut() {
                body.remove("stream_options");
            }
            alone.push(silent);
            alone.push(self.case(CHAT, words, 30).with("n", 2));
            for path in [CHAT, RESPONSES, MESSAGES] {
                let thinks = json!({"think": true});
                let case = self.case(path, words, 30);
                alone.push(case.with("chat_template_kwargs", thinks));
            }
            alone.push(self.case(CHAT, words, 90).with_tools());
            alone.push(self.case(RESPONSES, words, 90).with_tools());
            alone.push(self.case(CHAT, words, 90).with_tools().unary());
        }
        self.alone = alone;
        self.together = self.mixed(64);
        self.crowded = self.mixed(40);
        self.refused = vec![
            self.case(CHAT, 6_000, 10),
            self.case(CHAT, 6_000, 10).unary(),
            self.case(CHAT, 12, 10).with("messages", "none"),
            self.case(COMPLETIONS, 6_000, 10),
            self.case(RESPONSES, 6_000, 10),
            self.case(MESSAGES, 6_000, 10),
        ];
    }

    fn mixed(&mut self, count: usize) -> Vec<Case> {
        let of = |at: usize, from: &[u64]| from[at % from.len()];
        let cases = (0..count).map(|at| {
            let path = if at % 3 == 0 { PATHS[at / 3 % 4] } else { CHAT };
            let case = self.case(
                path,
                of(at, &[3, 40, 12, 150, 7]) as usize,
                of(at, &[60, 9, 300, 25]),
            );
            if at % 8 == 7 { case.unary() } else { case }
        });
        cases.collect()
    }

    fn cuts(&mut self) {
        let ms = Duration::from_millis;
        let mut cut = Vec::new();
        for after in [ms(0), ms(0), ms(1), ms(2)] {
            cut.push(self.case(CHAT, 700, 300).cut(Cut::Waiting(after)));
        }
        for (path, words) in [
            (CHAT, 700),
            (CHAT, 900),
            (COMPLETIONS, 700),
            (RESPONSES, 700),
            (RESPONSES, 500),
        ] {
            cut.push(self.case(path, words, 300).cut(Cut::AtHead));
        }
        for (at, after) in [ms(0), ms(5), ms(15), ms(30), ms(60)]
            .into_iter()
            .enumerate()
        {
            cut.push(
                self.case(PATHS[at % 3], 200, 1_500)
                    .unary()
                    .with("ignore_eos", true)
                    .cut(Cut::Waiting(after)),
            );
        }
        for (path, chunks) in [
            (CHAT, 1),
            (CHAT, 2),
            (CHAT, 5),
            (COMPLETIONS, 1),
            (COMPLETIONS, 20),
            (RESPONSES, 1),
            (RESPONSES, 9),
            (MESSAGES, 1),
            (MESSAGES, 13),
        ] {
            cut.push(
                self.case(path, 30, 500)
                    .with("ignore_eos", true)
                    .cut(Cut::After(chunks)),
            );
        }
        self.cut = cut;
        let chunks = [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200,
            250,
        ];
        let together = chunks.into_iter().enumerate().map(|(at, chunks)| {
            let case = self.case(CHAT, 20 + at, 500).with("ignore_eos", true);
            case.cut(Cut::After(chunks)).in_slot(at % SLOTS)
        });
        self.cut_together = together.collect();
        let queued = [5, 0, 5, 15, 5, 1].map(|after| {
            let holds = self.case(CHAT, 12, 600).with("ignore_eos", true).in_slot(1);
            let case = self
                .case(CHAT, 12, 100)
                .cut(Cut::Waiting(ms(after)))
                .in_slot(1);
            (holds, if after == 15 { case.unary() } else { case })
        });
        self.queued = queued.into();
    }

    fn case(&mut self, path: &'static str, words: usize, tokens: u64) -> Case {
        self.cases += 1;
        let prompt = prompt(self.cases, words);
        let messages = json!([{"role": "user", "content": prompt}]);
        let usage = json!({"include_usage": true});
        let body = match path {
            CHAT => {
                json!({"messages": messages, "max_tokens": tokens, "stream_options": usage, "timings_per_token": true})
            }
            COMPLETIONS => json!({"prompt": prompt, "max_tokens": tokens, "stream_options": usage}),
            RESPONSES => json!({"input": prompt, "max_output_tokens": tokens}),
            _ => json!({"messages": messages, "max_tokens": tokens}),
        };
        let case = Case {
            number: self.cases,
            path,
            body,
            cut: None,
            slot: None,
        };
        case.with("model", MODEL)
            .with("stream", true)
            .with("seed", self.cases)
    }
}

/// Words that no other case begins with.
fn prompt(number: u64, words: usize) -> String {
    const SYLLABLES: [&str; 8] = ["ba", "do", "fi", "gu", "ke", "la", "mo", "nu"];
    let mut state = number;
    let words = (0..words).map(|at| {
        if at == 0 {
            return number.to_string();
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let syllable = |shift: u64| SYLLABLES[(state >> shift) as usize % 8];
        format!("{}{}", syllable(40), syllable(50))
    });
    words.collect::<Vec<_>>().join(" ")
}
