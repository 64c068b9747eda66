//! Frameworks of agents: an adapter for each that has a place for one, and what to do for any other.
//!
//! | framework | what it has a place for | here |
//! |---|---|---|
//! | rig 0.44 | hooks of a run, handlers of its bus | `rig` (feature `rig`) |
//! | rmcp 3.11 | services of servers and clients, metadata of messages | `rmcp` (feature `rmcp`) |
//! | a loop over async-openai 0.43 or genai 0.7 | nothing above a call of a model | by hand, with [`obs-llm`'s adapter](obs_llm::adapters) beneath |
//! | any other | – | by hand |
//!
//! # A loop by hand
//!
//! A client library knows of calls of models alone, and what makes an agent of them is the application's loop. So the loop says what
//! it does: its turn is a run of the agent, each call of a tool is a run within that, and **what it does in a run is polled in it**, by
//! [`Run::wrap`](crate::Run::wrap). Calls of models are told by `obs-llm`'s adapter around the client, which sees more of them than a
//! loop does (the bytes, the server, the first chunk), and stand within the agent's run because they are made there:
//!
//! ```
//! use obs_agent::{Component, Handlers, Input, Output, RunInfo, RunParent, input};
//! # struct Client;
//! # struct Answer { wants: Option<&'static str>, text: String }
//! # impl Client {
//! #     async fn ask(&self, said: &[String]) -> Answer {
//! #         let wants = (said.len() == 1).then_some("weather");
//! #         Answer { wants, text: "Rain at noon.".to_owned() }
//! #     }
//! # }
//! # async fn weather() -> String { "rain".to_owned() }
//!
//! // A client with an adapter of obs-llm's in it.
//! async fn turn(handlers: &Handlers, client: &Client, question: &str) -> String {
//!     let mut asked = input::AgentInput::default();
//!     asked.turn = Some(1);
//!     let info = RunInfo::new(Component::Agent, "guide");
//!     let agent = handlers.start(info, RunParent::Current, &Input::Agent(asked));
//!     let answer = agent.wrap(async {
//!         let mut said = vec![question.to_owned()];
//!         loop {
//!             let answer = client.ask(&said).await;
//!             let Some(name) = answer.wants else {
//!                 return answer.text;
//!             };
//!             let info = RunInfo::new(Component::Tool, name);
//!             let tool = handlers.start(info, RunParent::Current, &Input::Tool(Default::default()));
//!             said.push(tool.wrap(weather()).await);
//!             tool.end(&Output::Tool(Default::default()));
//!         }
//!     });
//!     let answer = answer.await;
//!     agent.end(&Output::Agent(Default::default()));
//!     answer
//! }
//! # let answer = futures_util::future::FutureExt::now_or_never(turn(&Handlers::new(), &Client, "How is it?"));
//! # assert_eq!(answer.as_deref(), Some("Rain at noon."));
//! ```
//!
//! Dropped anywhere, both runs have ended as cancelled. Who reads a stream of the client's reads it within the agent's run, or lets
//! [`Run::stream_with`](crate::Run::stream_with) do that, where the stream is the agent's answer.
//!
//! What is seen, with a loop that tells its turns and its tools, and the adapter beneath:
//!
//! | | over async-openai | over genai |
//! |---|---|---|
//! | start, end, error, parent of agents and tools | as the loop tells them ([1]) | as the loop tells them ([2]) |
//! | start, end, error, parent of calls of models | yes | yes |
//! | pieces of a stream, the first of them | yes | by its frames, or its events ([3]) |
//! | tokens of a stream | where they are asked for ([4]) | by its frames; else where it is asked to gather them ([5]) |
//! | tokens of a stream that is dropped or breaks off | those that were told by then | by its frames; else – ([5]) |
//! | the model that answers with a stream | yes | by its frames; else – ([6]) |
//! | how fast a stream is read | – ([7]): a task of the client's reads it as fast as it comes | yes |
//! | requests, attempts, connections | by `obs-http`'s layer and a retry layer in the same stack | – ([8]) |
//!
//! [1]: https://docs.rs/async-openai/0.43.0/src/async_openai/client.rs.html#159
//! [2]: https://docs.rs/genai/0.7.2/src/genai/client/builder.rs.html#26
//! [3]: https://docs.rs/genai/0.7.2/src/genai/adapter/adapters/support.rs.html#19
//! [4]: https://docs.rs/async-openai/0.43.0/src/async_openai/types/chat/chat_.rs.html#1168
//! [5]: https://docs.rs/genai/0.7.2/src/genai/chat/chat_stream.rs.html#201
//! [6]: https://docs.rs/genai/0.7.2/src/genai/chat/chat_stream.rs.html#199
//! [7]: https://docs.rs/async-openai/0.43.0/src/async_openai/client.rs.html#836
//! [8]: https://docs.rs/genai/0.7.2/src/genai/webc/web_client.rs.html#65
//!
//! A run of a **model** around a call is not needed, and does no harm: within it the adapter beneath finds a call of a model around and
//! does nothing, so that it is told once, by the run, with what the loop says of it and no more. It is the way for a client that has no
//! adapter. Both need the same [dialect](obs_llm::Dialect).

#[cfg(feature = "rig")]
#[cfg_attr(docsrs, doc(cfg(feature = "rig")))]
pub mod rig;

#[cfg(feature = "rmcp")]
#[cfg_attr(docsrs, doc(cfg(feature = "rmcp")))]
pub mod rmcp;
