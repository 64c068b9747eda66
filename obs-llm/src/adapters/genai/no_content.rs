//! Without the feature `content` nothing of what is said is looked at.

use crate::call::LlmCall;
use genai::chat::{ChatRequest, ChatResponse, StreamEnd};

pub(super) fn request(_: &ChatRequest, _: &mut LlmCall) {}

pub(super) fn answer(_: &ChatResponse, _: &mut LlmCall) {}

pub(super) fn end(_: &StreamEnd, _: &mut LlmCall) {}
