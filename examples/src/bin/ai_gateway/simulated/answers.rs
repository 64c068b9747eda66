//! What a simulated server answers: whole, or piece by piece.

use super::Role;
use super::asked::{Asked, Interface};
use serde_json::{Value, json};

/// What it says, however often it is asked. A word is a token here.
const WORDS: [&str; 12] = [
    "This",
    " answer",
    " is",
    " simulated:",
    " no",
    " model",
    " has",
    " read",
    " what",
    " was",
    " asked",
    " here.",
];
/// What it tells a tool, in the pieces in which it does.
const ARGUMENTS: [&str; 4] = ["{\"simu", "lated\":", " tru", "e}"];

/// One answer.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) role: Role,
    pub(crate) asked: Asked,
}

/// What one choice consists of.
pub(crate) struct Said {
    pub(crate) pieces: Vec<&'static str>,
    pub(crate) reason: &'static str,
}

impl Answers {
    /// Each choice says as much as the other.
    pub(crate) fn said(&self) -> Said {
        if self.asked.tool.is_some() {
            return Said {
                pieces: ARGUMENTS.to_vec(),
                reason: "tool_calls",
            };
        }
        let count = self.asked.most.clamp(1, WORDS.len());
        Said {
            pieces: WORDS[..count].to_vec(),
            reason: match count < WORDS.len() {
                true => "length",
                false => "stop",
            },
        }
    }

    pub(crate) fn id(&self) -> &'static str {
        "simulated-1"
    }

    /// What answers, by name.
    pub(crate) fn model(&self) -> String {
        format!("{}-{}", self.asked.model, self.role.name())
    }

    pub(crate) fn usage(&self) -> Value {
        let read = self.asked.words;
        let written = match self.asked.interface {
            Interface::Embeddings => return json!({"prompt_tokens": read, "total_tokens": read}),
            Interface::Responses => self.said().pieces.len(),
            _ => self.said().pieces.len() * self.asked.choices,
        };
        let total = read + written;
        // The first of a prompt's words was read before, as it always is.
        let cached = usize::from(read > 0);
        match self.asked.interface {
            Interface::Responses => json!({
                "input_tokens": read, "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": total,
            }),
            _ => json!({
                "prompt_tokens": read, "completion_tokens": written, "total_tokens": total,
                "prompt_tokens_details": {"cached_tokens": cached},
            }),
        }
    }

    /// The answer to who did not ask for a stream.
    pub(crate) fn whole(&self) -> Value {
        let said = self.said();
        let text = said.pieces.concat();
        let (id, model, usage) = (self.id(), self.model(), self.usage());
        match self.asked.interface {
            Interface::Chat => {
                let message = match &self.asked.tool {
                    Some(tool) => {
                        json!({"role": "assistant", "content": null, "tool_calls": [call(tool, &text)]})
                    }
                    None => json!({"role": "assistant", "content": text, "refusal": null}),
                };
                let choices = self.choices(|index| {
                    json!({"index": index, "message": message, "finish_reason": said.reason, "logprobs": null})
                });
                json!({"id": id, "object": "chat.completion", "created": 0, "model": model, "choices": choices, "usage": usage})
            }
            Interface::Completion => {
                let choices = self.choices(
                    |index| json!({"index": index, "text": text, "finish_reason": said.reason, "logprobs": null}),
                );
                json!({"id": id, "object": "text_completion", "created": 0, "model": model, "choices": choices, "usage": usage})
            }
            Interface::Embeddings => {
                let vector = |index| json!({"object": "embedding", "index": index, "embedding": [0.5, -0.25, 0.125]});
                let vectors: Vec<_> = (0..self.asked.texts).map(vector).collect();
                json!({"object": "list", "model": model, "data": vectors, "usage": usage})
            }
            Interface::Responses => self.response("completed", Some((&text, usage))),
        }
    }

    fn choices(&self, choice: impl Fn(usize) -> Value) -> Vec<Value> {
        (0..self.asked.choices).map(choice).collect()
    }

    /// A response of the interface of that name: under way, or with its text and usage.
    pub(crate) fn response(&self, status: &str, end: Option<(&str, Value)>) -> Value {
        let (output, usage) = match end {
            Some((text, usage)) => (vec![message(text, status)], usage),
            None => (Vec::new(), Value::Null),
        };
        json!({
            "id": self.id(), "object": "response", "created_at": 0, "status": status, "model": self.model(), "output": output,
            "usage": usage, "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "tools": [],
            "tool_choice": "auto", "parallel_tool_calls": true, "temperature": 1.0, "top_p": 1.0,
        })
    }
}

/// A call of a tool, as it is told.
pub(crate) fn call(tool: &str, arguments: &str) -> Value {
    let function = json!({"name": tool, "arguments": arguments});
    json!({"index": 0, "id": "simulated-call-1", "type": "function", "function": function})
}

/// A message of a response.
pub(crate) fn message(text: &str, status: &str) -> Value {
    let part = json!({"type": "output_text", "text": text, "annotations": []});
    json!({"id": "simulated-message-1", "type": "message", "role": "assistant", "status": status, "content": [part]})
}
