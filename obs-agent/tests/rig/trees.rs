//! Whole runs: what was asked, chosen, called and answered, in order, with the tokens that the server told.

use crate::answers::{answers, asks};
use crate::scripted::{serve_each, soon};
use crate::support::{BY, agent, ask};
use crate::told::Told;
use futures_util::StreamExt;
use obs_llm::Tokens;
use obs_testing::assert_tree;

#[tokio::test]
async fn a_run_is_told_with_its_models_and_tools_however_it_is_observed() {
    for by in BY {
        let server = serve_each(vec![asks(false), answers(false)]).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        soon(ask(&agent, false)).await.expect("an answer");
        assert_tree(
            told.tree(),
            r#"
            agent guide turn 1 => 37+14 tokens stop ok
              model gpt-4o-mini of openai with weather,clock => weather:call_1 clock:call_2 7+9 tokens tool_calls ok
              tool weather call_1{"city":"Oslo"} => rain ok
              tool clock call_2{} => noon ok
              model gpt-4o-mini of openai with weather,clock => 30+5 tokens stop ok
            "#,
        );
        assert_eq!(told.tokens(Tokens::Input), 7 + 30);
        assert_eq!(told.tokens(Tokens::Output), 9 + 5);
        assert_eq!(told.tokens(Tokens::CacheRead), 6);
        assert_eq!(told.tokens(Tokens::Reasoning), 3);
    }
}

const STREAMED: &str = r#"
agent guide turn 1 => 37+14 tokens stop ok
  model gpt-4o-mini of openai with weather,clock => 3 items weather:call_1 clock:call_2 7+9 tokens tool_calls ok
  tool weather call_1{"city":"Oslo"} => rain ok
  tool clock call_2{} => noon ok
  model gpt-4o-mini of openai with weather,clock => 2 items 30+5 tokens stop ok
"#;

#[tokio::test]
async fn a_stream_is_told_piece_by_piece() {
    for by in BY {
        let server = serve_each(vec![asks(true), answers(true)]).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        soon(ask(&agent, true)).await.expect("an answer");
        assert_tree(told.tree(), STREAMED);
        assert_eq!(told.tokens(Tokens::Input), 7 + 30);
        assert_eq!(told.tokens(Tokens::Output), 9 + 5);
    }
}

/// Its future on a task of its own, its events elsewhere.
#[tokio::test]
async fn a_run_in_two_parts_is_told_as_a_stream() {
    for by in BY {
        let server = serve_each(vec![asks(true), answers(true)]).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        let (driver, events) = agent.prompt("How is it in Oslo?").run_channel();
        let driver = tokio::spawn(driver);
        assert!(soon(events.count()).await > 10);
        soon(driver).await.expect("no panic").expect("an answer");
        assert_tree(told.tree(), STREAMED);
    }
}
