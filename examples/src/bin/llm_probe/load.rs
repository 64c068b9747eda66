//! The caller: sends what the plan says through a client, keeps what the client gave, and drops it where the plan says so.

use crate::Result;
use crate::engine::{Account, Engine, Slot};
use crate::plain::{Ear, Heard};
use crate::plan::{COMPLETIONS, Case, Cut, Plan, SLOTS};
use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full};
use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, Key, Labels, Outcome, Parent, Scope, Telemetry};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::codegen::http::{Request, Response};
use tower::{Service, ServiceExt};

static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: "",
};

/// What a call of a model is a child of, to know it by.
static CASE: Descriptor = Descriptor {
    name: "probe",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("probe"),
};
pub(crate) const NUMBER: &str = "probe.case";

/// What the caller had of a call.
#[derive(Clone, Debug)]
pub(crate) struct Saw {
    pub(crate) case: Case,
    /// Absent without a head.
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) heard: Heard,
    /// From before the call to after the first chunk with content.
    pub(crate) first_content: Option<Duration>,
    pub(crate) ended: Ended,
    /// What the engine did for it, by its slot, if it was cut.
    pub(crate) spent: Option<Account>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Whole,
    Dropped,
    Failed(String),
}

/// Sends through a client to the relay; asks the engine itself only what became of what was cut.
#[derive(Clone, Debug)]
pub(crate) struct Caller<S> {
    pub(crate) service: S,
    pub(crate) telemetry: Telemetry,
    pub(crate) relay: SocketAddr,
    pub(crate) engine: Engine,
}

