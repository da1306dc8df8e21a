//! New connections: many of them, or one after the other until the answer is the one that is waited for.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::attempts::Attempts;
use crate::dial::{Dialer, Target};
use crate::http1::{Answer, exchange, request};
use crate::schedule::Timer;

/// The pause between two connections of [`until`].
const PAUSE: Duration = Duration::from_micros(500);

/// Opens connections, with one request on each or none, and closes them. Latency is of what comes before the close.
pub(crate) async fn connect(dialer: Rc<Dialer>, target: Rc<Target>, attempts: Attempts, is_asking: bool) -> Value {
    let (resumed, request) = (Rc::new(Cell::new(0_u64)), Rc::new(request(&target, "")));
    let count = resumed.clone();
    let mut answer = attempts
        .make(move || {
            let (dialer, target) = (dialer.clone(), target.clone());
            let (resumed, request) = (resumed.clone(), request.clone());
            async move {
                let start = Instant::now();
                let mut stream = dialer.connect(&target).await?;
                if is_asking {
                    exchange(&mut stream, &request).await?.expect(200)?;
                }
                let latency = start.elapsed();
                resumed.set(resumed.get() + u64::from(stream.is_resumed()));
                stream.close().await;
                Ok(latency)
            }
        })
        .await;
    answer["count"] = answer["latency"]["count"].clone();
    answer["resumed"] = count.get().into();
    answer
}

/// Asks, on a new connection each time, until the answer has that status, and comes from that backend.
pub(crate) async fn until(
    dialer: &Dialer,
    target: &Target,
    (status, backend): (u16, Option<&str>),
    start: Instant,
    limit: Duration,
) -> Result<Value> {
    let (timer, request) = (Timer::new()?, request(target, "Connection: close\r\n"));
    let mut asked = 0;
    let mut last = String::new();
    while let Some(left) = limit.checked_sub(start.elapsed()) {
        asked += 1;
        last = match timeout(left, ask(dialer, target, &request)).await {
            Ok(Ok(answer)) => {
                if answer.status == status && backend.is_none_or(|backend| answer.backend.as_deref() == Some(backend)) {
                    return Ok(json!({"seconds": start.elapsed().as_secs_f64(), "asked": asked}));
                }
                format!("status {} of {}", answer.status, answer.backend.as_deref().unwrap_or("no backend"))
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => String::from("no answer"),
        };
        timer.wait(Instant::now() + PAUSE).await?;
    }
    bail!("not within {} s, after {asked} requests: {last}", limit.as_secs_f64())
}

async fn ask(dialer: &Dialer, target: &Target, request: &[u8]) -> io::Result<Answer> {
    exchange(&mut dialer.connect(target).await?, request).await
}
