//! A small HTTP/1.1 client: GET requests, one connection, answers with a length or in chunks.

use crate::failure::Failure;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer may not be larger: this client is for answers of a known service.
const LARGEST: usize = 16 << 20;

/// One connection, kept alive. Dropped in the middle of a request, it hangs up.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    host: SocketAddr,
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(host: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host,
            read: Vec::with_capacity(4096),
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: assistant-load/1\r\n\r\n",
            self.host
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|at| at == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let (status, length) = head(&self.read[..head_end])?;
        self.read.drain(..head_end);
        let body = match length {
            Some(length) => self.take(length).await?,
            None => self.chunks().await?,
        };
        Ok(Answer { status, body })
    }

    /// So many bytes.
    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.read.len() < length {
            self.read_more().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    /// Chunks until the last one, which is empty. No trailers come behind it.
    async fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = self.read.windows(2).position(|at| at == b"\r\n") {
                    break at;
                }
                self.read_more().await?;
            };
            let line = self.take(end + 2).await?;
            let size = std::str::from_utf8(&line).ok();
            let size = size.and_then(|size| usize::from_str_radix(size.trim_end(), 16).ok());
            let size = size.filter(|size| *size <= LARGEST);
            let size = size.ok_or_else(|| Failure::new("a chunk without a size"))?;
            body.extend(self.take(size + 2).await?);
            body.truncate(body.len() - 2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.read).await? == 0 || self.read.len() > LARGEST {
            return Err(Failure::new(format!("{} broke off its answer", self.host)));
        }
        Ok(())
    }
}

/// Status, and length of the body where it does not come in chunks.
fn head(head: &[u8]) -> Result<(u16, Option<usize>), Failure> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let value_of = |name: &str| {
        let mut named = lines.clone().filter_map(|line| line.split_once(':'));
        let value = named.find(|(of, _)| of.eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.trim())
    };
    let status = status.and_then(|status| status.parse().ok());
    let length = value_of("content-length").and_then(|length| length.parse().ok());
    let is_chunked = value_of("transfer-encoding").is_some_and(|coding| coding == "chunked");
    match status {
        Some(status) if is_chunked || length.is_some() => Ok((status, length)),
        _ => Err(Failure::new(format!(
            "not an answer that this client reads: {head}"
        ))),
    }
}
