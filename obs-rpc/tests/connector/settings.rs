//! What an endpoint says of its connections holds for ours too.

use crate::echo::{EchoClient, say};
use crate::peers::{check_dial, client, detailed, dials, endpoint, serve};
use obs_rpc::connector::Connections;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tonic::Code;

#[cfg(target_os = "linux")]
#[tokio::test]
async fn keep_alive_is_on_where_the_endpoint_asks_for_it() {
    for keep_alive in [None, Some(Duration::from_secs(60))] {
        let capture = detailed();
        let address = serve().await;
        let endpoint = endpoint(&format!("http://{address}")).tcp_keepalive(keep_alive);
        let connections = Connections::new(capture.telemetry());
        let channel = connections.connect(&endpoint).await.expect("connected");
        EchoClient::new(channel.clone())
            .unary(say("", 0))
            .await
            .expect("answered");
        let begun = Instant::now();
        let timer = loop {
            let timer = timer_of(address.port());
            // What is sent and not acknowledged yet has a timer of its own, for a while.
            if timer != "01" || begun.elapsed() > Duration::from_secs(10) {
                break timer;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let expect = if keep_alive.is_some() { "02" } else { "00" };
        assert_eq!(timer, expect, "{keep_alive:?}");
    }
}

/// Which timer the socket has whose peer is this port: 02 is that of keep-alive (proc(5), `/proc/net/tcp`).
#[cfg(target_os = "linux")]
fn timer_of(port: u16) -> String {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    let peer = format!("0100007F:{port:04X}");
    let fields = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let found = table.lines().map(fields);
    // Established ones.
    let mut found = found.filter(|fields| fields[2] == peer && fields[3] == "01");
    let socket = found.next().expect("it is connected");
    socket[5].split(':').next().unwrap_or_default().to_owned()
}

/// A server whose queue is full: whoever dials it hears nothing.
async fn silent() -> (SocketAddr, Vec<TcpStream>, TcpListener) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bound");
    let listener = socket.listen(1).expect("listening");
    let address = listener.local_addr().expect("bound");
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue has no end");
    }
    (address, waiting, listener)
}

#[tokio::test]
async fn the_connect_timeout_is_the_endpoints() {
    let (address, _waiting, _listener) = silent().await;
    let capture = detailed();
    let endpoint =
        endpoint(&format!("http://{address}")).connect_timeout(Duration::from_millis(50));
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let begun = Instant::now();
    let failed = client(&capture, channel).unary(say("", 0)).await;
    assert_eq!(
        failed.expect_err("nobody answers").code(),
        Code::Unavailable
    );
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(50), "{took:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
    check_dial(
        &capture.record(),
        &[
            "client_conn_start",
            "tcp_start",
            "tcp_finish",
            "client_conn_finish",
        ],
    );
    assert_eq!(dials(&capture, Some("tcp_error")), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_local_address_is_said_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let capture = detailed();
    let connections = Connections::new(capture.telemetry()).with_local_address(from);
    let channel = connections.connect_lazy(&endpoint(&format!("http://{address}")));
    tokio::spawn(async move { EchoClient::new(channel).unary(say("", 0)).await });
    let (_, peer) = listener.accept().await.expect("dialled");
    assert_eq!(peer.ip(), from);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_connected_as_tonic_does() {
    let path = std::env::temp_dir().join(format!("obs-rpc-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(crate::echo::Echo);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let endpoint = endpoint(&format!("unix://{}", path.display()));
    let capture = detailed();
    let connections = Connections::new(capture.telemetry());
    let ahead = connections.connect(&endpoint).await.expect("connected");
    for channel in [ahead, connections.connect_lazy(&endpoint)] {
        client(&capture, channel)
            .unary(say("", 0))
            .await
            .expect("answered");
    }
    let _ = std::fs::remove_file(&path);
    for call in capture.records() {
        assert_eq!(crate::peers::reused(&call), None);
        check_dial(&call, &[]);
    }
}