impl<S, B> Caller<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: std::fmt::Debug + Send,
    S::Future: Send,
    B: tonic::codegen::Body + Send,
    B::Error: std::fmt::Debug,
{
    /// The whole plan.
    pub(crate) async fn run(&self, plan: &Plan) -> Result<Vec<Saw>> {
        let mut saw = Vec::new();
        for case in plan.alone.iter().chain(&plan.refused) {
            saw.push(self.call(case.clone()).await);
        }
        saw.extend(self.at_once(&plan.together, SLOTS).await?);
        saw.extend(self.at_once(&plan.crowded, 2 * SLOTS).await?);
        saw.extend(self.again(plan.cut.clone()).await?);
        let mut slots = JoinSet::new();
        for slot in 0..SLOTS {
            let cases = plan
                .cut_together
                .iter()
                .filter(|case| case.slot == Some(slot));
            let (caller, cases) = (self.clone(), cases.cloned().collect::<Vec<_>>());
            slots.spawn(async move {
                let mut saw = Vec::new();
                for case in cases {
                    saw.push(caller.call_cut(case, slot..slot + 1).await?);
                }
                Ok::<_, crate::Failure>(saw)
            });
        }
        while let Some(slot) = slots.join_next().await {
            saw.extend(slot??);
        }
        for (holds, queued) in plan.queued.clone() {
            saw.extend(self.queued(holds, queued).await?);
        }
        Ok(saw)
    }

    /// Any cases, one after another.
    pub(crate) async fn again(&self, cases: Vec<Case>) -> Result<Vec<Saw>> {
        let mut saw = Vec::new();
        for case in cases {
            saw.push(match case.cut {
                Some(_) => self.call_cut(case, 0..SLOTS).await?,
                None => self.call(case).await,
            });
        }
        Ok(saw)
    }

    /// So many at a time.
    async fn at_once(&self, cases: &[Case], most: usize) -> Result<Vec<Saw>> {
        let (mut running, mut saw) = (JoinSet::new(), Vec::new());
        for case in cases {
            if running.len() == most
                && let Some(ended) = running.join_next().await
            {
                saw.push(ended?);
            }
            let (caller, case) = (self.clone(), case.clone());
            running.spawn(async move { caller.call(case).await });
        }
        while let Some(ended) = running.join_next().await {
            saw.push(ended?);
        }
        Ok(saw)
    }

    /// One that runs, and one that is cut while it waits for the first one's slot. The engine lets it run all the same, when
    /// others give it no rest to look who has gone.
    async fn queued(&self, holds: Case, queued: Case) -> Result<[Saw; 2]> {
        let slot = queued.slot.ok_or("it waits for no slot")?;
        let caller = self.clone();
        let holder = tokio::spawn(async move { caller.call(holds).await });
        let state = move |engine: Engine| engine.slot(slot);
        let held = loop {
            let state = blocking(self.engine, state).await?;
            if state.runs {
                break state;
            }
        };
        let tokens = self.tokens_of(&queued).await?;
        let mut queued = self.call(queued).await;
        let holder = holder.await?;
        queued.spent = Some(self.spent(&[held], slot..slot + 1, tokens).await?);
        Ok([holder, queued])
    }

    /// One that is cut, and what the engine did for it in whichever of these slots.
    async fn call_cut(&self, case: Case, slots: Range<usize>) -> Result<Saw> {
        let tokens = self.tokens_of(&case).await?;
        let range = slots.clone();
        let before = blocking(self.engine, move |engine| idle(engine, range)).await?;
        let mut saw = self.call(case).await;
        let mut spent = self.spent(&before, slots, tokens).await?;
        // Anthropic's interface has no switch for the cache, but says first what came of it.
        spent.cached = saw.heard.cached.unwrap_or_default();
        spent.read -= spent.cached;
        saw.spent = Some(spent);
        Ok(saw)
    }

    async fn tokens_of(&self, case: &Case) -> Result<u64> {
        let (prompt, is_chat) = (case.prompt().to_owned(), case.path != COMPLETIONS);
        blocking(self.engine, move |engine| {
            engine.tokens_of(&prompt, is_chat)
        })
        .await
    }

    /// What was done in one of these slots since they were as before.
    async fn spent(&self, before: &[Slot], slots: Range<usize>, tokens: u64) -> Result<Account> {
        // It may still be on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let after = blocking(self.engine, move |engine| idle(engine, slots)).await?;
        let ran = before.iter().zip(&after);
        let mut ran = ran.filter(|(before, after)| before.task != after.task);
        match (ran.next(), ran.next()) {
            (None, _) => Ok(Account::default()),
            (Some((_, slot)), None) => Ok(slot.spent(tokens)),
            _ => Err("more ran than this".into()),
        }
    }

    async fn call(&self, case: Case) -> Saw {
        let mut operation = self.telemetry.kind(&CASE).start(Labels::NONE, Parent::Root);
        operation.set(Key::new(&NUMBER), case.number as i64);
        let call = self.clone().observed(case);
        operation.instrument(call, |_| Outcome::ANSWERED).await
    }

    async fn observed(self, case: Case) -> Saw {
        let url = format!("http://{}{}", self.relay, case.path);
        let request = Request::post(url)
            .header("content-type", "application/json")
            .body(Full::from(case.body.to_string()));
        let mut saw = Saw {
            case,
            status: None,
            body: Vec::new(),
            heard: Heard::default(),
            first_content: None,
            ended: Ended::Dropped,
            spent: None,
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => return saw.failed(&error),
        };
        let begun = Instant::now();
        let answer = self.service.oneshot(request);
        let answer = match saw.case.cut {
            Some(Cut::Waiting(time)) => match tokio::time::timeout(time, answer).await {
                Ok(answer) => answer,
                Err(_) => return saw,
            },
            _ => answer.await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return saw.failed(&error),
        };
        saw.status = Some(answer.status().as_u16());
        let content_type = answer.headers().get("content-type");
        let streamed =
            content_type.is_some_and(|it| it.as_bytes().starts_with(b"text/event-stream"));
        if matches!(saw.case.cut, Some(Cut::AtHead | Cut::Waiting(_))) {
            return saw;
        }
        let mut body = Box::pin(answer.into_body());
        let mut ear = Ear::new(saw.case.path, streamed);
        saw.ended = loop {
            let frame = match body.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => break Ended::Failed(format!("{error:?}")),
                None => break Ended::Whole,
            };
            let now = Instant::now();
            if let Ok(mut data) = frame.into_data() {
                while data.has_remaining() {
                    let length = data.chunk().len();
                    saw.body.extend_from_slice(data.chunk());
                    data.advance(length);
                }
            }
            let chunks = ear.hear(&saw.body);
            if chunks > 0 && saw.first_content.is_none() {
                saw.first_content = Some(now.duration_since(begun));
            }
            if matches!(saw.case.cut, Some(Cut::After(after)) if chunks >= after) {
                break Ended::Dropped;
            }
        };
        saw.heard = ear.ended(&saw.body);
        saw
    }
}

impl Saw {
    fn failed(mut self, error: &dyn std::fmt::Debug) -> Self {
        self.ended = Ended::Failed(format!("{error:?}"));
        self
    }
}

fn idle(engine: Engine, slots: Range<usize>) -> Result<Vec<Slot>> {
    slots.map(|slot| engine.idle_slot(slot)).collect()
}

/// Asks the engine beside the streams that run meanwhile.
async fn blocking<T: Send + 'static>(
    engine: Engine,
    ask: impl FnOnce(Engine) -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(move || ask(engine)).await?
}
