//! A request, as it passes.
//!
//! Its parameters may stand behind megabytes of messages, so it is read to its end; nothing of it is held but the name, the text
//! or the number that is being read.

mod tables;

use super::{
    Wire,
    json::{Json, Told, Value, Want},
    table::Node,
};

/// Who is told what stands in a request, as it is met. Texts are cut at 128 bytes.
pub trait RequestSink {
    /// The model that is asked for.
    fn model(&mut self, model: &str) {
        let _ = model;
    }
    /// Whether the answer is to be streamed.
    fn stream(&mut self, stream: bool) {
        let _ = stream;
    }
    /// Whether the stream is to end with a report of tokens; told only where the request says it.
    fn include_usage(&mut self, include: bool) {
        let _ = include;
    }
    /// The most tokens that the answer may have.
    fn max_tokens(&mut self, tokens: u64) {
        let _ = tokens;
    }
    /// The temperature.
    fn temperature(&mut self, value: f64) {
        let _ = value;
    }
    /// The mass of probability that is sampled from.
    fn top_p(&mut self, value: f64) {
        let _ = value;
    }
    /// How many tokens are sampled from.
    fn top_k(&mut self, value: f64) {
        let _ = value;
    }
    /// The penalty on frequent tokens.
    fn frequency_penalty(&mut self, value: f64) {
        let _ = value;
    }
    /// The penalty on tokens that were there.
    fn presence_penalty(&mut self, value: f64) {
        let _ = value;
    }
    /// The seed.
    fn seed(&mut self, seed: i64) {
        let _ = seed;
    }
    /// How many answers are asked for.
    fn choice_count(&mut self, count: u64) {
        let _ = count;
    }
    /// One of the texts that end the answer.
    fn stop_sequence(&mut self, text: &str) {
        let _ = text;
    }
    /// The tier that is asked for.
    fn service_tier(&mut self, tier: &str) {
        let _ = tier;
    }
    /// How much the model is to reason.
    fn reasoning_level(&mut self, level: &str) {
        let _ = level;
    }
    /// What kind of output is asked for: `text`, `json`, `image`, `speech`.
    fn output_type(&mut self, kind: &'static str) {
        let _ = kind;
    }
    /// The encoding that embeddings are asked for in.
    fn encoding_format(&mut self, format: &str) {
        let _ = format;
    }
    /// How many dimensions an embedding is to have.
    fn dimensions(&mut self, dimensions: u64) {
        let _ = dimensions;
    }
    /// The answer that this one goes on from.
    fn previous_response(&mut self, id: &str) {
        let _ = id;
    }
    /// The conversation, where the interface has them.
    fn conversation(&mut self, id: &str) {
        let _ = id;
    }
}

/// What is done with a value. What does not fit (a number where a text should be) is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Model,
    Stream,
    IncludeUsage,
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    Frequency,
    Presence,
    Seed,
    Choices,
    Stop,
    Tier,
    /// A text, or a number of tokens.
    Level,
    /// A kind of output, or a type of media.
    Output,
    /// One of several kinds of output, of which text is always one.
    Modality,
    /// A schema opens.
    Json,
    Encoding,
    Dimensions,
    Previous,
    Conversation,
    /// What only a request for embeddings has.
    Embeds,
    /// The request is over.
    End,
}

/// So much of a text is told.
const TEXT: usize = 128;

/// Reads a request: of each format, its parameters wherever they stand in the JSON, but only at their own level. Holds less than
/// 256 bytes and allocates nothing. What is no JSON is read up to where that shows; nothing is told of it, since a request is
/// its server's to refuse.
///
/// What is told twice counts the second time, as for most readers of JSON with a name that stands there twice. The model of
/// Gemini, of Bedrock and of Azure's deployments is in the [path](super::of_path), and so is whether Gemini and Bedrock stream.
///
/// ```
/// use obs_llm::wire::{RequestScanner, RequestSink, Wire};
///
/// #[derive(Default)]
/// struct Seen(String);
/// impl RequestSink for Seen {
///     fn model(&mut self, model: &str) {
///         self.0 = model.to_owned();
///     }
/// }
///
/// let mut seen = Seen::default();
/// let mut scanner = RequestScanner::new(Wire::OpenAiChat);
/// for piece in [r#"{"messages":[{"model":"no"}],"mod"#, r#"el":"gpt-4o"}"#] {
///     scanner.feed(piece.as_bytes(), &mut seen);
/// }
/// assert_eq!(seen.0, "gpt-4o");
/// ```
#[derive(Debug)]
pub struct RequestScanner {
    json: Json<TEXT>,
    nodes: &'static [Node<Act>],
    /// Whether it said that it streams, or cannot.
    said: bool,
}

