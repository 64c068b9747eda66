//! A small HTTP/1.1 client: GET requests, one connection, answers with a length.

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
        while self.read.len() < head_end + length {
            self.read_more().await?;
        }
        let body = self.read[head_end..head_end + length].to_vec();
        self.read.drain(..head_end + length);
        Ok(Answer { status, body })
    }

    async fn read_more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.read).await? == 0 || self.read.len() > LARGEST {
            return Err(Failure::new(format!("{} broke off its answer", self.host)));
        }
        Ok(())
    }
}

/// Status and length of the body.
fn head(head: &[u8]) -> Result<(u16, usize), Failure> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| {
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim())
        });
    let (status, length) = (
        status.and_then(|status| status.parse().ok()),
        length.and_then(|length| length.parse().ok()),
    );
    status
        .zip(length)
        .ok_or_else(|| Failure::new(format!("not an answer that this client reads: {head}")))
}
