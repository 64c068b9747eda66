//! The tools: some work, one is slow, one is broken, and one goes on and on.

use crate::contract::{Found, Tools, Wanted};
use std::{pin::Pin, time::Duration};
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

/// Where they are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shed;

const AT_ONCE: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(1);
const FAR_TOO_LATE: Duration = Duration::from_secs(60);

impl Tools for Shed {
    type Watch = Pin<Box<dyn Stream<Item = Result<Found, Status>> + Send>>;

    async fn call(&self, request: Request<Wanted>) -> Result<Response<Found>, Status> {
        let tool = &*request.get_ref().tool;
        let text = match tool {
            "almanac" => {
                sleep(SOON).await;
                "High water is at six."
            }
            // It goes through the next thousand years.
            "ephemeris" => {
                sleep(FAR_TOO_LATE).await;
                "It is dark at noon."
            }
            "buoy" => {
                tracing::warn!(tool, "no signal");
                return Err(Status::unavailable("no signal"));
            }
            _ => return Err(Status::not_found("no such tool")),
        };
        tracing::info!(tool, "tool used");
        Ok(Response::new(found(text)))
    }

    async fn watch(&self, request: Request<Wanted>) -> Result<Response<Self::Watch>, Status> {
        let tool = &*request.get_ref().tool;
        let readings = match tool {
            "gauge" => [(AT_ONCE, "Wind is 3"), (SOON, "then 4"), (SOON, "then 5.")],
            // It turns once a minute.
            "lamp" => [
                (AT_ONCE, "Light"),
                (FAR_TOO_LATE, "dark"),
                (FAR_TOO_LATE, "light."),
            ],
            _ => return Err(Status::not_found("no such tool")),
        };
        tracing::info!(tool, "tool watched");
        let readings = tokio_stream::iter(readings).then(|(after, text)| async move {
            sleep(after).await;
            Ok(found(text))
        });
        Ok(Response::new(Box::pin(readings)))
    }
}

fn found(text: &str) -> Found {
    Found {
        text: text.to_owned(),
    }
}
