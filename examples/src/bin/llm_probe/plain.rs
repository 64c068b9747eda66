//! What stands in bytes of HTTP/1.1 and of answers, read when all of it is there: with `serde_json`, without haste, and with none
//! of what our crates read it by. The formats are those that llama.cpp's server documents: OpenAI's three, and Anthropic's.

use crate::Result;
use crate::engine::Account;
use crate::plan::{MESSAGES, PATHS, RESPONSES};
use crate::relay::{Flow, Seen};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A request and its answer as they went through the relay.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// When the relay first knew of it: when its connection was opened, or its first byte was there.
    pub(crate) sent: Instant,
    pub(crate) path: String,
    pub(crate) asked: Value,
    /// Absent if nothing came back.
    pub(crate) answer: Option<Answer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) streamed: bool,
    /// Whether it came to its end.
    pub(crate) whole: bool,
    pub(crate) body: Vec<u8>,
    /// When each event with content began to be there.
    pub(crate) content: Vec<Instant>,
    pub(crate) heard: Heard,
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    /// Where in the body each event with content begins.
    pub(crate) content: Vec<usize>,
    /// By choice.
    pub(crate) finish: Vec<String>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cached: Option<u64>,
    /// What the engine says it did for it, and how long reading and writing took, in milliseconds.
    pub(crate) told: Option<Account>,
    pub(crate) reading_ms: Option<f64>,
    pub(crate) writing_ms: Option<f64>,
    /// Tokens of the output in all reports: with several choices there is one for each.
    pub(crate) reported: u64,
    /// Of which type it says that it is an error.
    pub(crate) error: Option<String>,
    /// Whether what ends an answer is there.
    pub(crate) done: bool,
    /// Whether the last event has no end.
    pub(crate) cut: bool,
}

impl Exchange {
    /// From the request to the first content.
    pub(crate) fn first_content(&self) -> Option<Duration> {
        let answer = self.answer.as_ref().filter(|answer| answer.streamed)?;
        Some(answer.content.first()?.duration_since(self.sent))
    }
}

/// All exchanges of a connection, in order.
pub(crate) fn exchanges(seen: &Seen) -> Result<Vec<Exchange>> {
    let Seen {
        opened,
        asked,
        answered,
    } = seen;
    let (mut exchanges, mut request_at, mut answer_at) = (Vec::new(), 0, 0);
    while request_at < asked.bytes.len() {
        let head = Head::at(&asked.bytes, request_at).ok_or("a request without an end")?;
        let body = Body::at(&asked.bytes, &head);
        let path = head
            .start
            .split(' ')
            .nth(1)
            .ok_or("a request without a path")?;
        let mut exchange = Exchange {
            sent: match request_at {
                0 => *opened,
                _ => asked.time_of(request_at).ok_or("never read")?,
            },
            path: path.to_owned(),
            asked: serde_json::from_slice(&body.bytes).unwrap_or_default(),
            answer: None,
        };
        request_at = body.end;
        if let Some(head) = Head::at(&answered.bytes, answer_at) {
            let body = Body::at(&answered.bytes, &head);
            answer_at = body.end;
            exchange.answer = Some(answer(path, &head, body, answered)?);
        }
        exchanges.push(exchange);
    }
    Ok(exchanges)
}

fn answer(path: &str, head: &Head, body: Body, flow: &Flow) -> Result<Answer> {
    let path = PATHS
        .into_iter()
        .find(|it| *it == path)
        .ok_or("no such path")?;
    let status = head.start.split(' ').nth(1).and_then(|it| it.parse().ok());
    let streamed = head
        .header("content-type")
        .is_some_and(|it| it.starts_with("text/event-stream"));
    let heard = hear(path, streamed, &body.bytes);
    let times = heard.content.iter();
    let times = times.map(|at| flow.time_of(body.in_flow(*at)).ok_or("never read"));
    Ok(Answer {
        status: status.ok_or("an answer without a status")?,
        streamed,
        whole: body.whole,
        content: times.collect::<std::result::Result<_, _>>()?,
        heard,
        body: body.bytes,
    })
}

// --- HTTP/1.1 --------------------------------------------------------------------------------------------------------

struct Head {
    start: String,
    headers: Vec<(String, String)>,
    end: usize,
}

