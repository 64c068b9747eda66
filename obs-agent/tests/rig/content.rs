//! What was said, in the conventions' format: made for whoever asks for it.

use crate::answers::{answers, asks};
use crate::scripted::{serve_each, soon};
use crate::support::{Clock, Places, Weather, chat};
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{Handler, Handlers, Input, Output, RunRef, Starting, State, Text};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Texts of models and agents, as JSON, in order.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<(&'static str, Value)>>>);

impl Said {
    fn push(&self, what: &'static str, text: Option<Text<'_>>) {
        let text = text.expect("rig has it");
        assert!(text.is_json() || what == "system", "{what}");
        let value = text.with(|text| match text.starts_with('[') {
            true => serde_json::from_str(text).expect("JSON"),
            false => text.into(),
        });
        self.0.lock().unwrap().push((what, value));
    }

    #[track_caller]
    fn next(&self, what: &str) -> Value {
        let (is, value) = self.0.lock().unwrap().remove(0);
        assert_eq!(is, what);
        value
    }
}

impl Handler for Said {
    fn on_start(&self, _: &mut Starting<'_>, input: &Input<'_>) -> State {
        match input {
            Input::Agent(input) => self.push("asked", input.messages),
            Input::Model(input) => {
                self.push("system", input.system);
                self.push("input", input.messages);
            }
            _ => {}
        }
        State::none()
    }

    fn on_end(&self, _: &RunRef, _: &mut State, output: &Output<'_>) {
        match output {
            Output::Agent(output) => self.push("answered", output.messages),
            Output::Model(output) => self.push("output", output.messages),
            _ => {}
        }
    }
}

#[tokio::test]
async fn messages_read_as_the_conventions_have_them() {
    let server = serve_each(vec![asks(false), answers(false)]).await;
    let said = Said::default();
    let observer = RigObserver::new(&Handlers::new().with(said.clone()));
    let agent = observer
        .agent(chat(&server.url("")))
        .preamble("Be brief.")
        .tool(observer.tool(Weather))
        .tool(observer.tool(Clock(Places::default())))
        .build();
    soon(agent.prompt("How is it?").max_turns(3).run())
        .await
        .expect("an answer");

    let text = |text: &str| json!({"type": "text", "content": text});
    let user = json!({"role": "user", "parts": [text("How is it?")]});
    assert_eq!(said.next("asked"), json!([user]));
    assert_eq!(said.next("system"), json!("Be brief."));
    assert_eq!(said.next("input"), json!([user]));
    let wanted = json!([
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}},
        {"type": "tool_call", "id": "call_2", "name": "clock", "arguments": {}},
    ]);
    let output = said.next("output");
    assert_eq!(
        output,
        json!([{"role": "assistant", "parts": wanted, "finish_reason": "tool_calls"}])
    );

    assert_eq!(said.next("system"), json!("Be brief."));
    let given =
        |id: &str, text: &str| json!({"type": "tool_call_response", "id": id, "response": text});
    let results = [given("call_1", "rain"), given("call_2", "noon")];
    let input = said.next("input");
    assert_eq!(input[0], user);
    assert_eq!(input[1], json!({"role": "assistant", "parts": wanted}));
    // rig has one message for each result, or one for all of them.
    let rest = input.as_array().expect("a list")[2..].iter();
    let rest: Vec<_> = rest
        .flat_map(|message| {
            assert_eq!(message["role"], "tool");
            message["parts"].as_array().expect("parts").clone()
        })
        .collect();
    assert_eq!(rest, results);
    let answer = json!([{
        "role": "assistant",
        "parts": [text("Rain at noon.")],
        "finish_reason": "stop",
    }]);
    assert_eq!(said.next("output"), answer);
    assert_eq!(said.next("answered"), answer);
}
