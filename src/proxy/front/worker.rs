//! One worker: a thread with its own runtime, its own sockets and its own connections to members.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::connection;
use crate::proxy::client::connections::ConnectionRefused;
use crate::proxy::forward::upstream;
use crate::proxy::request::metrics;
use crate::proxy::request::state::{BoundListener, WorkerState};
use crate::proxy::session::http2_sessions;

/// A command to a worker.
pub(super) enum WorkerCommand {
    /// Accept connections of a listener.
    Listen(Arc<BoundListener>, TcpListener),
    /// Stop accepting at a frontend port.
    Close(u16),
}

/// Time between two searches for idle connections that can be closed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after an accept that failed, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Runs until the commands end and every connection and session has.
pub(super) fn run(state: &Arc<WorkerState>, mut commands: mpsc::Receiver<WorkerCommand>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let mut open: HashMap<u16, oneshot::Sender<()>> = HashMap::new();
        let mut departures = state.departures.clone();
        let sweeper = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(SWEEP_INTERVAL) => {}
                    // At once where pods go away.
                    Ok(()) = departures.changed() => {}
                }
                upstream::sweep();
                http2_sessions::sweep();
                metrics::sweep();
            }
        });
        while let Some(command) = commands.recv().await {
            match command {
                WorkerCommand::Listen(listener, socket) => {
                    let (stop, stopped) = oneshot::channel();
                    open.insert(listener.port, stop);
                    tokio::spawn(accept(Arc::clone(state), listener, socket, stopped, alive.clone()));
                }
                WorkerCommand::Close(port) => drop(open.remove(&port)),
            }
        }
        open.clear();
        drop(alive);
        // Every connection and session holds a sender; nothing is ever sent.
        all_gone.recv().await;
        sweeper.abort();
    });
    Ok(())
}

/// Accepts connections until it is stopped, then those that the kernel has already accepted, so that closing the socket resets
/// none.
async fn accept(
    state: Arc<WorkerState>,
    bound: Arc<BoundListener>,
    socket: TcpListener,
    mut stopped: oneshot::Receiver<()>,
    alive: mpsc::Sender<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(port = bound.port, %error, "listener can't be used"),
    };
    let serve = |stream: TcpStream, peer| {
        let slot = match state.clients.connections.admit(&stream) {
            Ok(slot) => slot,
            // Closed at once.
            Err(refused) => return state.clients.refused(refused, &state.metrics),
        };
        let serving = connection::serve(Arc::clone(&state), Arc::clone(&bound), stream, peer, slot, alive.clone());
        // Boxed, as every large future that is spawned: tokio moves it several times.
        tokio::spawn(Box::pin(serving));
    };
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => serve(stream, peer),
            Err(error) => {
                // Without a file descriptor for it, the connection waits in the kernel.
                match error.raw_os_error().map(Errno::from_raw_os_error) {
                    Some(Errno::MFILE | Errno::NFILE) => {
                        state.clients.refused(ConnectionRefused::Descriptors, &state.metrics)
                    }
                    _ => tracing::warn!(port = bound.port, %error, "accept failed"),
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    let Ok(socket) = listener.into_std() else { return };
    while let Ok((stream, peer)) = socket.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            serve(stream, peer);
        }
    }
}