impl Head {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let length = find(bytes.get(at..)?, b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&bytes[at..at + length]).into_owned();
        let mut lines = text.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        Some(Self {
            start,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            end: at + length + 4,
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    /// Where a piece begins in the body, and where in the flow.
    pieces: Vec<(usize, usize)>,
    end: usize,
    whole: bool,
}

impl Body {
    fn at(flow: &[u8], head: &Head) -> Self {
        let mut body = Self {
            end: head.end,
            ..Self::default()
        };
        if head.header("transfer-encoding") != Some("chunked") {
            let length = head.header("content-length").and_then(|it| it.parse().ok());
            body.whole = body.take(flow, length.unwrap_or_default());
            return body;
        }
        loop {
            let Some(line) = find(&flow[body.end..], b"\r\n") else {
                return body;
            };
            let size = String::from_utf8_lossy(&flow[body.end..body.end + line]).into_owned();
            let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
                return body;
            };
            body.end += line + 2;
            if !body.take(flow, size) || flow.len() < body.end + 2 {
                return body;
            }
            body.end += 2;
            if size == 0 {
                body.whole = true;
                return body;
            }
        }
    }

    /// Takes a piece, and says whether all of it was there.
    fn take(&mut self, flow: &[u8], length: usize) -> bool {
        let end = flow.len().min(self.end + length);
        self.pieces.push((self.bytes.len(), self.end));
        self.bytes.extend_from_slice(&flow[self.end..end]);
        let whole = end == self.end + length;
        self.end = end;
        whole
    }

    fn in_flow(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(begin, _)| *begin <= at);
        let (begin, in_flow) = self.pieces[piece - 1];
        in_flow + at - begin
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

// --- answers ---------------------------------------------------------------------------------------------------------

/// What stands in the body of an answer to a request of `path`.
fn hear(path: &'static str, streamed: bool, body: &[u8]) -> Heard {
    let mut ear = Ear::new(path, streamed);
    ear.hear(body);
    ear.ended(body)
}

/// Hears a body that grows.
#[derive(Debug)]
pub(crate) struct Ear {
    path: &'static str,
    streamed: bool,
    /// Where the next event begins.
    at: usize,
    heard: Heard,
}

impl Ear {
    pub(crate) fn new(path: &'static str, streamed: bool) -> Self {
        Self {
            path,
            streamed,
            at: 0,
            heard: Heard::default(),
        }
    }

    /// The whole events of all of the body so far; how many had content.
    pub(crate) fn hear(&mut self, body: &[u8]) -> usize {
        while self.streamed
            && let Some(length) = find(&body[self.at..], b"\n\n")
        {
            let event = String::from_utf8_lossy(&body[self.at..self.at + length]).into_owned();
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            let data = data.map(|it| it.strip_prefix(' ').unwrap_or(it));
            let data = data.collect::<Vec<_>>().join("\n");
            if data == "[DONE]" {
                self.heard.done = true;
            } else if let Ok(value) = serde_json::from_str(&data)
                && self.heard.event(self.path, &value)
            {
                self.heard.content.push(self.at);
            }
            self.at += length + 2;
        }
        self.heard.content.len()
    }

    /// Nothing follows.
    pub(crate) fn ended(mut self, body: &[u8]) -> Heard {
        if self.streamed {
            self.heard.cut = self.at < body.len();
        } else if let Ok(value) = serde_json::from_slice(body) {
            self.heard.document(self.path, &value);
            self.heard.done = true;
        }
        self.heard
    }
}

impl Heard {
    /// An event of a stream; says whether it has content.
    fn event(&mut self, path: &str, value: &Value) -> bool {
        match path {
            RESPONSES => {
                let kind = value["type"].as_str().unwrap_or_default();
                if let Some(response) = value.get("response") {
                    self.document(path, response);
                }
                if let Some(timings) = value.get("timings") {
                    self.timings(timings);
                }
                self.done |= matches!(kind, "response.completed" | "response.incomplete");
                kind.ends_with(".delta") && is_text(&value["delta"])
            }
            MESSAGES => {
                match value["type"].as_str() {
                    Some("message_start") => self.document(path, &value["message"]),
                    Some("message_delta") => {
                        self.document(path, value);
                        self.finish(0, &value["delta"]["stop_reason"]);
                    }
                    Some("message_stop") => self.done = true,
                    _ => {}
                }
                let delta = &value["delta"];
                let kinds = ["text", "thinking", "partial_json"];
                value["type"] == "content_block_delta" && kinds.iter().any(|it| is_text(&delta[it]))
                    || value["content_block"]["type"] == "tool_use"
            }
            _ => {
                self.document(path, value);
                let choices = value["choices"].as_array().into_iter().flatten();
                let mut deltas = choices.map(|choice| (&choice["text"], &choice["delta"]));
                deltas.any(|(text, delta)| {
                    let kinds = ["content", "refusal", "reasoning_content"];
                    is_text(text)
                        || kinds.iter().any(|it| is_text(&delta[it]))
                        || delta["tool_calls"]
                            .as_array()
                            .is_some_and(|it| !it.is_empty())
                })
            }
        }
    }

    /// What says who answered, how much there was, and why it ended.
    fn document(&mut self, path: &str, value: &Value) {
        let text = |it: &Value| it.as_str().map(str::to_owned);
        self.id = text(&value["id"]).or(self.id.take());
        self.model = text(&value["model"]).or(self.model.take());
        self.error = text(&value["error"]["type"]).or(self.error.take());
        let usage = &value["usage"];
        let number = |it: &Value, else_: Option<u64>| it.as_u64().or(else_);
        match path {
            RESPONSES => {
                self.input = number(&usage["input_tokens"], self.input);
                self.output = number(&usage["output_tokens"], self.output);
                self.cached = number(&usage["input_tokens_details"]["cached_tokens"], self.cached);
                // There is no reason why an answer ended but its status.
                let reason = &value["incomplete_details"]["reason"];
                match value["status"].as_str() {
                    Some("in_progress") => {}
                    _ if reason.is_string() => self.finish(0, reason),
                    _ => self.finish(0, &value["status"]),
                }
            }
            MESSAGES => {
                // Their input is what no cache had.
                let cached = usage["cache_read_input_tokens"].as_u64();
                let input = usage["input_tokens"].as_u64();
                self.input = input
                    .map(|it| it + cached.unwrap_or_default())
                    .or(self.input);
                self.cached = cached.or(self.cached);
                self.output = number(&usage["output_tokens"], self.output);
                self.finish(0, &value["stop_reason"]);
            }
            _ => {
                self.input = number(&usage["prompt_tokens"], self.input);
                self.output = number(&usage["completion_tokens"], self.output);
                self.reported += usage["completion_tokens"].as_u64().unwrap_or_default();
                self.cached = number(
                    &usage["prompt_tokens_details"]["cached_tokens"],
                    self.cached,
                );
                for choice in value["choices"].as_array().into_iter().flatten() {
                    let index = choice["index"].as_u64().unwrap_or_default();
                    self.finish(index as usize, &choice["finish_reason"]);
                }
            }
        }
        if let Some(timings) = value.get("timings") {
            self.timings(timings);
            // Where nobody asked for usage, they are all there is.
            if let (Some(told), true) = (self.told, usage.is_null()) {
                self.input = Some(told.read + told.cached);
                self.output = Some(told.written);
                self.cached = Some(told.cached);
            }
        }
    }

    fn timings(&mut self, timings: &Value) {
        let number = |name: &str| timings[name].as_u64().unwrap_or_default();
        self.told = Some(Account {
            read: number("prompt_n"),
            cached: number("cache_n"),
            written: number("predicted_n"),
        });
        self.reading_ms = timings["prompt_ms"].as_f64();
        self.writing_ms = timings["predicted_ms"].as_f64();
    }

    /// What the engine counts for it.
    pub(crate) fn spent(&self) -> Option<Account> {
        if let Some(told) = self.told {
            let written = told.written.max(self.reported);
            return Some(Account { written, ..told });
        }
        let cached = self.cached.unwrap_or_default();
        Some(Account {
            read: self.input?.checked_sub(cached)?,
            cached,
            written: self.output?,
        })
    }

    fn finish(&mut self, choice: usize, reason: &Value) {
        if let Some(reason) = reason.as_str() {
            self.finish
                .resize(self.finish.len().max(choice + 1), String::new());
            reason.clone_into(&mut self.finish[choice]);
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{CHAT, COMPLETIONS};

    fn flow(parts: &[&str]) -> Flow {
        let mut flow = Flow::default();
        for part in parts {
            flow.push(part.as_bytes(), Instant::now());
        }
        flow
    }

    fn exchange(answer: &[&str]) -> Exchange {
        let request =
            format!("POST {COMPLETIONS} HTTP/1.1\r\ncontent-length: 10\r\n\r\n{{\"seed\":7}}");
        let seen = Seen {
            opened: Instant::now(),
            asked: flow(&[&request]),
            answered: flow(answer),
        };
        let mut exchanges = exchanges(&seen).expect("what it reads is HTTP");
        assert_eq!(exchanges.len(), 1);
        exchanges.remove(0)
    }

    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn a_chunked_answer_is_read_as_it_was_before_it_was_sent() {
        let first = "data: {\"choices\":[{\"text\":\"\"}]}\n\n";
        let second = "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: [DONE]\n\n";
        // In a chunk each, the second one split between two reads.
        let chunk = |of: &str| format!("{:x}\r\n{of}\r\n", of.len());
        let (chunks, (late, end)) = (chunk(first), (chunk(second), "0\r\n\r\n"));
        let (begin, rest) = late.split_at(20);
        let exchange = exchange(&[HEAD, &chunks, begin, rest, end]);
        assert_eq!(exchange.asked["seed"], 7);
        let answer = exchange.answer.expect("it was answered");
        assert_eq!(answer.body, format!("{first}{second}").into_bytes());
        assert!(answer.whole && answer.streamed && answer.heard.done && answer.status == 200);
        assert_eq!(answer.heard.content, [first.len()]);
        // It was there when the third read was, which brought where it begins.
        let answered = flow(&[HEAD, &chunks, begin, rest, end]);
        let at = HEAD.len() + chunks.len() + late.find("data:").expect("it is in there");
        assert_eq!(answered.time_of(at), answered.time_of(at + 2));
        assert!(answered.time_of(at) > answered.time_of(at - 6));
    }

    #[test]
    fn an_answer_that_breaks_off_is_not_whole() {
        let exchange = exchange(&[HEAD, "1c\r\ndata: {\"choices\":[{\"te"]);
        let answer = exchange.answer.expect("it began");
        assert!(!answer.whole && answer.heard.cut && !answer.heard.done);
        assert!(answer.content.is_empty());
    }

    #[track_caller]
    fn heard(path: &'static str, body: &str, expect: Heard) {
        assert_eq!(hear(path, true, body.as_bytes()), expect);
    }

    fn expect(content: &[usize]) -> Heard {
        Heard {
            content: content.to_vec(),
            ..Heard::default()
        }
    }

    #[test]
    fn what_has_no_text_is_no_content() {
        let role =
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n";
        heard(CHAT, role, expect(&[]));
        heard(CHAT, ": still there\n\n", expect(&[]));
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"a\"}}]}\n\n";
        heard(CHAT, &format!("{role}{thought}"), expect(&[role.len()]));
        heard(
            MESSAGES,
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            expect(&[]),
        );
        let text = "event: response.output_text.delta\n\
            data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n";
        heard(RESPONSES, text, expect(&[0]));
        heard(RESPONSES, &text.replace("\"a\"", "\"\""), expect(&[]));
    }

    #[test]
    fn timings_are_usage_where_there_is_no_other() {
        let told = r#"{"choices":[],"timings":{"cache_n":2,"prompt_n":5,"predicted_n":3,"prompt_ms":1.5,"predicted_ms":2.5}}"#;
        let spent = Account {
            read: 5,
            cached: 2,
            written: 3,
        };
        let alone = hear(CHAT, true, format!("data: {told}\n\n").as_bytes());
        assert_eq!(
            (alone.input, alone.output, alone.cached),
            (Some(7), Some(3), Some(2))
        );
        assert_eq!(alone.spent(), Some(spent));
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
        let both = hear(
            CHAT,
            true,
            format!("data: {told}\n\ndata: {usage}\n\n").as_bytes(),
        );
        assert_eq!((both.input, both.output), (Some(9), Some(4)));
    }
}
