//! What is said, told by whoever has it and not its bytes.

use super::message::Message;
use crate::call::LlmCall;
use crate::wire::Content;
use obs_core::Body;

/// Nothing of it is kept where [no content is asked for](crate::content). What is told so beats what was read of the bytes, where
/// both are.
impl LlmCall {
    /// Whether content is asked for: whoever has to make messages first can leave it where it is not.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn wants_content(&self) -> bool {
        { self.rare.as_ref() }.is_some_and(|rare| rare.content.is_some())
    }

    /// A message of the conversation so far, in order.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn input_message(&mut self, message: Message) {
        if let Some(content) = self.gathered() {
            content.input(message);
        }
    }

    /// A message of the answer: one for each choice.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn output_message(&mut self, message: Message) {
        if let Some(content) = self.gathered() {
            content.output(message);
        }
    }

    /// A piece of the answer, as it is streamed: pieces of one kind that follow each other are one part of its message.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn output_piece(&mut self, kind: Content, piece: &str) {
        if let Some(content) = self.gathered() {
            content.piece(kind, piece);
        }
    }

    /// A tool that a streamed answer asks for: the pieces of calls of tools that follow are its arguments.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn output_tool_call(&mut self, name: &str, id: Option<&str>) {
        if let Some(content) = self.gathered() {
            content.tool_call(name, id);
        }
    }

    /// Why an answer that was told in pieces ended, on its message. The span has what
    /// [`finish_reason`](crate::wire::ResponseSink::finish_reason) is told.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn output_finished(&mut self, reason: &str) {
        if let Some(content) = self.gathered() {
            content.finish_reason(reason);
        }
    }

    /// What the system says apart from the conversation.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn system_instruction(&mut self, text: &str) {
        if let Some(content) = self.gathered() {
            content.system(text);
        }
    }

    /// A tool that the model may call: a map with `type`, `name`, `description`, `parameters`.
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    pub fn tool_definition(&mut self, tool: Body) {
        if let Some(content) = self.gathered() {
            content.tool(tool);
        }
    }
}
