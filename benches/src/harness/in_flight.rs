//! Memory: what each exchange that waits for its handler holds on the heap.

use std::{any::Any, fmt};

use http::{Request, Response};
use tower_service::Service;

use super::{
    alloc::Counts,
    report::Report,
    service::{RequestBody, Requests},
};

/// Exchanges open at once, unless a case says otherwise.
const OPEN: usize = 10_000;

/// Opens that many exchanges and gives back what keeps them open.
type Open = Box<dyn Fn(usize) -> Box<dyn Any>>;

/// The same handler waiting without and with the instrument.
pub(crate) struct InFlight {
    bare: Open,
    with: Open,
    open: usize,
    account: Box<dyn Fn(u64) -> Result<String, String>>,
}

impl InFlight {
    pub(crate) fn new<Bare, With, A, B>(
        requests: &Requests,
        bare: Bare,
        with: With,
        account: impl Fn(u64) -> Result<String, String> + 'static,
    ) -> Self
    where
        Bare: Service<Request<RequestBody>, Response = Response<A>> + Clone + 'static,
        With: Service<Request<RequestBody>, Response = Response<B>> + Clone + 'static,
    {
        Self {
            bare: opener(requests.clone(), bare),
            with: opener(requests.clone(), with),
            open: OPEN,
            account: Box::new(account),
        }
    }

    /// Of whatever opens so many.
    pub(crate) fn of(
        bare: impl Fn(usize) -> Box<dyn Any> + 'static,
        with: impl Fn(usize) -> Box<dyn Any> + 'static,
        account: impl Fn(u64) -> Result<String, String> + 'static,
    ) -> Self {
        Self {
            bare: Box::new(bare),
            with: Box::new(with),
            open: OPEN,
            account: Box::new(account),
        }
    }

    /// So many at once.
    pub(crate) fn with_open(mut self, open: usize) -> Self {
        self.open = open;
        self
    }

    /// Live bytes per open exchange, with minus without, of so many at most.
    pub(crate) fn measure(&self, report: &mut Report, at_most: usize) {
        let (open, first) = (self.open.min(at_most), self.open.min(100));
        // What a thread needs once is not an exchange's.
        drop((self.with)(first));
        let bare = held_by(&self.bare, open);
        let with = held_by(&self.with, open);
        report.put("held", (with - bare) as f64 / open as f64);
        report.account = Some((self.account)((open + first) as u64));
    }
}

fn held_by(open: &Open, count: usize) -> i64 {
    let before = Counts::here();
    let held = open(count);
    let bytes = Counts::since(before).live;
    drop(held);
    bytes
}

fn opener<S, B>(requests: Requests, service: S) -> Open
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + 'static,
{
    Box::new(move |count| {
        let exchanges: Vec<_> = (0..count)
            .map(|_| {
                let mut service = service.clone();
                let mut exchange = Box::pin(service.call(requests.next()));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(
                    exchange.as_mut().poll(&mut context).is_pending(),
                    "the handler waits"
                );
                exchange
            })
            .collect();
        Box::new(exchanges)
    })
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}
