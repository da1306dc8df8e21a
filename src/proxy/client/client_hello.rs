//! The ClientHello of a TLS client (RFC 8446 section 4.1.2), before it is decided who answers it.

use std::io;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustls::server::Acceptor;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::model::normalise_host;
use crate::proxy::limits::MAX_CLIENT_HELLO_BYTES;

/// What is read of a ClientHello.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proxy) struct ClientHello {
    /// The server name (SNI, RFC 6066 section 3), normalised. `None`: the client names none.
    pub(in crate::proxy) server_name: Option<String>,
    /// The protocol that the client offers (ALPN, RFC 7301), if it offers exactly one.
    pub(in crate::proxy) only_protocol: Option<Vec<u8>>,
}

/// Why no ClientHello could be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum ClientHelloError {
    /// The connection failed or ended.
    #[error(transparent)]
    Connection(#[from] io::Error),
    /// What came is no ClientHello of TLS 1.2 or later.
    #[error("the connection does not begin with a ClientHello: {0}")]
    Malformed(rustls::Error),
    /// It is longer than [`MAX_CLIENT_HELLO_BYTES`].
    #[error("the ClientHello is longer than {MAX_CLIENT_HELLO_BYTES} bytes")]
    TooLong,
}

impl ClientHello {
    /// Looks at the ClientHello with which a connection begins. Nothing is taken from the stream: whoever answers it reads it again.
    ///
    /// # Errors
    /// There is none that can be read. How long one may take is up to the caller.
    pub(in crate::proxy) async fn look(tcp: &TcpStream) -> Result<Self, ClientHelloError> {
        let look = || {
            // A connection that waits holds no buffer.
            let mut seen = vec![0; MAX_CLIENT_HELLO_BYTES];
            let (_, count) = rustix::net::recv(tcp, &mut seen[..], RecvFlags::PEEK)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match Self::parse(&seen[..count]) {
                Ok(Some(hello)) => Ok(Ok(hello)),
                Ok(None) if count == MAX_CLIENT_HELLO_BYTES => Ok(Err(ClientHelloError::TooLong)),
                Ok(None) => Err(Errno::WOULDBLOCK.into()),
                Err(error) => Ok(Err(ClientHelloError::Malformed(error))),
            }
        };
        loop {
            let ready = tcp.ready(Interest::READABLE).await?;
            match tcp.try_io(Interest::READABLE, look) {
                Ok(looked) => return looked,
                // The rest will not come.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && ready.is_read_closed() => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                // More bytes are waited for.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads the first bytes of a connection. `None`: they are the beginning of a ClientHello.
    fn parse(mut bytes: &[u8]) -> Result<Option<Self>, rustls::Error> {
        let mut acceptor = Acceptor::default();
        while !bytes.is_empty() {
            // Reading from memory fails only where the acceptor takes no more.
            if acceptor.read_tls(&mut bytes).map_err(|error| rustls::Error::General(error.to_string()))? == 0 {
                break;
            }
        }
        let accepted = match acceptor.accept() {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return Ok(None),
            Err((error, _alert)) => return Err(error),
        };
        let hello = accepted.client_hello();
        let mut offered = hello.alpn().into_iter().flatten();
        let (first, second) = (offered.next(), offered.next());
        Ok(Some(Self {
            server_name: hello.server_name().map(normalise_host),
            only_protocol: first.filter(|_| second.is_none()).map(<[u8]>::to_vec),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// The bytes of a client that asks for this name and offers these protocols.
    fn hello(name: &str, protocols: &[&str]) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.expect("usable").with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut bytes = Vec::new();
        let mut client = ClientConnection::new(Arc::new(config), name).expect("usable");
        client.write_tls(&mut bytes).expect("memory takes all");
        bytes
    }

    #[test]
    fn a_hello_is_read_once_it_is_whole() {
        let bytes = hello("DB.example.COM", &["postgresql"]);
        for cut in 1..bytes.len() {
            assert_eq!(ClientHello::parse(&bytes[..cut]), Ok(None), "{cut}");
        }
        let read = ClientHello::parse(&bytes).expect("well-formed").expect("whole");
        assert_eq!(read.server_name.as_deref(), Some("db.example.com"));
        assert_eq!(read.only_protocol.as_deref(), Some(&b"postgresql"[..]));
        let read = ClientHello::parse(&hello("192.0.2.1", &["h2", "http/1.1"])).expect("well-formed").expect("whole");
        assert_eq!(read, ClientHello::default(), "an address is no server name, and of two protocols none is certain");
    }

    #[test]
    fn what_is_no_hello_is_known_by_its_first_bytes() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x08\x04\xd2\x16\x2f", b"PING\r\n", &[0xff; 64]] {
            assert!(ClientHello::parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_hello_that_comes_in_pieces_is_waited_for_and_stays_in_the_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (server, _) = listener.accept().await.expect("a client");
        client.set_nodelay(true).expect("an option");
        let bytes = hello("db.example.com", &[]);
        let sending = async {
            for piece in bytes.chunks(100) {
                client.write_all(piece).await.expect("sends");
                // The pieces are to come one by one.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let (read, ()) = tokio::join!(ClientHello::look(&server), sending);
        assert_eq!(read.expect("a hello").server_name.as_deref(), Some("db.example.com"));
        let mut left = vec![0; bytes.len() + 1];
        assert_eq!(server.peek(&mut left).await.expect("open"), bytes.len());
    }

    #[tokio::test]
    async fn a_client_that_leaves_within_its_hello_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (server, _) = listener.accept().await.expect("a client");
        client.write_all(&hello("db.example.com", &[])[..100]).await.expect("sends");
        client.shutdown().await.expect("ends");
        let looked = tokio::time::timeout(Duration::from_secs(5), ClientHello::look(&server)).await;
        assert!(matches!(looked.expect("in time"), Err(ClientHelloError::Connection(_))));
    }
}
