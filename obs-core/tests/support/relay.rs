//! A network between a client and a server, by command: it passes, holds, drips, cuts, or says what it likes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What becomes of the bytes that arrive on either side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Network {
    Passes,
    /// A partition: connections stand, and nothing comes through. Nobody is told.
    Holds,
    /// One byte at a time towards the client, with a pause after each.
    Drips(Duration),
    /// Whoever has something to say finds the connection reset.
    Resets,
}

pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    network: Mutex<Network>,
    changed: Condvar,
    /// Those to the clients, in the order of arrival.
    clients: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

impl Relay {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            server,
            network: Mutex::new(Network::Passes),
            changed: Condvar::new(),
            clients: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let of = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if of.over.load(Ordering::Relaxed) {
                    return;
                }
                client.and_then(|client| of.join(client)).ok();
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, network: Network) {
        *self.shared.network.lock().unwrap() = network;
        self.shared.changed.notify_all();
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.clients.lock().unwrap().len()
    }

    /// Says this to the last client, in the name of the server.
    pub(crate) fn say(&self, bytes: &[u8]) {
        let clients = self.shared.clients.lock().unwrap();
        let mut last = clients.last().expect("a client");
        last.write_all(bytes).expect("it listens");
    }

    /// Ends every connection, as a server does that goes away.
    pub(crate) fn cut(&self) {
        for client in self.shared.clients.lock().unwrap().iter() {
            client.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.set(Network::Passes);
        self.cut();
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if *self.network.lock().unwrap() == Network::Resets {
            return reset(client);
        }
        let server = TcpStream::connect(self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        for (from, to, towards_client) in [
            (client.try_clone()?, server.try_clone()?, false),
            (server, client.try_clone()?, true),
        ] {
            let of = Arc::clone(self);
            thread::spawn(move || of.pump(&from, &to, towards_client));
        }
        self.clients.lock().unwrap().push(client);
        Ok(())
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, towards_client: bool) {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let network = self.network.lock().unwrap();
            let network = *self
                .changed
                .wait_while(network, |network| *network == Network::Holds)
                .unwrap();
            let sent = match network {
                Network::Drips(pause) if towards_client => {
                    buffer[..read].iter().try_for_each(|byte| {
                        thread::sleep(pause);
                        to.write_all(&[*byte])
                    })
                }
                Network::Resets => break,
                _ => to.write_all(&buffer[..read]),
            };
            if sent.is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both).ok();
        from.shutdown(Shutdown::Both).ok();
    }
}

/// Closed with something unread in it, a socket is reset.
fn reset(client: TcpStream) -> io::Result<()> {
    client.peek(&mut [0]).map(|_| drop(client))
}
