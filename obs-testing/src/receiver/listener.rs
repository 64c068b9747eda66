//! The listening socket: a thread that accepts, and a door that can be closed and opened again.

use super::connection;
use super::shared::Shared;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to leave the system alone after it failed to hand over a connection (out of descriptors, mostly).
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    door: Mutex<Option<Door>>,
}

/// A listening thread.
#[derive(Debug)]
struct Door {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Listener {
    pub(super) fn open(address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self {
            address,
            door: Mutex::new(Some(Door::open(socket, shared)?)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening; when this returns the port is closed.
    pub(super) fn close(&self) {
        let Some(door) = self.door().take() else {
            return;
        };
        door.closing.store(true, Ordering::Release);
        // A blocking accept has no other way to be woken. It fails if the thread went by itself meanwhile.
        drop(TcpStream::connect(self.address));
        // A panic there has been printed.
        let _ = door.thread.join();
    }

    /// Listens again on the same port. (On Unix the standard library sets `SO_REUSEADDR`, so that connections of before
    /// that linger do not keep the port.)
    pub(super) fn reopen(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut door = self.door();
        if door.is_none() {
            *door = Some(Door::open(TcpListener::bind(self.address)?, shared)?);
        }
        Ok(())
    }

    fn door(&self) -> MutexGuard<'_, Option<Door>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    fn open(socket: TcpListener, shared: &Arc<Shared>) -> io::Result<Self> {
        let closing = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("otlp-receiver".into()).spawn({
            let (closing, shared) = (Arc::clone(&closing), Arc::clone(shared));
            move || accept(&socket, &closing, &shared)
        })?;
        Ok(Self { closing, thread })
    }
}

fn accept(socket: &TcpListener, closing: &AtomicBool, shared: &Arc<Shared>) {
    loop {
        let accepted = socket.accept();
        if closing.load(Ordering::Acquire) {
            return;
        }
        match accepted {
            // A connection that cannot be served is dropped, which its client sees.
            Ok((stream, _)) => drop(serve(stream, shared)),
            Err(_) => thread::park_timeout(AFTER_A_FAILED_ACCEPT),
        }
    }
}

fn serve(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let number = shared.connected(stream.try_clone()?);
    let thread = thread::Builder::new()
        .name(format!("otlp-receiver-{number}"))
        .spawn({
            let shared = Arc::clone(shared);
            move || connection::serve(stream, number, &shared)
        });
    match thread {
        Ok(thread) => shared.keep_thread(thread),
        Err(error) => {
            shared.disconnected(number);
            return Err(error);
        }
    }
    Ok(())
}
