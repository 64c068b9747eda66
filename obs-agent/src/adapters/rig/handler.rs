//! Handlers of the bus: what serves a dispatch is polled within the run that it is, and of a model's answer more is seen here than
//! the hook is told.

use super::RigObserver;
use super::child::{Child, GivenUp};
use super::course::Course;
use super::failure::{Failure, INCOMPLETE};
use super::links::Link;
use super::told::{self, About, Said, Telling};
use crate::current::{Scope, within};
use crate::failure::RunEnd;
use crate::run::{RunParent, RunRef};
use futures_core::Stream;
use rig_core::effect::{EffectFamily, EffectId, EffectKind, HandlerDescriptor};
use rig_core::error::ErrorReport;
use rig_core::serve::{Dispatch, Reply, Serve};
use rig_core::streaming::{Relayed, StreamEvents};
use std::fmt;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

/// A handler whose dispatches are runs: see [`RigObserver::handler`].
#[derive(Clone, Debug)]
pub struct ObservedHandler<S> {
    inner: S,
    observer: RigObserver,
    about: About,
}

impl<S> ObservedHandler<S> {
    pub(super) fn new(inner: S, observer: &RigObserver, about: About) -> Self {
        Self {
            inner,
            observer: observer.clone(),
            about,
        }
    }

    /// The handler inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The handler inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Serve> Serve for ObservedHandler<S> {
    type Family = S::Family;

    /// The one of the handler inside: it decides nothing, so that a log of what was served reads the same.
    fn descriptor(&self) -> HandlerDescriptor {
        self.inner.descriptor()
    }

    async fn serve(&self, kind: EffectKind, dispatch: Dispatch) -> Reply {
        let serving = Serving::of(&self.observer, dispatch.id(), &kind, &self.about);
        let reference = serving.reference().cloned();
        let serve = self.inner.serve(kind, dispatch);
        let reply = match &reference {
            Some(reference) => reference.wrap(serve).await,
            None => serve.await,
        };
        match reply {
            Reply::Outcome(outcome) => {
                if let Some(told) = serving.told {
                    let failure = told.run.0.take().and_then(|run| told::end(run, &outcome));
                    told.ended(failure);
                }
                Reply::Outcome(outcome)
            }
            Reply::Stream(stream) => Reply::Stream(Box::pin(Watched {
                inner: Some(stream),
                scope: reference.as_ref().map(RunRef::scope),
                told: serving.told,
                said: Said::default(),
            })),
        }
    }
}

/// What is to be done while something is served.
struct Serving {
    /// What it is within, where others tell it.
    around: Option<RunRef>,
    told: Option<Told>,
}

impl Serving {
    fn of(observer: &RigObserver, id: EffectId, kind: &EffectKind, about: &About) -> Self {
        let is_model = kind.family() == EffectFamily::Completion;
        let around = |around| Self { around, told: None };
        match observer.links.get(id) {
            Err(_) => around(None),
            Ok(Some(Link::Around(run))) => around(run),
            // Of anything but a model the hook is told how it ended, and knows what other hooks made of that.
            Ok(Some(Link::Run(child, _))) if !is_model => around(child.reference().cloned()),
            Ok(Some(Link::Run(child, course))) => match child.take_over() {
                true => Self {
                    around: None,
                    told: Some(Told::new(child, Some((course, id)))),
                },
                // Another one of ours stands around this one.
                false => around(child.reference().cloned()),
            },
            // rig tells its hooks of it not at all.
            Ok(None) => {
                let parent = observer.links.only();
                if is_model && !observer.settings.tells_models {
                    return around(parent);
                }
                let telling = Telling {
                    handlers: &observer.handlers,
                    parent: match &parent {
                        Some(parent) => RunParent::Of(parent),
                        None => RunParent::Current,
                    },
                    about,
                    call_id: None,
                    attempt: 0,
                };
                let told = telling
                    .begin(kind)
                    .map(|run| Told::new(Child::new(run), None));
                Self {
                    around: parent.filter(|_| told.is_none()),
                    told,
                }
            }
        }
    }

    fn reference(&self) -> Option<&RunRef> {
        match &self.told {
            Some(told) => told.run.0.reference(),
            None => self.around.as_ref(),
        }
    }
}

/// A run that is told here. Where it is dropped it was given up.
#[derive(Debug)]
struct Told {
    run: GivenUp,
    course: Option<(Weak<Course>, EffectId)>,
}

impl Told {
    fn new(run: Child, course: Option<(Weak<Course>, EffectId)>) -> Self {
        Self {
            run: GivenUp(run),
            course,
        }
    }

    fn ended(self, failure: Option<Failure>) {
        if let Some((course, id)) = &self.course
            && let Some(course) = course.upgrade()
        {
            course.served(*id, failure);
        }
    }

    fn cut(self) {
        let failure = Failure::new(RunEnd::Failed, INCOMPLETE, "");
        if let Some(run) = self.run.0.take() {
            run.fail(&failure.error());
        }
        self.ended(Some(failure));
    }
}

/// An answer, looked into as it passes.
struct Watched {
    inner: Option<StreamEvents>,
    scope: Option<Scope>,
    told: Option<Told>,
    said: Said,
}

impl Stream for Watched {
    type Item = Result<Relayed, ErrorReport>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled = within(this.scope.as_ref(), || inner.as_mut().poll_next(cx));
        match (&polled, &this.told) {
            (Poll::Ready(Some(item)), Some(told)) => {
                let failure = told::relayed(&told.run.0, item, &mut this.said);
                let is_over = matches!(item, Ok(Relayed::Done(_)) | Err(_));
                if let Some(told) = this.told.take_if(|_| is_over) {
                    told.ended(failure);
                }
            }
            (Poll::Ready(None), Some(_)) => {
                if let Some(told) = this.told.take() {
                    told.cut();
                }
            }
            _ => {}
        }
        polled
    }
}

impl Drop for Watched {
    /// What sends goes first, within the run; then that is told.
    fn drop(&mut self) {
        let inner = self.inner.take();
        within(self.scope.as_ref(), || drop(inner));
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}
