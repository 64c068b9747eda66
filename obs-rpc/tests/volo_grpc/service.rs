//! A service with a method of each kind, for Volo. What a request says is what happens: `fail 5`, `panic`, `hang`; after `then`
//! it happens when the first message is answered.

use crate::generated::{Echo, Said};
use metainfo::{Forward, METAINFO};
use obs_rpc::volo_grpc::BinaryMetadata;
use std::sync::Arc;
use tokio::sync::Notify;
use volo_grpc::codegen::StreamExt;
use volo_grpc::codegen::futures::stream;
use volo_grpc::{BoxStream, Code, RecvStream, Request, Response, Status};

#[derive(Clone, Debug, Default)]
pub(crate) struct Acts {
    /// A handler hangs now.
    pub(crate) hangs: Arc<Notify>,
    /// The first answer has arrived.
    pub(crate) goes_on: Arc<Notify>,
}

pub(crate) fn say(text: &str, count: u32) -> Said {
    Said {
        text: text.to_owned().into(),
        count,
    }
}

impl Acts {
    pub(crate) async fn act(&self, text: &str) -> Result<(), Status> {
        match text.split_once(' ') {
            Some(("fail", code)) => {
                let code: i32 = code.parse().expect("a number");
                return Err(Status::new(Code::from(code), "asked for"));
            }
            _ if text == "panic" => panic!("asked for"),
            _ if text == "hang" => {
                self.hangs.notify_one();
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        Ok(())
    }

    /// When the first answer is answered.
    async fn act_then(&self, text: &str) -> Result<(), Status> {
        if text != "hang" {
            self.goes_on.notified().await;
        }
        self.act(text).await
    }

    /// `count` answers, after the first of which happens what is to happen then.
    fn answers(self, said: Said) -> BoxStream<'static, Result<Said, Status>> {
        let answer = move |at: u32| {
            let (this, said) = (self.clone(), said.clone());
            async move {
                if at == 1
                    && let Some(text) = said.text.strip_prefix("then ")
                {
                    this.act_then(text).await?;
                }
                Ok::<_, Status>((at < said.count).then(|| (say("answer", at), at + 1)))
            }
        };
        Box::pin(stream::try_unfold(0, answer))
    }
}

/// What a handler finds: `binary k` in the metadata, `hidden k` beside it, `metadata k`, `metainfo k`.
fn look_up(request: &Request<Said>) -> Option<String> {
    let (place, key) = request.get_ref().text.split_once(' ')?;
    let metadata = request.metadata();
    Some(match place {
        "binary" => match metadata.get_bin(key) {
            Some(value) => format!("{:?}", value.to_bytes().expect("base64").as_ref()),
            None => "none".to_owned(),
        },
        "hidden" => {
            let hidden = request.extensions().get::<BinaryMetadata>();
            let value = hidden.and_then(|hidden| hidden.get(key));
            value
                .map_or("none", |value| value.to_str().expect("base64"))
                .to_owned()
        }
        "metadata" => {
            let value = metadata.get(key).map(|value| value.to_str().expect("text"));
            value.unwrap_or("none").to_owned()
        }
        "metainfo" => {
            let value = METAINFO.with(|info| info.borrow().get_upstream(key));
            value.map_or("none".to_owned(), |value| value.to_string())
        }
        _ => return None,
    })
}

type Answers = BoxStream<'static, Result<Said, Status>>;

impl Echo for Acts {
    async fn unary(&self, request: Request<Said>) -> Result<Response<Said>, Status> {
        if let Some(found) = look_up(&request) {
            return Ok(Response::new(say(&found, 0)));
        }
        let said = request.into_inner();
        self.act(&said.text).await?;
        Ok(Response::new(said))
    }

    async fn server_stream(&self, request: Request<Said>) -> Result<Response<Answers>, Status> {
        let said = request.into_inner();
        self.act(&said.text).await?;
        Ok(Response::new(self.clone().answers(said)))
    }

    async fn client_stream(
        &self,
        request: Request<RecvStream<Said>>,
    ) -> Result<Response<Said>, Status> {
        let mut messages = request.into_inner();
        let mut count = 0;
        while let Some(said) = messages.next().await {
            self.act(&said?.text).await?;
            count += 1;
        }
        Ok(Response::new(say("counted", count)))
    }

    async fn bidi(&self, request: Request<RecvStream<Said>>) -> Result<Response<Answers>, Status> {
        let mut messages = request.into_inner();
        let first = messages.next().await;
        let first = first.ok_or_else(|| Status::invalid_argument("nothing"))??;
        self.act(&first.text).await?;
        let this = self.clone();
        let state = (messages, Some(first), false);
        let answers = stream::try_unfold(state, move |(mut messages, waiting, then)| {
            let this = this.clone();
            async move {
                let said = match waiting {
                    Some(said) => said,
                    None => match messages.next().await {
                        Some(said) => said?,
                        None => return Ok(None),
                    },
                };
                if then && let Some(text) = said.text.strip_prefix("then ") {
                    this.act_then(text).await?;
                }
                // What is to happen then happens when its answer is on its way.
                let again = (!then && said.text.starts_with("then ")).then(|| said.clone());
                Ok::<_, Status>(Some((said, (messages, again, true))))
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
