use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::proxy::client::ClientStream;
use crate::proxy::client::connections::ConnectionSlot;

type Version = &'static rustls::SupportedProtocolVersion;

const VERSIONS: [Version; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// Shows one certificate to all, and notes whom they asked for.
#[derive(Debug)]
struct Always(Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, hello: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        SERVER_NAME.set(hello.server_name().map(str::to_owned));
        Some(Arc::clone(&self.0))
    }
}

fn configs(version: Version) -> (Arc<ServerConfig>, ClientConfig) {
    configs_with(version, 1)
}

/// The certificate is shown as many times.
fn configs_with(version: Version, times: usize) -> (Arc<ServerConfig>, ClientConfig) {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("generated");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(pair.signing_key.serialize_der().into());
    let certified =
        rustls::sign::CertifiedKey::from_der(vec![pair.cert.der().clone(); times], key, &provider).expect("a pair");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.cert.der().clone()).expect("a root");
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let server = server.with_protocol_versions(&[version]).expect("a version").with_no_client_auth();
    let server = server.with_cert_resolver(Arc::new(Always(Arc::new(certified))));
    let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).expect("a version");
    (Arc::new(server), client.with_root_certificates(roots).with_no_client_auth())
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
    (client, listener.accept().await.expect("accepts").0)
}

async fn accept(config: Arc<ServerConfig>, mut tcp: TcpStream) -> io::Result<(ClientStream, Option<String>)> {
    let (tls, name) = TlsConnection::accept(config, &mut tcp).await?;
    Ok((ClientStream { tcp, tls: Some(tls), _slot: ConnectionSlot::of_a_test() }, name))
}

async fn connected(version: Version) -> (TlsStream<TcpStream>, ClientStream) {
    let (server, client) = configs(version);
    let (near, far) = tcp().await;
    let name = ServerName::try_from("a.example").expect("a name");
    let (client, server) = tokio::join!(TlsConnector::from(Arc::new(client)).connect(name, near), accept(server, far));
    let (server, name) = server.expect("a handshake");
    assert_eq!(name.as_deref(), Some("a.example"));
    (client.expect("a handshake"), server)
}

#[tokio::test]
async fn a_long_chain_goes_through_a_narrow_socket() {
    for version in VERSIONS {
        let (server, client) = configs_with(version, 100);
        let (near, far) = tcp().await;
        socket2::SockRef::from(&far).set_send_buffer_size(4_096).expect("set");
        let name = ServerName::try_from("a.example").expect("a name");
        let handshakes =
            async { tokio::join!(TlsConnector::from(Arc::new(client)).connect(name, near), accept(server, far)) };
        let (client, server) =
            tokio::time::timeout(std::time::Duration::from_secs(5), handshakes).await.expect("in time");
        assert!(client.is_ok() && server.is_ok());
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 7 % 251) as u8).collect()
}

fn holds_nothing(server: &ClientStream) -> bool {
    let tls = server.tls.as_ref().expect("TLS");
    tls.incoming.is_empty() && tls.payload.capacity() == 0 && tls.outgoing.capacity() == 0
}

