//! Two clients: ureq, which is a real one, and a bare socket, which can misbehave.

use obs_testing::Receiver;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ureq::http::Response;

/// Longer than anything here takes; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// Posts `body` with ureq, and gives back the status and the body of the answer.
#[track_caller]
pub(crate) fn post(receiver: &Receiver, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut response = try_post(&agent(), receiver, path, body).unwrap();
    (
        response.status().as_u16(),
        response.body_mut().read_to_vec().unwrap(),
    )
}

pub(crate) fn try_post(
    agent: &ureq::Agent,
    receiver: &Receiver,
    path: &str,
    body: &[u8],
) -> Result<Response<ureq::Body>, ureq::Error> {
    let url = format!("{}{path}", receiver.endpoint());
    agent
        .post(url)
        .header("content-type", "application/x-protobuf")
        .send(body)
}

/// A bare connection.
pub(crate) struct Wire(BufReader<TcpStream>);

/// An answer as it came over a bare connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(receiver: &Receiver) -> Self {
        let stream = TcpStream::connect(receiver.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        self.0
            .get_ref()
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
    }

    /// Sends a whole request for `/v1/traces` with these further header lines.
    pub(crate) fn post(&mut self, fields: &str, body: &[u8]) {
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\n{fields}\r\n"
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    /// The status line and headers up to the empty line.
    pub(crate) fn head(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    pub(crate) fn answer(&mut self) -> Answered {
        let mut headers = self.head();
        let status = headers
            .remove(0)
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let length = headers
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        Answered {
            status,
            headers,
            body,
        }
    }

    /// What is left until the other side closes; a reset counts as closing.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        rest
    }
}
