//! The reader that is none of ours. It stands between client and engine, passes bytes on with blocking sockets and threads, and
//! notes by its own clock when it had them. What they mean is read when all is over.

use std::io::{Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Passes bytes on, and keeps them.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    connections: Arc<Mutex<Vec<Arc<Connection>>>>,
}

/// What went both ways on a connection.
#[derive(Debug)]
struct Connection {
    opened: Instant,
    asked: Mutex<Flow>,
    answered: Mutex<Flow>,
}

/// The same, when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) opened: Instant,
    pub(crate) asked: Flow,
    pub(crate) answered: Flow,
}

/// What went one way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) bytes: Vec<u8>,
    /// When something was read, and how many bytes there were then.
    reads: Vec<(Instant, usize)>,
}

impl Flow {
    pub(crate) fn push(&mut self, bytes: &[u8], now: Instant) {
        self.bytes.extend_from_slice(bytes);
        self.reads.push((now, self.bytes.len()));
    }

    /// When the byte at `at` was here.
    pub(crate) fn time_of(&self, at: usize) -> Option<Instant> {
        let read = self.reads.partition_point(|(_, end)| *end <= at);
        Some(self.reads.get(read)?.0)
    }
}

impl Relay {
    /// To `engine`, on a free port.
    pub(crate) fn start(engine: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self {
            address: listener.local_addr()?,
            connections: Arc::default(),
        };
        let connections = Arc::clone(&relay.connections);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::new(Connection {
                    opened: Instant::now(),
                    asked: Mutex::default(),
                    answered: Mutex::default(),
                });
                lock(&connections).push(Arc::clone(&kept));
                // A connection that the engine does not take is closed.
                drop(pass(client, engine, kept));
            }
        });
        Ok(relay)
    }

    /// What went through so far, by connection.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let connections = lock(&self.connections);
        let seen = connections.iter().map(|it| Seen {
            opened: it.opened,
            asked: lock(&it.asked).clone(),
            answered: lock(&it.answered).clone(),
        });
        seen.collect()
    }
}

fn pass(client: TcpStream, engine: SocketAddr, kept: Arc<Connection>) -> Result<()> {
    let engine = TcpStream::connect(engine)?;
    client.set_nodelay(true)?;
    engine.set_nodelay(true)?;
    let (from_client, to_engine) = (client.try_clone()?, engine.try_clone()?);
    let asked = Arc::clone(&kept);
    thread::spawn(move || copy(from_client, to_engine, &asked.asked));
    thread::spawn(move || copy(engine, client, &kept.answered));
    Ok(())
}

/// Until one side closes; then both are closed, as a client that goes away is to be noticed.
fn copy(mut from: TcpStream, mut to: TcpStream, flow: &Mutex<Flow>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let now = Instant::now();
        let passed = to.write_all(&buffer[..read]);
        lock(flow).push(&buffer[..read], now);
        if passed.is_err() {
            break;
        }
    }
    for side in [from, to] {
        // It may be closed already.
        drop(side.shutdown(Shutdown::Both));
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
