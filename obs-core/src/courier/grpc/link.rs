//! One connection and the runtime that it lives in. Both are thrown away at the first failure: what is half open, half
//! closed or stuck goes with them, and the next attempt finds nothing of it.

use std::error::Error as StdError;
use std::mem;
use std::panic::resume_unwind;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tonic::TimeoutExpired;
use tonic::transport::{Channel, Endpoint};
use ureq::http::Uri;

use super::exchange::{Answer, Call, exchange};
use crate::courier::destination::has_usable_port;
use crate::courier::time::now;
use crate::courier::tls::Trust;
use crate::courier::{Destination, USER_AGENT};
use crate::error::Error;

#[derive(Debug)]
pub(super) struct Link {
    endpoint: Endpoint,
    live: Option<Live>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    Late,
    Connection(Box<dyn StdError + Send + Sync>),
    /// A thread or a runtime that the system did not give.
    System(std::io::Error),
}

#[derive(Debug)]
struct Live {
    /// `Some` until it is dropped.
    both: Option<(Runtime, Channel)>,
    /// Whose sockets they are.
    process: u32,
}

impl Link {
    pub(super) fn new(destination: &Destination) -> Result<Self, Error> {
        let bad = |what: &'static str| Error::configuration(what);
        let uri: Uri = destination
            .url
            .parse()
            .map_err(|error| bad("not a URL").with_source(error))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if cfg!(feature = "tls") => true,
            Some("https") => {
                return Err(bad(
                    "`https` needs the feature `tls` of obs-core; enable it, or use `http` to a collector nearby",
                ));
            }
            _ => return Err(bad("it must begin with `http://` or `https://`")),
        };
        if uri.host().is_none_or(str::is_empty) {
            return Err(bad("it has no host"));
        }
        if !{ uri.authority() }.is_none_or(|it| has_usable_port(it.as_str())) {
            return Err(bad("its port is none"));
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(bad(
                "user information has no place in gRPC; put credentials into a header",
            ));
        }
        let trust = Trust::of(destination)?;
        let endpoint = Endpoint::from(uri)
            .user_agent(USER_AGENT)
            .map_err(|error| bad("not usable").with_source(error))?
            .http2_max_header_list_size(MAX_HEADERS);
        let endpoint = if secure {
            trust.given_to_grpc(endpoint)?
        } else {
            endpoint
        };
        Ok(Self {
            endpoint,
            live: None,
        })
    }

    /// One request, answered by `until` or not at all.
    pub(super) fn call(&mut self, call: &Call<'_>, until: Instant) -> Result<Answer, Broken> {
        // A runtime cannot be entered from inside another one, and this may be a thread of the host's.
        if Handle::try_current().is_err() {
            return self.call_here(call, until);
        }
        thread::scope(|scope| {
            let attempt = thread::Builder::new()
                .name("obs-courier-grpc".into())
                .spawn_scoped(scope, || {
                    let _suppressed = Context::enter_telemetry_suppressed_scope();
                    self.call_here(call, until)
                });
            match attempt.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                // Contained and counted where it would have been without the thread.
                Ok(Err(panic)) => resume_unwind(panic),
                Err(refused) => Err(Broken::System(refused)),
            }
        })
    }

    fn call_here(&mut self, call: &Call<'_>, until: Instant) -> Result<Answer, Broken> {
        self.after_a_fork();
        let old = self.live.is_some();
        match self.attempt(call, until) {
            // It had been left alone for a while, and nobody looked whether it is still there. A new one tells.
            Err(Broken::Connection(_)) if old => self.attempt(call, until),
            outcome => outcome,
        }
    }

    fn attempt(&mut self, call: &Call<'_>, until: Instant) -> Result<Answer, Broken> {
        let left = until.saturating_duration_since(now());
        if left.is_zero() {
            return Err(Broken::Late);
        }
        // Put back only if all is well.
        let live = match self.live.take() {
            Some(live) => live,
            None => Live::new(&self.endpoint).map_err(Broken::System)?,
        };
        let Some((runtime, channel)) = &live.both else {
            return Err(Broken::Late);
        };
        let mut channel = channel.clone();
        let outcome = runtime.block_on(async {
            tokio::time::timeout(left, exchange(&mut channel, call, left)).await
        });
        match outcome {
            Ok(Ok(answer)) => {
                self.live = Some(live);
                Ok(answer)
            }
            // tonic looks at `grpc-timeout` too.
            Ok(Err(error)) if is_timeout(&*error) => Err(Broken::Late),
            Ok(Err(error)) => Err(Broken::Connection(error)),
            Err(_) => Err(Broken::Late),
        }
    }

    /// What a forked child finds is its parent's, the kernel's list of sockets to watch among it: not to be touched.
    fn after_a_fork(&mut self) {
        if self.live.as_ref().is_some_and(|live| !live.is_ours()) {
            self.live = None;
        }
    }
}

impl Live {
    fn new(endpoint: &Endpoint) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            // For look-ups of names only. They end when they are done, not after a while.
            .max_blocking_threads(MAX_LOOK_UPS)
            .thread_keep_alive(Duration::from_millis(1))
            .thread_name("obs-courier-dns")
            .build()?;
        let channel = {
            // The channel's own task is spawned here, and runs while a call does.
            let _entered = runtime.enter();
            endpoint.connect_lazy()
        };
        Ok(Self {
            both: Some((runtime, channel)),
            process: process::id(),
        })
    }

    fn is_ours(&self) -> bool {
        self.process == process::id()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let Some((runtime, channel)) = self.both.take() else {
            return;
        };
        if self.is_ours() {
            drop(channel);
            // Waits for nobody, which a runtime that is merely dropped would, and would not even be allowed to here.
            runtime.shutdown_background();
        } else {
            // Either would touch what the parent goes on using, or a lock that nobody here will release.
            mem::forget((runtime, channel));
        }
    }
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    error.is::<TimeoutExpired>()
        || error
            .source()
            .is_some_and(|cause| cause.is::<TimeoutExpired>())
}

/// Of an answer: a stranger's, so bounded.
const MAX_HEADERS: u32 = 64 << 10;
/// An attempt connects to one place. If the resolver hangs, its thread outlives the attempt, until the resolver gives up.
const MAX_LOOK_UPS: usize = 1;
