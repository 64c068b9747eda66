//! async-openai 0.43, with its feature `middleware`: a layer of the tower service that sends its requests.
//!
//! Whatever its client asks a model for (chats, responses, embeddings; at once or as a stream) is a call, as it is for
//! [`LlmClientLayer`](crate::LlmClientLayer), and told by the same bytes: all that the crate's front page lists. Everything else that
//! it sends passes untouched.
//!
//! ```
//! # use async_openai::error::OpenAIError;
//! # use async_openai::middleware::HttpRequestFactory;
//! # use async_openai::types::chat::{ChatCompletionStreamOptions, CreateChatCompletionRequestArgs};
//! # use futures_util::StreamExt;
//! use async_openai::Client;
//! use async_openai::config::OpenAIConfig;
//! use async_openai::middleware::ReqwestService;
//! use async_openai::middleware::retry::OpenAIRetryLayer;
//! use obs_llm::adapters::async_openai::AsyncOpenAiLayer;
//! use tower::ServiceBuilder;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let capture = obs_testing::Capture::new();
//! # let telemetry = *capture.telemetry();
//! let stack = ServiceBuilder::new()
//!     .layer(AsyncOpenAiLayer::new(&telemetry))
//!     .layer(OpenAIRetryLayer::default())
//!     .service(ReqwestService::default());
//! let client = Client::with_config(OpenAIConfig::default()).with_http_service(stack);
//! # // The same, before somebody who answers from here.
//! # let stack = ServiceBuilder::new()
//! #     .layer(AsyncOpenAiLayer::new(&telemetry))
//! #     .layer(OpenAIRetryLayer::default())
//! #     .service(tower::service_fn(|factory: HttpRequestFactory| async move {
//! #         factory.build().await?;
//! #         let events = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n\
//! #             data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1,\"total_tokens\":9}}\n\n\
//! #             data: [DONE]\n\n";
//! #         let answer = http::Response::builder().header("content-type", "text/event-stream").body(events);
//! #         Ok::<reqwest::Response, OpenAIError>(answer.expect("a head").into())
//! #     }));
//! # let client = Client::with_config(OpenAIConfig::default()).with_http_service(stack);
//!
//! let request = CreateChatCompletionRequestArgs::default()
//!     .model("gpt-4o")
//!     .messages(vec![])
//!     .stream_options(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None })
//!     .build()?;
//! let mut stream = client.chat().create_stream(request).await?;
//! while let Some(chunk) = stream.next().await {
//!     // …
//! #     chunk?;
//! }
//! # let record = capture.record();
//! # assert_eq!(record.name, "chat gpt-4o");
//! # assert_eq!(record.error_type(), None);
//! # assert_eq!(record.text("gen_ai.provider.name"), Some("openai"));
//! # assert_eq!(record.attr("gen_ai.usage.output_tokens"), Some(&1.into()));
//! # Ok(())
//! # }
//! ```
//!
//! **Retries** are part of a call where the layer stands outside of them; inside, each attempt is a call. `with_http_service` takes the
//! place of all that the client does by itself, its retries included: a stack that is to have them names them, as above.
//!
//! **Tokens of a stream** are told where they are asked for, by `stream_options`. Nobody asks for them behind the client's back.
//!
//! **Times** are those at which bytes arrive. The client reads a stream in a task of its own, as fast as it comes, whoever is
//! slow to take its items. So a reader that panics has given the stream up, and the call is cancelled.
//!
//! **Timeouts**: reqwest's own and tower's are `timeout` where they are inside of the layer and the head of an answer has not come. Who
//! gives up outside has cancelled the call, unless the layer was told the [deadline](crate::LlmClientLayer::with_deadline).
//!
//! # HTTP beneath it
//!
//! A span for each attempt, connections, and the trace's context in its headers are told by `obs-http`'s layer, around a client for
//! requests of the `http` crate. This is the step to those:
//!
//! ```
//! # use async_openai::config::OpenAIConfig;
//! # use async_openai::types::chat::CreateChatCompletionRequest;
//! use async_openai::error::OpenAIError;
//! use async_openai::middleware::HttpRequestFactory;
//! use async_openai::middleware::retry::OpenAIRetryLayer;
//! use obs_http::HttpClientLayer;
//! use obs_http::client::Reqwest;
//! use obs_llm::adapters::async_openai::AsyncOpenAiLayer;
//! use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let capture = obs_testing::Capture::new();
//! # let telemetry = *capture.telemetry();
//! let sends = HttpClientLayer::new(&telemetry).layer(Reqwest::build(reqwest::Client::builder())?);
//! let stack = ServiceBuilder::new()
//!     .layer(AsyncOpenAiLayer::new(&telemetry))
//!     .layer(OpenAIRetryLayer::default())
//!     .service(service_fn(move |factory: HttpRequestFactory| {
//!         let sends = sends.clone();
//!         async move {
//!             let request: http::Request<reqwest::Body> = factory.build().await?.try_into()?;
//!             let response = sends.oneshot(request).await?;
//!             Ok::<reqwest::Response, OpenAIError>(response.map(reqwest::Body::wrap).into())
//!         }
//!     }));
//! # // Nobody is there: four attempts of one call.
//! # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
//! # let config = OpenAIConfig::new().with_api_base(format!("http://{nobody}/v1"));
//! # let client = async_openai::Client::with_config(config).with_http_service(stack);
//! # let asked = CreateChatCompletionRequest { model: "gpt-4o".into(), ..Default::default() };
//! # assert!(client.chat().create(asked).await.is_err());
//! # let records = capture.records();
//! # assert_eq!(records.iter().filter(|record| record.name == "chat gpt-4o").count(), 1);
//! # assert_eq!(records.iter().filter(|record| record.name == "POST").count(), 4);
//! # Ok(())
//! # }
//! ```

mod layer;
mod service;

pub use layer::AsyncOpenAiLayer;
pub use service::{AsyncOpenAi, ResponseFuture};