impl RequestScanner {
    /// For a request of this format.
    pub fn new(wire: Wire) -> Self {
        let nodes: &'static [_] = match wire {
            Wire::OpenAiChat => &tables::OPENAI,
            Wire::OpenAiResponses => &tables::RESPONSES,
            Wire::AnthropicMessages => &tables::ANTHROPIC,
            Wire::Gemini => &tables::GEMINI,
            Wire::Ollama => &tables::OLLAMA,
            Wire::BedrockConverse => &tables::CONVERSE,
            Wire::BedrockInvoke => &tables::INVOKE,
        };
        Self {
            json: Json::new(),
            nodes,
            said: false,
        }
    }

    /// Whether there is nothing more to be read: the document is over, or it is none.
    #[cfg(feature = "client")]
    pub(crate) fn is_over(&self) -> bool {
        self.json.is_done() || self.json.is_bad()
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl RequestSink) {
        let mut telling = Telling {
            sink,
            said: &mut self.said,
        };
        self.json.feed(self.nodes, bytes, &mut telling);
    }
}

/// A request tells a sink.
struct Telling<'a, S> {
    sink: &'a mut S,
    said: &'a mut bool,
}

impl<S: RequestSink> Telling<'_, S> {
    fn text(&mut self, act: Act, text: &str) {
        match act {
            Act::Model => self.sink.model(text),
            Act::Stop => self.sink.stop_sequence(text),
            Act::Tier => self.sink.service_tier(text),
            Act::Level => self.sink.reasoning_level(text),
            Act::Encoding => self.sink.encoding_format(text),
            Act::Previous => self.sink.previous_response(text),
            Act::Conversation => self.sink.conversation(text),
            Act::Output | Act::Modality => match output(text) {
                Some("text") if act == Act::Modality => {}
                Some(kind) => self.sink.output_type(kind),
                None => {}
            },
            _ => {}
        }
    }

    fn number(&mut self, act: Act, number: &str) {
        let real = || number.parse::<f64>().ok().filter(|real| real.is_finite());
        match act {
            Act::MaxTokens => tell(whole(number), |tokens| self.sink.max_tokens(tokens)),
            Act::Choices => tell(whole(number), |count| self.sink.choice_count(count)),
            Act::Dimensions => tell(whole(number), |count| self.sink.dimensions(count)),
            Act::Seed => tell(number.parse().ok(), |seed| self.sink.seed(seed)),
            Act::Temperature => tell(real(), |value| self.sink.temperature(value)),
            Act::TopP => tell(real(), |value| self.sink.top_p(value)),
            Act::TopK => tell(real(), |value| self.sink.top_k(value)),
            Act::Frequency => tell(real(), |value| self.sink.frequency_penalty(value)),
            Act::Presence => tell(real(), |value| self.sink.presence_penalty(value)),
            Act::Level => self.sink.reasoning_level(number),
            _ => {}
        }
    }

    fn stream(&mut self, stream: bool) {
        *self.said = true;
        self.sink.stream(stream);
    }
}

impl<S: RequestSink> Told<Act> for Telling<'_, S> {
    fn wants(&mut self, act: Act) -> Want {
        match act {
            Act::Embeds => Want::Presence,
            Act::Model | Act::Stop | Act::Tier | Act::Level | Act::Output | Act::Modality => {
                Want::Value
            }
            Act::Encoding | Act::Previous | Act::Conversation => Want::Value,
            _ => Want::Nothing,
        }
    }

    fn value(&mut self, act: Act, value: Value<'_>) {
        match (act, value) {
            (_, Value::Text(text)) => self.text(act, text),
            (_, Value::Number(number)) => self.number(act, number),
            (Act::Stream, Value::Bool(stream)) => self.stream(stream),
            (Act::IncludeUsage, Value::Bool(include)) => self.sink.include_usage(include),
            (Act::Json, Value::Open) => self.sink.output_type("json"),
            (Act::Embeds, Value::Open) => *self.said = true,
            // Ollama streams unless it is told not to.
            (Act::End, Value::Close) if !*self.said => self.stream(true),
            _ => {}
        }
    }

    fn begins(&mut self, act: Act) {
        if act == Act::Embeds {
            *self.said = true;
        }
    }

    fn piece(&mut self, _: Act, _: &str) {}

    fn malformed(&mut self) {}
}

fn tell<T>(value: Option<T>, tell: impl FnOnce(T)) {
    if let Some(value) = value {
        tell(value);
    }
}

/// A number of things, which some write with a fraction of zero.
fn whole(number: &str) -> Option<u64> {
    let digits = number.split_once('.').map_or(number, |(digits, fraction)| {
        match fraction.bytes().all(|digit| digit == b'0') {
            true => digits,
            false => "",
        }
    });
    digits.parse().ok()
}

/// `gen_ai.output.type` of what formats, modalities and types of media are called.
fn output(text: &str) -> Option<&'static str> {
    Some(match text {
        "text" | "TEXT" | "text/plain" | "text/x.enum" => "text",
        "json" | "json_object" | "json_schema" | "application/json" => "json",
        "image" | "IMAGE" => "image",
        "audio" | "AUDIO" => "speech",
        _ => return None,
    })
}
