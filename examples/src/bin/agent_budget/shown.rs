//! A session's trace, as it was received, and whether it says why its agent stopped.

use super::Result;
use obs_agent::session::BudgetExceeded;
use obs_core::semconv::{gen_ai, http::ERROR_TYPE, obs::agent};
use obs_testing::{Receiver, SpanTree, TreeSpan};

/// Prints it.
pub(crate) fn trace(receiver: &Receiver, session: &str, stopped: BudgetExceeded) -> Result<()> {
    let spans: Vec<TreeSpan> = receiver.spans().into_iter().map(TreeSpan::from).collect();
    let text = |span: &TreeSpan, key: &str| {
        let mut attributes = span.attributes.iter();
        let found = attributes.find(|(of, _)| of == key);
        found.and_then(|(_, value)| value.as_str().map(str::to_owned))
    };
    let key = gen_ai::CONVERSATION_ID.as_str();
    let of_session = spans
        .into_iter()
        .filter(|span| text(span, key).as_deref() == Some(session));
    let of_session: Vec<_> = of_session.collect();
    let agent = of_session.iter().find(|span| span.parent_span_id.is_none());
    let agent = agent.ok_or("its trace is not there")?;
    let said = text(agent, agent::BUDGET_EXCEEDED.as_str());
    if said.as_deref() != Some(stopped.limit.as_str()) {
        return Err(format!("its span says {said:?}, and not why it stopped").into());
    }
    let shown = [
        ERROR_TYPE,
        agent::BUDGET_EXCEEDED,
        agent::BUDGET_USED,
        agent::BUDGET_LIMIT,
        agent::TOOLS_CHOSEN,
        gen_ai::USAGE_INPUT_TOKENS,
        gen_ai::USAGE_OUTPUT_TOKENS,
    ];
    let tree = SpanTree::new(of_session).with_attributes(shown.iter().map(|key| key.as_str()));
    print!("{tree}");
    Ok(())
}
