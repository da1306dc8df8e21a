//! The open frontend ports: sockets are bound here, one for each worker, and given to the workers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::server::ProducesTickets;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};

use super::worker::{self, WorkerCommand};
use crate::pool::dial;
use crate::proxy::client::tls_config;
use crate::proxy::request::state::{BoundListener, WorkerState};

/// Connections that the kernel queues for a busy worker.
const BACKLOG: i32 = 4096;
/// Commands that may wait for a worker.
const MAX_QUEUED_COMMANDS: usize = 16;

/// Where frontend ports are bound.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// The address for ports not in `ports`; `None`: every address of the machine.
    pub address: Option<IpAddr>,
    /// Frontend ports that are bound elsewhere, as in `80=127.0.0.1:8080`.
    pub ports: BTreeMap<u16, SocketAddr>,
}

impl Bindings {
    fn candidates(&self, port: u16) -> Vec<SocketAddr> {
        match (self.ports.get(&port), self.address) {
            (Some(address), _) => vec![*address],
            (None, Some(address)) => vec![SocketAddr::new(address, port)],
            // Without IPv6 in the kernel, IPv4 alone.
            (None, None) => vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()],
        }
    }
}

/// The open frontend ports and the workers that serve them.
pub struct Listeners {
    state: Arc<WorkerState>,
    bindings: Bindings,
    tickets: Arc<dyn ProducesTickets>,
    workers: Vec<mpsc::Sender<WorkerCommand>>,
    addresses: watch::Sender<BTreeMap<u16, SocketAddr>>,
    running: mpsc::Receiver<()>,
}

impl Listeners {
    /// Starts `workers` threads. `addresses` is the sending end of the one in `state`.
    ///
    /// # Errors
    /// A thread can't be started, or there is no randomness for TLS tickets.
    pub fn start(
        state: Arc<WorkerState>,
        bindings: Bindings,
        workers: usize,
        addresses: watch::Sender<BTreeMap<u16, SocketAddr>>,
    ) -> anyhow::Result<Self> {
        let tickets = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        let (running_guard, running) = mpsc::channel(1);
        let workers = (0..workers.max(1)).map(|number| {
            let (sender, commands) = mpsc::channel(MAX_QUEUED_COMMANDS);
            let (state, guard) = (Arc::clone(&state), running_guard.clone());
            std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                let _guard = guard;
                if let Err(error) = worker::run(&state, commands) {
                    tracing::error!(%error, "worker could not start");
                }
            })?;
            Ok(sender)
        });
        let workers = workers.collect::<io::Result<_>>()?;
        Ok(Self { state, bindings, tickets, workers, addresses, running })
    }

    /// Opens and closes ports so that exactly `wanted` are open. A port that stays is not touched. Returns the ports
    /// that could not be opened.
    pub async fn reconcile(&mut self, wanted: &BTreeSet<u16>) -> Vec<(u16, anyhow::Error)> {
        let open: BTreeSet<u16> = self.addresses.borrow().keys().copied().collect();
        for port in open.difference(wanted) {
            for worker in &self.workers {
                // A worker that is gone has closed everything.
                let _ = worker.send(WorkerCommand::Close(*port)).await;
            }
            self.addresses.send_modify(|addresses| {
                addresses.remove(port);
            });
            tracing::info!(port, "listener closed");
        }
        let mut failed = Vec::new();
        for port in wanted.difference(&open) {
            match self.open(*port).await {
                Ok(bound) => {
                    self.addresses.send_modify(|addresses| {
                        addresses.insert(*port, bound);
                    });
                    tracing::info!(port, %bound, "listener open");
                }
                Err(error) => failed.push((*port, error)),
            }
        }
        failed
    }

    /// Stops accepting. Connections end as `WorkerState::draining` and the sessions' drain tell them.
    pub fn close(mut self) -> DrainingWorkers {
        self.workers.clear();
        DrainingWorkers(self.running)
    }

    async fn open(&self, port: u16) -> anyhow::Result<SocketAddr> {
        let sockets = self.bind(port)?;
        let bound = sockets[0].local_addr()?;
        let tls = tls_config::server_config(self.state.table.clone(), port, Arc::clone(&self.tickets))?;
        let listener = Arc::new(BoundListener { port, bound, tls });
        for (worker, socket) in self.workers.iter().zip(sockets) {
            // A worker that is gone has been reported; the others serve.
            let _ = worker.send(WorkerCommand::Listen(Arc::clone(&listener), socket)).await;
        }
        Ok(bound)
    }

    /// One socket for each worker, all at the same port.
    fn bind(&self, port: u16) -> anyhow::Result<Vec<TcpListener>> {
        let mut failure = None;
        for address in self.bindings.candidates(port) {
            match self.bind_at(address) {
                Ok(sockets) => return Ok(sockets),
                Err(error) => failure = Some(anyhow::anyhow!("can't listen at {address}: {error}")),
            }
        }
        Err(failure.expect("there is at least one candidate"))
    }

    fn bind_at(&self, mut address: SocketAddr) -> io::Result<Vec<TcpListener>> {
        let mut sockets = Vec::with_capacity(self.workers.len());
        // Without SO_REUSEPORT first: with it, a stranger's socket at the same port would go unnoticed.
        drop(bound(address, false)?);
        for _ in &self.workers {
            let socket = bound(address, true)?;
            self.prepare(&socket)?;
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from(socket);
            // Port 0: the others take the port that the first was given.
            address = listener.local_addr()?;
            sockets.push(listener);
        }
        Ok(sockets)
    }

    /// Sets the options that every accepted connection inherits: small answers and frames are sent at once; the kernel notices a
    /// client that has gone, or that takes nothing of an answer for too long.
    fn prepare(&self, socket: &Socket) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        dial::notice_death(socket)?;
        socket.set_tcp_user_timeout(Some(self.state.settings.header_timeout))
    }
}

/// A socket that is bound to the address. `share`: with SO_REUSEPORT.
fn bound(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Workers that have stopped accepting.
pub struct DrainingWorkers(mpsc::Receiver<()>);

impl DrainingWorkers {
    /// Ends when every connection and session has ended.
    pub async fn ended(&mut self) {
        self.0.recv().await;
    }
}
