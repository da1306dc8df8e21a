//! What watching frame headers costs: `cargo bench --bench frames`.

use std::hint::black_box;
use std::time::Instant;

use steadygate::websocket::{Counters, Frames};

#[allow(clippy::print_stdout, reason = "a bench tells its figures")]
fn main() {
    for at_once in [1, 500] {
        println!("{at_once} a read: {:.1} ns a message of 125 B", observe(at_once));
    }
}

/// Nanoseconds a message, where one read brings so many.
fn observe(at_once: usize) -> f64 {
    let messages = masked_frame(125).repeat(at_once);
    let (mut frames, counters) = (Frames::default(), Counters::default());
    let (rounds, began) = (2_000_000 / at_once, Instant::now());
    for _ in 0..rounds {
        frames.observe(black_box(&messages), &counters);
    }
    black_box(counters.values());
    began.elapsed().as_nanos() as f64 / (rounds * at_once) as f64
}

/// A binary message of less than 126 bytes, as clients send it.
fn masked_frame(length: u8) -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | length, 1, 2, 3, 4];
    frame.resize(6 + usize::from(length), 0);
    frame
}
