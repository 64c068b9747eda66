//! A listener for scrapes, on threads of its own: it answers whatever the service's runtime is busy with.

use super::MetricsPage;
use http::{Method, StatusCode};
use obs_core::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a client may take for its answer, so often: a second time where a signal came in between.
const PATIENCE: Duration = Duration::from_secs(5);
const WRITES: usize = 2;
/// In how many pieces a client may ask, and how long it may take for each: a scrape's request comes in one.
const PIECES: usize = 16;
const PIECE: Duration = Duration::from_secs(1);
const HEADERS: usize = 64;
/// Scrapes at a time: each has a thread for as long as it takes.
const AT_A_TIME: usize = 4;

/// Serves a page on an address of its own, by HTTP/1.1, until it is dropped. It knows neither TLS nor a password: bind it
/// where only those can reach it who may.
#[derive(Debug)]
pub struct MetricsListener {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsListener {
    /// Listens on `address` and answers `GET /metrics`.
    ///
    /// # Errors
    /// When the address cannot be had, or no thread be started.
    pub fn start(page: MetricsPage, address: impl ToSocketAddrs) -> Result<Self, Error> {
        let failed = |source: io::Error| {
            Error::configuration("the listener for metrics could not be started")
                .with_source(source)
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = stopping.clone();
        let thread = std::thread::Builder::new()
            .name("obs-metrics".into())
            .spawn(move || serve(&listener, &page, &stop))
            .map_err(failed)?;
        Ok(Self {
            address,
            stopping,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsListener {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // It waits for a connection; an address like 0.0.0.0 is reached on the loopback.
        let mut to = self.address;
        if to.ip().is_unspecified() {
            to.set_ip(if to.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        if TcpStream::connect_timeout(&to, Duration::from_secs(1)).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, page: &MetricsPage, stopping: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of descriptors, or a connection that was gone at once: no reason to spin.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let place = Place::take(&busy);
        let page = page.clone();
        let spawned = std::thread::Builder::new()
            .name("obs-metrics-scrape".into())
            .spawn(move || match place {
                Some(_place) => drop(scrape(&stream, &page)),
                None => drop(refuse(&stream)),
            });
        // Without a thread the connection is closed: the next scrape may have more luck.
        drop(spawned);
    }
}

struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(busy: &Arc<AtomicUsize>) -> Option<Self> {
        if busy.fetch_add(1, Ordering::Relaxed) < AT_A_TIME {
            return Some(Self(busy.clone()));
        }
        busy.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refuse(stream: &TcpStream) -> io::Result<()> {
    answer(
        stream,
        StatusCode::SERVICE_UNAVAILABLE,
        "text/plain",
        "too many scrapes at once\n",
        true,
    )
}

fn scrape(stream: &TcpStream, page: &MetricsPage) -> io::Result<()> {
    let plain = "text/plain; charset=utf-8";
    let Some(asked) = read_head(stream)? else {
        return answer(
            stream,
            StatusCode::BAD_REQUEST,
            plain,
            "not a request\n",
            true,
        );
    };
    if path(&asked.target) != "/metrics" {
        return answer(
            stream,
            StatusCode::NOT_FOUND,
            plain,
            "the page is at /metrics\n",
            true,
        );
    }
    let (status, media, body) = page.answer(&asked.method, asked.accept.as_deref());
    answer(stream, status, media, &body, asked.method != Method::HEAD)
}

/// The path of a target, which may be absolute (RFC 9112, 3.2.2): proxies send `http://host/metrics`.
fn path(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some((scheme, rest))
            if ["http", "https"]
                .iter()
                .any(|it| scheme.eq_ignore_ascii_case(it)) =>
        {
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
        _ => target,
    };
    target.split('?').next().unwrap_or_default()
}

struct Asked {
    method: Method,
    target: String,
    accept: Option<String>,
}

/// `None` where what comes is no request, or one that is too large or comes in too many pieces.
fn read_head(mut stream: &TcpStream) -> io::Result<Option<Asked>> {
    stream.set_read_timeout(Some(PIECE))?;
    let mut head = Vec::with_capacity(1024);
    for _ in 0..PIECES {
        let mut piece = [0; 1024];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            read => head.extend_from_slice(&piece[..read]),
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => return Ok(asked(&request)),
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn asked(request: &httparse::Request<'_, '_>) -> Option<Asked> {
    let accepts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("accept"));
    let accepts: Vec<_> = accepts
        .filter_map(|header| std::str::from_utf8(header.value).ok())
        .collect();
    Some(Asked {
        method: request.method?.parse().ok()?,
        target: request.path?.to_owned(),
        accept: (!accepts.is_empty()).then(|| accepts.join(",")),
    })
}

fn answer(
    stream: &TcpStream,
    status: StatusCode,
    media: &str,
    body: &str,
    with_body: bool,
) -> io::Result<()> {
    let allow = if status == StatusCode::METHOD_NOT_ALLOWED {
        "allow: GET, HEAD\r\n"
    } else {
        ""
    };
    let mut whole = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {}\r\nvary: accept\r\n{allow}connection: close\r\n\r\n",
        body.len()
    );
    if with_body {
        whole.push_str(body);
    }
    write(stream, whole.as_bytes(), PATIENCE)?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// All of it, or as much as the client takes in time: a write that waits ends after `patience`, however much of it was
/// taken by then, and who takes a little at a time is not waited for again and again.
fn write(mut stream: &TcpStream, mut left: &[u8], patience: Duration) -> io::Result<()> {
    stream.set_write_timeout(Some(patience))?;
    for _ in 0..WRITES {
        match stream.write(left) {
            Ok(written) => left = &left[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_the_page_a_little_at_a_time_does_not_keep_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let reads = std::thread::spawn(move || {
            let mut some = vec![0; 64 << 10];
            while client.read(&mut some).is_ok_and(|read| read > 0) {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let large = vec![b'x'; 256 << 20];
        let error = write(&server, &large, Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        server.shutdown(std::net::Shutdown::Both).unwrap();
        drop(server);
        reads.join().unwrap();
    }
}
