//! A call that a client makes, and how it ends: once.

use super::failure::{self, Broke};
use super::settings::{ClientSettings, named};
use crate::descriptor::{
    ADDRESS, ATTEMPTS, METHOD, PORT, REQUEST_SIZE, RESPONSE_SIZE, RPC_CALL, RPC_CALL_NEXT,
    RPC_CLIENT, RPC_CLIENT_NEXT, SYSTEM, System,
};
use crate::kitex::Outgoing;
use ::volo_thrift::ClientError;
use ::volo_thrift::context::{ClientContext, ThriftContext};
use obs_core::semconv::obs;
use obs_core::{
    Active, Descriptor, End, Event, Kind, LabelId, Labels, Moment, Operation, Outcome, Parent,
    current,
};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use volo::context::Context;
use volo::net::Address;

/// Dropped before it is ended, it was given up.
#[derive(Debug)]
pub(crate) struct ClientCall {
    pub(crate) operation: Operation,
    pub(crate) outgoing: Option<Outgoing>,
    settings: &'static ClientSettings,
    wired: bool,
}

/// When the application asked: Volo's timeout counts from there, over all attempts.
struct Asked(Moment);

/// There is a call around the attempts of this context. A layer between may well call others, for a token say: those have
/// contexts of their own.
struct Around;

/// What is current here, if it is an attempt.
pub(crate) fn with_attempt(work: impl FnOnce(&mut Active<'_>)) -> Option<()> {
    current::with(|active| is_thrift(active, [&RPC_CLIENT, &RPC_CLIENT_NEXT]).then(|| work(active)))
        .flatten()
}

/// Whether it is of one of these kinds, and of Thrift: a call of gRPC's may well be current around one.
fn is_thrift(active: &Active<'_>, kinds: [&'static Descriptor; 2]) -> bool {
    let descriptor = active.kind().descriptor();
    kinds.iter().any(|kind| std::ptr::eq(*kind, descriptor))
        && active.label(SYSTEM) == LabelId::closed(System::Thrift as u16)
}

/// The number of an attempt that starts now, if what is current is a call around attempts.
fn count_attempt(call: &mut Active<'_>) -> Option<u64> {
    if !is_thrift(call, [&RPC_CALL, &RPC_CALL_NEXT]) {
        return None;
    }
    let before = call.measure(ATTEMPTS).unwrap_or_default();
    call.set_measure(ATTEMPTS, before + 1);
    Some(before)
}

impl ClientCall {
    pub(crate) fn start(settings: &'static ClientSettings, cx: &mut ClientContext) -> Self {
        let kind = settings.kind;
        // Asked before it is the attempt that is current.
        let attempt = match (settings.logical, cx.extensions().contains::<Around>()) {
            (false, true) => current::with(count_attempt).flatten(),
            _ => None,
        };
        if settings.logical {
            cx.extensions_mut().insert(Around);
        }
        // What the attempt before left.
        cx.extensions_mut().remove::<Broke>();
        let deadline = deadline(kind, cx);
        let callee = cx.rpc_info().callee();
        let labels = Labels::NONE.with(SYSTEM, LabelId::closed(System::Thrift as u16));
        let labels = match &callee.address {
            Some(Address::Ip(address)) => labels
                .with(ADDRESS, address_label(kind, address.ip()))
                .with(PORT, LabelId::number(address.port())),
            _ => labels,
        };
        let service = settings.service.as_ref().or(cx.idl_service_name());
        let service = service.unwrap_or(&callee.service_name);
        let mut operation = named(service, cx.rpc_info().method(), |name| {
            kind.start_with(labels, Some((METHOD, name)), Parent::Current)
        });
        let wired = !settings.logical && settings.wired.load(Ordering::Relaxed);
        let mut outgoing = None;
        if let Some(mut active) = operation.active() {
            if let Some(attempt) = attempt.filter(|attempt| *attempt > 0) {
                active.set(obs::RPC_ATTEMPT, attempt as i64);
            }
            if let Some(deadline) = deadline {
                active.set_deadline(deadline);
            }
            if !callee.service_name.is_empty() {
                active.set(obs::RPC_PEER_SERVICE, &*callee.service_name);
            }
            if wired {
                active.stamp(Event::CLIENT_CONN_START);
            }
            if settings.injects {
                let (propagator, who) = (settings.propagator, &settings.identity);
                outgoing = Some(Outgoing::of(&mut active, propagator, who));
            }
        }
        Self {
            operation,
            outgoing,
            settings,
            wired,
        }
    }

