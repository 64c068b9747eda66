//! The side that asks.

use super::classify::of_status;
use super::connector::peer;
use super::settings::Settings;
use crate::classify::{self, BROKEN_BODY, Classify};
use crate::descriptor::VERSION;
use crate::descriptor::client::DIALLED;
use crate::exchange::settings::Common;
use crate::exchange::side::{BodySide, Side};
use crate::target::version;
use http::{Response, StatusCode};
use obs_core::semconv::{network, obs};
use obs_core::{Active, Event, Outcome};

/// What a client's future knows.
#[derive(Clone, Debug)]
pub struct Asking<C> {
    pub(crate) settings: &'static Settings,
    pub(crate) classify: C,
}

/// What a client's body knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<C> {
    /// `None` where nothing was asked.
    settings: Option<&'static Settings>,
    classify: C,
}

impl<C: Classify<E> + Clone, E> Side<E> for Asking<C> {
    type Body = Asked<C>;
    const AT_HEAD: &'static [Event] = &[Event::RESPONSE_HEAD];
    const AT_ERROR: &'static [Event] = &[];

    #[inline(always)]
    fn common(&self) -> &'static Common {
        &self.settings.common
    }

    #[inline(always)]
    fn of_status(&self, status: StatusCode) -> Outcome {
        classify::status(self.settings.kind, &self.classify, status, of_status)
    }

    fn of_error(&self, error: &E) -> Outcome {
        classify::error(self.settings.kind, || self.classify.classify_error(error))
    }

    #[inline(always)]
    fn at_head<B>(&self, active: &mut Active<'_>, response: &Response<B>, outcome: Outcome) {
        // Whoever has the head and drops the body has seen enough: that is no error, and an answer that was one stays it.
        active.set_dropped(if outcome.is_error() {
            outcome
        } else {
            Outcome::cancelled_on_purpose()
        });
        // What was asked for may have become another version on the way.
        active.set_label(VERSION, version(response.version()));
        if self.settings.connections {
            let dialled = active.measure(DIALLED).is_some();
            active.set(obs::CONNECTION_REUSED, !dialled);
        }
        if self.settings.addresses
            && let Some(peer) = peer(response.extensions())
        {
            active.set(network::PEER_ADDRESS, peer.ip());
            active.set(network::PEER_PORT, peer.port());
        }
    }

    #[inline(always)]
    fn body(&self) -> Asked<C> {
        Asked {
            settings: Some(self.settings),
            classify: self.classify.clone(),
        }
    }
}

impl<C: Classify<E>, E> BodySide<E> for Asked<C> {
    const FIRST: Event = Event::READ_START;
    const DATA: Event = Event::STREAM_RECV;
    const LAST: Event = Event::READ_FINISH;

    fn of_broken(&self, error: &E) -> Outcome {
        match self.settings {
            Some(settings) => settings
                .kind
                .contain(BROKEN_BODY, || self.classify.classify_body_error(error)),
            None => BROKEN_BODY,
        }
    }
}
