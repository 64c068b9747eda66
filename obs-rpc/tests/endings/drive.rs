//! Takes a call of a kind to its ending.

use crate::echo::{Said, say};
use crate::world::World;
use crate::{Ending, Kind, PATIENCE, TIMEOUT};
use std::pin::pin;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Streaming};

/// What the caller has seen: a status, or nothing where it did not wait for one.
pub(crate) type Seen = Option<Code>;

impl World {
    pub(crate) async fn drive(&self, kind: Kind, ending: Ending) -> Seen {
        let driven = self.call(kind, ending);
        let driven = timeout(PATIENCE, driven).await;
        driven.unwrap_or_else(|_| panic!("{kind:?} to {ending:?} comes to no end"))
    }

    async fn call(&self, kind: Kind, ending: Ending) -> Seen {
        let path = format!("/test.Ending/{kind:?}").parse().expect("a path");
        let codec = self.codec;
        let mut client = self.client.clone();
        client.ready().await.expect("it is connected");
        let (messages, request) = mpsc::channel(2);
        let send = |said| messages.try_send(said).expect("there is room for two");
        send(say("m", 0));
        let open = kind.asks_many() && (kind == Kind::Bidi || ending.leaves_request_open());
        if kind == Kind::ClientStream && !open {
            send(say("m", 0));
        }
        let mut messages = open.then_some(messages);
        match kind {
            Kind::Unary => {
                let call = client.unary(of(ending, say("m", 0)), path, codec);
                self.until_head(ending, async { call.await.map(drop) })
                    .await
            }
            Kind::ClientStream => {
                let request = of(ending, ReceiverStream::new(request));
                let call = client.client_streaming(request, path, codec);
                self.until_head(ending, async { call.await.map(drop) })
                    .await
            }
            Kind::ServerStream | Kind::Bidi => {
                let mut answers = None;
                let seen = if kind == Kind::Bidi {
                    let request = of(ending, ReceiverStream::new(request));
                    let call = client.streaming(request, path, codec);
                    let call = async { call.await.map(|it| answers = Some(it.into_inner())) };
                    self.until_head(ending, call).await
                } else {
                    let call = client.server_streaming(of(ending, say("m", 0)), path, codec);
                    let call = async { call.await.map(|it| answers = Some(it.into_inner())) };
                    self.until_head(ending, call).await
                };
                match answers {
                    Some(answers) => self.stream(ending, answers, &mut messages).await,
                    None => seen,
                }
            }
        }
    }

    /// Until there is a response, or whatever comes in its place.
    async fn until_head(
        &self,
        ending: Ending,
        call: impl Future<Output = Result<(), tonic::Status>>,
    ) -> Seen {
        let mut call = pin!(call);
        if matches!(
            ending,
            Ending::DropBeforeHeaders | Ending::KilledBeforeHeaders
        ) {
            tokio::select! {
                _ = &mut call => panic!("it does not answer"),
                () = self.meeting.arrived.notified() => {}
            }
            match ending {
                Ending::DropBeforeHeaders => return None,
                _ => self.cut(),
            }
        }
        let answer = call.await;
        Some(answer.map_or_else(|status| status.code(), |()| Code::Ok))
    }

    async fn stream(
        &self,
        ending: Ending,
        mut answers: Streaming<Said>,
        messages: &mut Option<mpsc::Sender<Said>>,
    ) -> Seen {
        if let Err(status) = answers.message().await {
            return Some(status.code());
        }
        match ending {
            Ending::DropMidStream => return None,
            Ending::KilledMidStream => self.cut(),
            _ => self.meeting.go_on.notify_one(),
        }
        // Its second message, and no more.
        if ending == Ending::Ok
            && let Some(messages) = messages.take()
        {
            messages.try_send(say("m", 0)).expect("there is room");
        }
        loop {
            match answers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Some(Code::Ok),
                Err(status) => return Some(status.code()),
            }
        }
    }
}

fn of<T>(ending: Ending, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if ending == Ending::DeadlineOfBoth {
        request.set_timeout(TIMEOUT);
    }
    request
}
