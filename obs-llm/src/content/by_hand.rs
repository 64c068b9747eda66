//! What is said, told by whoever has it and not its bytes.

use super::message::Message;
use crate::call::LlmCall;
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