#[tokio::test]
async fn what_is_sent_arrives_and_nothing_is_held_afterwards() {
    for version in VERSIONS {
        let (mut client, mut server) = connected(version).await;
        assert!(holds_nothing(&server));
        for (size, room) in [(1, 1), (125, 7), (16_384, 16_384), (16_385, 100), (65_550, 65_536), (400_000, 150_000)] {
            let (message, mut back) = (bytes(size), vec![0; size]);
            let echo = async {
                let (mut left, mut some) = (size, vec![0; room]);
                while left > 0 {
                    let count = server.read(&mut some).await.expect("reads");
                    assert_ne!(count, 0);
                    server.write_all(&some[..count]).await.expect("writes");
                    left -= count;
                }
                server.flush().await.expect("flushes");
            };
            let (mut reader, mut writer) = tokio::io::split(&mut client);
            let send = async {
                writer.write_all(&message).await.expect("writes");
                writer.flush().await.expect("flushes");
            };
            tokio::join!(echo, send, async { reader.read_exact(&mut back).await.expect("reads") });
            assert!(back == message, "{size}");
            assert!(holds_nothing(&server), "{size}");
        }
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_in_order() {
    let (mut client, mut server) = connected(VERSIONS[1]).await;
    let message = bytes(12 << 20);
    let (head, body) = message.split_at(300);
    let send = async {
        let (mut head, mut body) = (head, body);
        while !body.is_empty() {
            let taken = server.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await.expect("writes");
            body = &body[taken.saturating_sub(head.len())..];
            head = &head[taken.min(head.len())..];
        }
        server.shutdown().await.expect("ends");
    };
    let mut all = Vec::new();
    let read = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        client.read_to_end(&mut all).await.expect("a close_notify");
    };
    tokio::join!(send, read);
    assert!(all == message);
}

#[tokio::test]
async fn no_more_is_taken_at_once_than_the_limit() {
    let (_client, mut server) = connected(VERSIONS[1]).await;
    let payload = bytes(MAX_TLS_PAYLOAD_BYTES + 1);
    assert_eq!(server.write(&payload).await.expect("writes"), MAX_TLS_PAYLOAD_BYTES);
    assert!(server.tls.as_ref().expect("TLS").outgoing.len() < BUFFER_BYTES);
}

#[tokio::test]
async fn an_end_is_told_from_a_cut() {
    for version in VERSIONS {
        let (mut client, mut server) = connected(version).await;
        client.shutdown().await.expect("ends");
        assert_eq!(server.read(&mut [0; 10]).await.expect("an end"), 0);
        assert_eq!(server.read(&mut [0; 10]).await.expect("an end"), 0);
        server.shutdown().await.expect("ends");
        assert_eq!(server.write(b"late").await.expect_err("closed").kind(), io::ErrorKind::BrokenPipe);

        let (client, mut server) = connected(version).await;
        let (mut tcp, _) = client.into_inner();
        tcp.shutdown().await.expect("ends");
        assert_eq!(server.read(&mut [0; 10]).await.expect_err("a cut").kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn keys_can_be_changed_on_the_way() {
    let (mut client, mut server) = connected(VERSIONS[1]).await;
    for _ in 0..20 {
        client.get_mut().1.refresh_traffic_keys().expect("TLS 1.3");
        client.write_all(b"question").await.expect("writes");
        let mut seen = [0; 8];
        server.read_exact(&mut seen).await.expect("reads");
        server.write_all(&seen).await.expect("writes");
        client.read_exact(&mut seen).await.expect("reads");
        assert_eq!(&seen, b"question");
    }
    assert!(holds_nothing(&server));
}

/// Records come a few bytes at a time, and the first payload right behind the handshake.
#[tokio::test]
async fn records_may_come_in_pieces() {
    for version in VERSIONS {
        let (server, client) = configs(version);
        let ((mut near, far), (inner, mut outer)) = (tcp().await, tokio::io::duplex(1 << 20));
        let name = ServerName::try_from("a.example").expect("a name");
        let trickle = async {
            let (mut up, mut down, mut open) = ([0; 3], [0; 4096], true);
            loop {
                tokio::select! {
                    count = outer.read(&mut up), if open => {
                        let count = count.expect("reads");
                        near.write_all(&up[..count]).await.expect("writes");
                        tokio::task::yield_now().await;
                        open = count > 0;
                        if !open {
                            near.shutdown().await.expect("ends");
                        }
                    }
                    count = near.read(&mut down) => match count.expect("reads") {
                        0 => return,
                        count => outer.write_all(&down[..count]).await.expect("writes"),
                    },
                }
            }
        };
        let ask = async {
            let mut client = TlsConnector::from(Arc::new(client)).connect(name, inner).await.expect("a handshake");
            client.write_all(&bytes(20_000)).await.expect("writes");
            client.flush().await.expect("flushes");
            client.shutdown().await.expect("ends");
            client
        };
        let answer = async {
            let (mut server, _) = accept(server, far).await.expect("a handshake");
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.expect("an end");
            assert!(all == bytes(20_000));
            server
        };
        tokio::select! {
            _ = async { tokio::join!(ask, answer) } => {}
            () = trickle => panic!("ended first"),
        }
    }
}

#[tokio::test]
async fn who_makes_no_sense_is_told_so_and_leaves_no_name_behind() {
    let (server, _) = configs(VERSIONS[1]);
    let (mut near, far) = tcp().await;
    near.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.expect("writes");
    let error = accept(Arc::clone(&server), far).await.map(|_| ()).expect_err("no TLS");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let mut alert = Vec::new();
    // The rest of the request may have the connection reset behind the alert.
    let _ = near.read_to_end(&mut alert).await;
    assert_eq!(alert.first(), Some(&21));

    SERVER_NAME.set(Some("stale.example".to_owned()));
    let (_, mut client) = configs(VERSIONS[1]);
    client.enable_sni = false;
    let (near, far) = tcp().await;
    let name = ServerName::try_from("a.example").expect("a name");
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, near);
    // The client does not know the certificate, and says so after the server has told its own.
    let (_, accepted) = tokio::join!(connecting, accept(server, far));
    assert!(accepted.is_err());
    assert_eq!(SERVER_NAME.take(), None);
}

#[tokio::test]
async fn a_record_that_was_changed_ends_the_connection() {
    let (client, mut server) = connected(VERSIONS[1]).await;
    let (mut tcp, _) = client.into_inner();
    tcp.write_all(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2])
        .await
        .expect("writes");
    for _ in 0..2 {
        assert_eq!(server.read(&mut [0; 10]).await.expect_err("changed").kind(), io::ErrorKind::InvalidData);
        tcp.write_all(&[23, 3, 3, 0, 1, 0]).await.expect("writes");
    }
    assert_eq!(server.write(b"more").await.expect_err("failed").kind(), io::ErrorKind::BrokenPipe);
}
