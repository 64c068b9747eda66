//! Each text of an exchange, shown to redactors by itself.

use super::message::{Exchange, MediaPlace, Message, Part};
use obs_core::redact::{Place, Redaction, Text};
use obs_core::{Body, Telemetry};

/// Shows texts, and says what is left of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redactors<'a>(pub(crate) &'a Telemetry);

impl Redactors<'_> {
    pub(crate) fn exchange(self, of: &mut Exchange) {
        of.system.retain_mut(|part| self.part(part));
        for message in of.input.iter_mut().chain(&mut of.output) {
            self.message(message);
        }
        of.tools.retain_mut(|tool| self.tree("", tool));
    }

    fn message(self, message: &mut Message) {
        // Roles and reasons are words of the format, but nobody made sure of it.
        if !self.text("role", &mut message.role) {
            message.role.clear();
        }
        message.parts.retain_mut(|part| self.part(part));
        if let Some(reason) = &mut message.finish_reason
            && !self.text("finish_reason", reason)
        {
            message.finish_reason = None;
        }
    }

    /// Whether it stays.
    fn part(self, part: &mut Part) -> bool {
        match part {
            Part::Text(text) | Part::Reasoning(text) => self.text("content", text),
            Part::ToolCall {
                id,
                name,
                arguments,
            } => {
                self.optional("id", id);
                if !self.tree("arguments", arguments) {
                    *arguments = Body::Empty;
                }
                self.text("name", name)
            }
            Part::ToolCallResponse { id, response } => {
                self.optional("id", id);
                self.tree("response", response)
            }
            Part::Media(media) => {
                self.optional("mime_type", &mut media.mime_type);
                match &mut media.place {
                    MediaPlace::Uri(uri) => self.text("uri", uri),
                    MediaPlace::File(id) => self.text("file_id", id),
                    MediaPlace::Inline | MediaPlace::Hashed { .. } => true,
                }
            }
            Part::Other(kind) => self.text("type", kind),
        }
    }

    fn optional(self, key: &str, text: &mut Option<String>) {
        if let Some(told) = text
            && !self.text(key, told)
        {
            *text = None;
        }
    }

    /// Each text of a tree, under the key that is next above it. Whether anything stays.
    pub(crate) fn tree(self, key: &str, of: &mut Body) -> bool {
        match of {
            Body::Text(text) => self.text(key, text),
            Body::List(list) => {
                list.retain_mut(|item| self.tree(key, item));
                true
            }
            Body::Map(map) => {
                map.retain_mut(|(key, item)| self.tree(key, item));
                true
            }
            _ => true,
        }
    }

    pub(crate) fn text(self, key: &str, text: &mut String) -> bool {
        match self.0.redact(Text::new(Place::LogAttribute, key, text)) {
            Redaction::Keep => true,
            Redaction::Replace(other) => {
                *text = other.into_owned();
                true
            }
            _ => false,
        }
    }
}
