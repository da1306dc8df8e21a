//! One worker: a thread with its own runtime, its own sockets and its own connections to members.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Front, Shared, connection, upstream};

/// What a worker is told.
pub(super) enum Command {
    /// Accept connections of a listener.
    Listen(Arc<Front>, TcpListener),
    /// Stop accepting at a frontend port.
    Close(u16),
}

/// Time between two looks for idle connections to let go of.
const SWEEP: Duration = Duration::from_secs(5);
/// Pause after an accept that failed, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Runs until the commands end and every connection and session has.
pub(super) fn run(shared: &Arc<Shared>, mut commands: mpsc::Receiver<Command>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let mut open: HashMap<u16, oneshot::Sender<()>> = HashMap::new();
        let sweeper = tokio::spawn(async {
            loop {
                tokio::time::sleep(SWEEP).await;
                upstream::sweep();
            }
        });
        while let Some(command) = commands.recv().await {
            match command {
                Command::Listen(front, socket) => {
                    let (stop, stopped) = oneshot::channel();
                    open.insert(front.port, stop);
                    tokio::spawn(accept(Arc::clone(shared), front, socket, stopped, alive.clone()));
                }
                Command::Close(port) => drop(open.remove(&port)),
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

/// Accepts until told to stop, then takes what the kernel has already accepted for us, so that closing the socket
/// resets nobody.
async fn accept(
    shared: Arc<Shared>,
    front: Arc<Front>,
    socket: TcpListener,
    mut stopped: oneshot::Receiver<()>,
    alive: mpsc::Sender<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(port = front.port, %error, "listener can't be used"),
    };
    let mut stopping = false;
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = &mut stopped, if !stopping => {
                stopping = true;
                continue;
            }
            () = std::future::ready(()), if stopping => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers and frames are not to wait for others. Where that can't be had, it is only slower.
                let _ = stream.set_nodelay(true);
                let serving = connection::serve(Arc::clone(&shared), Arc::clone(&front), stream, peer, alive.clone());
                tokio::spawn(serving);
            }
            Err(error) => {
                tracing::warn!(port = front.port, %error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