    /// There is an answer, or an error in its place.
    pub(crate) fn end<R>(mut self, cx: &ClientContext, result: &Result<R, ClientError>) {
        let broke = match result {
            Ok(_) => None,
            Err(_) => cx.extensions().get::<Broke>().copied(),
        };
        let Some(mut active) = self.operation.active() else {
            return;
        };
        if self.settings.logical {
            // Sizes are of attempts.
        } else {
            // Where no codec has told them. What stands there after an error may be of the attempt before.
            let stats = &cx.common_stats;
            let sizes = [
                (REQUEST_SIZE, stats.write_size()),
                (RESPONSE_SIZE, stats.read_size()),
            ];
            for (measure, size) in sizes {
                if let Some(size) = size.filter(|_| result.is_ok())
                    && active.measure(measure).is_none()
                {
                    active.set_measure(measure, size as u64);
                }
            }
        }
        let Err(error) = result else {
            return self.operation.end_in_place(Outcome::ANSWERED);
        };
        if self.wired {
            // Where there was a connection, that was earlier.
            active.stamp(Event::CLIENT_CONN_FINISH);
        }
        match error {
            ClientError::Application(exception) => {
                failure::tell_exception(&mut active, exception);
            }
            ClientError::Biz(error) => failure::tell_biz(&mut active, error),
            _ => {}
        }
        self.fail(error, broke);
    }

    #[cold]
    fn fail(&mut self, error: &ClientError, broke: Option<Broke>) {
        let late = self.operation.outcome_if_dropped() == Some(Outcome::TIMED_OUT);
        let outcome = failure::of_client(error, broke, late);
        if outcome == Outcome::TIMED_OUT {
            self.tell_origin("deadline");
        }
        self.operation.end_in_place(outcome);
    }

    fn tell_origin(&mut self, origin: &'static str) {
        if let Some(mut active) = self.operation.active() {
            active.set_static(obs::RPC_CANCEL_ORIGIN, origin);
        }
    }

    /// Whoever waited for it has gone; or it unwinds.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        let Some(outcome) = self.operation.outcome_if_dropped() else {
            return;
        };
        match outcome.end() {
            End::TimedOut => self.tell_origin("deadline"),
            End::Cancelled if current::is_given_up() => self.tell_origin("cascaded"),
            End::Cancelled => self.tell_origin("local"),
            _ => {}
        }
        self.operation.end_in_place(outcome);
    }
}

impl Drop for ClientCall {
    #[inline]
    fn drop(&mut self) {
        if self.operation.is_recording() {
            self.give_up();
        }
    }
}

/// How much of Volo's timeout is left.
fn deadline(kind: &'static Kind, cx: &mut ClientContext) -> Option<Duration> {
    let timeout = cx.rpc_info().config().rpc_timeout()?;
    let now = kind.now();
    let gone = match cx.extensions().get::<Asked>() {
        Some(asked) => kind.between(asked.0, now),
        None => {
            cx.extensions_mut().insert(Asked(now));
            Duration::ZERO
        }
    };
    // It began before we were asked, and must not look like a cancellation.
    let early = (timeout / 64).min(Duration::from_millis(1));
    Some(timeout.saturating_sub(gone + early))
}

fn address_label(kind: &Kind, address: IpAddr) -> LabelId {
    // The longest of version 6 has 45.
    let mut text = Text {
        bytes: [0; 48],
        len: 0,
    };
    match write!(text, "{address}") {
        Ok(()) => kind.label(ADDRESS, text.as_str()),
        Err(_) => LabelId::ABSENT,
    }
}

/// A short text, without an allocation.
struct Text {
    bytes: [u8; 48],
    len: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let place = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
