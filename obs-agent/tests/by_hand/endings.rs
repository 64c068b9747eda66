//! Every way in which a call of a model ends within the turn of a loop by hand, and the turn with it.

use crate::answers::{ANSWERING, answers};
use crate::scripted::{Act, Server, serve, soon};
use crate::server::{begun, streamed, whole};
use crate::support::{handlers, turn};
use crate::{async_openai, genai};
use futures_util::{Stream, StreamExt};
use obs_agent::{Output, RunError};
use obs_testing::{Capture, CapturedRecord};
use std::pin::Pin;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    AsyncOpenAi,
    Genai,
}

const OVER: [Over; 2] = [Over::AsyncOpenAi, Over::Genai];

type Items = Pin<Box<dyn Stream<Item = Result<(), String>> + Send>>;

impl Over {
    async fn ask(self, capture: &Capture, server: &Server) -> Result<(), String> {
        match self {
            Self::AsyncOpenAi => {
                let client = async_openai::client(capture, server);
                let asked = client.chat().create(async_openai::question()).await;
                asked.map(drop).map_err(|error| error.to_string())
            }
            Self::Genai => {
                let client = genai::client(capture);
                let asked = client.exec_chat(genai::target(server), genai::question(), None);
                asked.await.map(drop).map_err(|error| error.to_string())
            }
        }
    }

    async fn stream(self, capture: &Capture, server: &Server) -> Result<Items, String> {
        match self {
            Self::AsyncOpenAi => {
                let client = async_openai::client(capture, server);
                let asked = client.chat().create_stream(async_openai::question()).await;
                let items = asked.map_err(|error| error.to_string())?;
                let item = |item: Result<_, async_openai::Error>| {
                    item.map(drop).map_err(|error| error.to_string())
                };
                Ok(Box::pin(items.map(item)))
            }
            Self::Genai => {
                let client = genai::client(capture);
                let asked = client.exec_chat_stream(genai::target(server), genai::question(), None);
                let items = asked.await.map_err(|error| error.to_string())?.stream;
                let item = |item: Result<_, ::genai::Error>| {
                    item.map(drop).map_err(|error| error.to_string())
                };
                Ok(Box::pin(items.map(item)))
            }
        }
    }

    /// Reads so many items at most, and says whether there were no more, or what broke.
    async fn read(self, capture: &Capture, server: &Server, most: usize) -> Result<bool, String> {
        let mut items = self.stream(capture, server).await?;
        for _ in 0..most {
            match items.next().await {
                Some(item) => item?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// The call's span and the agent's, which are all there are once both have ended: the client may read its streams elsewhere.
async fn told(capture: &Capture) -> (CapturedRecord, CapturedRecord) {
    soon(async {
        while capture.records().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(capture.in_flight("obs.llm.client.active_calls"), 0);
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 1);
    let records = capture.records();
    let of = |name: &str| {
        let mut named = records.iter().filter(|record| record.name == name);
        named.next().expect("it is there").clone()
    };
    let (call, agent) = (of("chat gpt-4o-mini"), of("invoke_agent guide"));
    assert_eq!(records.len(), 2, "{records:#?}");
    assert_eq!(call.parent_span_id, Some(agent.span_id));
    (call, agent)
}

/// By a server that says no more of it.
fn refused(status: &str) -> Vec<Act> {
    whole(status, "application/json", "{}")
}

#[tokio::test]
async fn a_call_that_is_refused_fails_and_the_turn_as_the_loop_says() {
    for over in OVER {
        for (answer, streams, kind) in [
            (refused("429 Too Many Requests"), false, Some("429")),
            (refused("429 Too Many Requests"), true, Some("429")),
            (refused("500 Internal Server Error"), false, Some("500")),
            (
                whole("200 OK", "application/json", "{nonsense"),
                false,
                None,
            ),
        ] {
            let server = serve(answer).await;
            let capture = Capture::new();
            let agent = turn(&handlers(&capture));
            let asked = async {
                match streams {
                    true => over.read(&capture, &server, usize::MAX).await.map(drop),
                    false => over.ask(&capture, &server).await,
                }
            };
            let error = soon(agent.wrap(asked)).await.expect_err("no answer");
            agent.fail(&RunError::failed("model_error").with_message(&error));
            let (call, agent) = told(&capture).await;
            match kind {
                Some(kind) => assert_eq!(call.error_type(), Some(kind), "{over:?} {streams}"),
                None => assert!(call.error_type().is_some(), "{over:?}"),
            }
            assert_eq!(agent.error_type(), Some("model_error"));
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_of_the_call() {
    let garbage = "data: {nonsense\n\n";
    for over in OVER {
        for answer in [
            begun(&ANSWERING[..3], &[Act::Close]),
            streamed(&[ANSWERING[0], ANSWERING[1], garbage]),
        ] {
            let server = serve(answer).await;
            let capture = Capture::new();
            let agent = turn(&handlers(&capture));
            let read = over.read(&capture, &server, usize::MAX);
            let error = soon(agent.wrap(read)).await;
            agent.end(&Output::Agent(Default::default()));
            let (call, agent) = told(&capture).await;
            assert!(call.error_type().is_some(), "{over:?} {error:?}");
            assert_eq!(agent.error_type(), None);
        }
    }
}

/// However much of the answer there is, nothing says why it ended.
#[tokio::test]
async fn a_stream_that_is_dropped_before_its_end_is_cancelled_and_the_turn_with_it() {
    for over in OVER {
        for there in 1..4 {
            let server = serve(begun(&ANSWERING[..there], &[Act::Hold])).await;
            let capture = Capture::new();
            let agent = turn(&handlers(&capture));
            let read = agent.wrap(over.read(&capture, &server, 1));
            assert_eq!(soon(read).await, Ok(false));
            drop(agent);
            let (call, agent) = told(&capture).await;
            for record in [call, agent] {
                let error = record.error_type();
                assert_eq!(error, Some("cancelled"), "{over:?} {there}");
            }
        }
    }
}

/// All of it may have been read ahead by then.
#[tokio::test]
async fn a_stream_that_is_dropped_at_any_item_has_one_call_that_ended() {
    for over in OVER {
        for most in 0.. {
            let server = serve(answers(true)).await;
            let capture = Capture::new();
            let agent = turn(&handlers(&capture));
            let read = agent.wrap(over.read(&capture, &server, most));
            let has_ended = soon(read).await.expect("unbroken");
            agent.end(&Output::Agent(Default::default()));
            let (call, agent) = told(&capture).await;
            assert_eq!(agent.error_type(), None);
            let error = call.error_type();
            let tokens = call.attr("gen_ai.usage.input_tokens");
            match error {
                None => assert_eq!(tokens, Some(&30.into()), "{over:?} {most}"),
                Some(error) => assert_eq!((error, has_ended), ("cancelled", false)),
            }
            if has_ended {
                break;
            }
        }
    }
}
