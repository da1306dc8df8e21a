//! What a WebSocket session costs the gateway: `cargo bench --bench session`.
//!
//! CPU is that of the gateway's threads (schedstat), memory its proportional set size; clients and backend are in this
//! process. The backend sends back whatever bytes come, which is all that the tunnel knows of an echo.

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use steadygate::websocket::{Counters, Frames};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SESSIONS: usize = 4_000;
const TALKERS: usize = 64;
const ROUNDS: usize = 500;
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: bench.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: bench/1.0\r\n\r\n";
const GRANT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[allow(clippy::print_stdout, reason = "a bench tells its figures")]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("frame headers: {:.1} ns a message of 125 B, one a read", frames(1));
    println!("frame headers: {:.1} ns a message of 125 B, 500 a read", frames(500));

    let dir = tempfile::tempdir().expect("a directory");
    let backend = backend().await;
    let gateway = Gateway::start(dir.path(), backend);
    let mut idle = Vec::new();
    gateway.wait().await;
    for _ in 0..200 {
        idle.push(open(gateway.address).await);
    }
    let (memory, cpu) = (gateway.memory(), gateway.cpu());
    for _ in 0..SESSIONS {
        idle.push(open(gateway.address).await);
    }
    let handshake = (gateway.cpu() - cpu).as_secs_f64() * 1e6 / SESSIONS as f64;
    for session in &mut idle {
        echo(session, 125).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let kib = (gateway.memory() - memory) as f64 / SESSIONS as f64;
    println!("handshake: {handshake:.1} us CPU; idle session: {kib:.2} KiB");

    for size in [125, 4_096, 65_000] {
        let rounds = if size > 10_000 { ROUNDS / 10 } else { ROUNDS };
        let (cpu, mut talkers) = (gateway.cpu(), Vec::new());
        for mut session in idle.drain(..TALKERS) {
            talkers.push(tokio::spawn(async move {
                for _ in 0..rounds {
                    echo(&mut session, size).await;
                }
            }));
        }
        for talker in talkers {
            talker.await.expect("echoed");
        }
        let messages = (TALKERS * rounds * 2) as f64;
        println!("{size} B: {:.2} us CPU a message", (gateway.cpu() - cpu).as_secs_f64() * 1e6 / messages);
    }
}

/// Nanoseconds a message that the frame reader takes.
fn frames(at_once: usize) -> f64 {
    let messages = frame(125).repeat(at_once);
    let (mut frames, counters) = (Frames::default(), Counters::default());
    let (rounds, began) = (20_000_000 / at_once / 10, Instant::now());
    for _ in 0..rounds {
        frames.observe(black_box(&messages), &counters);
    }
    black_box(counters.seen());
    began.elapsed().as_nanos() as f64 / (rounds * at_once) as f64
}

/// A masked binary message.
fn frame(length: usize) -> Vec<u8> {
    let mut frame = vec![0x82];
    match u16::try_from(length) {
        Ok(short @ 0..126) => frame.push(0x80 | short as u8),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => unreachable!("shorter than 64 KiB"),
    }
    frame.extend([1, 2, 3, 4]);
    frame.resize(frame.len() + length, 7);
    frame
}

async fn open(address: SocketAddr) -> TcpStream {
    let mut session = TcpStream::connect(address).await.expect("connects");
    session.set_nodelay(true).expect("open");
    session.write_all(HANDSHAKE.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(session.read_buf(&mut answer).await.expect("reads") > 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    session
}

async fn echo(session: &mut TcpStream, length: usize) {
    let mut message = frame(length);
    session.write_all(&message).await.expect("writes");
    session.read_exact(&mut message).await.expect("reads");
}

async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = listener.into_std().expect("open");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("open");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    address
}

async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let is_probe = !String::from_utf8_lossy(&head).to_ascii_lowercase().contains("sec-websocket-key");
    let answer = if is_probe { b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } else { GRANT };
    if stream.write_all(answer).await.is_err() || is_probe {
        return;
    }
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// A gateway with one worker, ended when this is dropped.
struct Gateway {
    process: Child,
    address: SocketAddr,
}

impl Gateway {
    fn start(dir: &Path, backend: SocketAddr) -> Self {
        let (ip, port) = (backend.ip(), backend.port());
        let manifests = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: default}}\nspec: {{ports: [{{name: http, \
             port: 80, targetPort: {port}}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: \
             web-1, namespace: default, labels: {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\nports: [{{name: \
             http, port: {port}}}]\nendpoints: [{{addresses: [{ip}]}}]\n---\napiVersion: networking.k8s.io/v1\nkind: \
             Ingress\nmetadata: {{name: site, namespace: default, annotations: {{steadygate.io/websocket-idle-timeout: '0'}}}}\n\
             spec: {{rules: [{{host: bench.example, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: \
             web, port: {{number: 80}}}}}}}}]}}}}]}}\n"
        );
        std::fs::write(dir.join("all.yaml"), manifests).expect("writes");
        let free = || {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            socket.local_addr().expect("bound")
        };
        let (address, admin) = (free(), free());
        let process = Command::new(env!("CARGO_BIN_EXE_steadygate"))
            .args(["run", "--workers", "1", "--no-access-log", "--log", "warn", "--manifests"])
            .arg(dir)
            .args(["--listen", &format!("80={address}"), "--admin", &admin.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("starts");
        Self { process, address }
    }

    async fn wait(&self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let Ok(mut stream) = TcpStream::connect(self.address).await else { continue };
            let mut answer = Vec::new();
            let request = b"GET / HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n";
            if stream.write_all(request).await.is_ok()
                && stream.read_to_end(&mut answer).await.is_ok()
                && answer.starts_with(b"HTTP/1.1 200")
            {
                return;
            }
        }
        panic!("the gateway does not serve");
    }

    /// KiB.
    fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id())).expect("Linux");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a figure");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("Linux");
        let stats = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
        Duration::from_nanos(stats.filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok()).sum())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
