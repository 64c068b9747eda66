//! What was said, whoever said it in whichever format.

use obs_core::Body;
use std::fmt;

/// A message of the conversation. Its shape is that of the conventions' JSON schemas (`gen-ai-input-messages.json`,
/// `gen-ai-output-messages.json`).
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Who says it: `user`, `assistant`, `system`, `developer`, `tool`.
    pub role: String,
    /// What it says, in order.
    pub parts: Vec<Part>,
    /// Why it ended: of messages of the answer.
    pub finish_reason: Option<String>,
}

impl Message {
    /// One of this role that says nothing yet.
    pub fn new(role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            ..Self::default()
        }
    }

    /// With a part more.
    #[must_use]
    pub fn with_part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// With a part of text more.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> Self {
        self.with_part(Part::Text(text.into()))
    }

    /// With the reason why it ended.
    #[must_use]
    pub fn with_finish_reason(mut self, reason: impl Into<String>) -> Self {
        self.finish_reason = Some(reason.into());
        self
    }
}

/// Without what it says: it is somebody's conversation.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// A part of a message.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
    /// What the model thought.
    Reasoning(String),
    /// The call of a tool.
    ToolCall {
        /// Its id, which the response bears too.
        id: Option<String>,
        /// The tool.
        name: String,
        /// The arguments: a map, or the text that was to be one.
        arguments: Body,
    },
    /// What a tool answered.
    ToolCallResponse {
        /// The id of the call.
        id: Option<String>,
        /// The answer.
        response: Body,
    },
    /// An image, sound, a document: never itself, but what tells it.
    Media(Media),
    /// Something else, of which only the kind is told.
    Other(String),
}

/// Without what it says.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Reasoning(_) => "Reasoning",
            Self::ToolCall { .. } => "ToolCall",
            Self::ToolCallResponse { .. } => "ToolCallResponse",
            Self::Media(_) => "Media",
            Self::Other(_) => "Other",
        })
    }
}

/// What tells an image, sound or a document.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Media {
    /// `image`, `audio`, `video`, `document`.
    pub modality: &'static str,
    /// Its type: `image/png`.
    pub mime_type: Option<String>,
    /// Where it lies.
    pub place: MediaPlace,
}

/// Where media lie.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum MediaPlace {
    /// They stood in the message, and are not told.
    #[default]
    Inline,
    /// They stood in the message, and this is what tells them: bytes, and their SHA-256 in hexadecimal digits.
    Hashed {
        /// How many bytes they are, decoded.
        bytes: u64,
        /// Their SHA-256.
        sha256: String,
    },
    /// At a URL.
    Uri(String),
    /// In a file that the provider has.
    File(String),
}

/// Without the place, which may be a URL with a secret in it.
impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("modality", &self.modality)
            .finish_non_exhaustive()
    }
}

/// Without a URL.
impl fmt::Debug for MediaPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline => "Inline",
            Self::Hashed { .. } => "Hashed",
            Self::Uri(_) => "Uri",
            Self::File(_) => "File",
        })
    }
}

/// All that was said in one call.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Exchange {
    /// What the system says, where it is told apart from the conversation.
    pub system: Vec<Part>,
    /// The conversation so far.
    pub input: Vec<Message>,
    /// The answer: a message for each choice.
    pub output: Vec<Message>,
    /// The tools that the model may call: maps with `type`, `name`, `description`, `parameters`.
    pub tools: Vec<Body>,
}

impl Exchange {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.system.is_empty()
            && self.input.is_empty()
            && self.output.is_empty()
            && self.tools.is_empty()
    }
}

/// Without what was said.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}
