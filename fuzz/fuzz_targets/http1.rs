//! Reads the bytes of a client's HTTP/1.1 connection, cut into pieces, as the front does and as hyper's server does. Any difference that there
//! is no reason for is a finding.
//!
//! Input: one byte that says how many cuts there are, that many bytes that say how long each piece is, and the bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/suite/http1/side_by_side.rs"]
mod side_by_side;

fuzz_target!(|input: &[u8]| {
    let Some((cuts, rest)) = input.split_first() else { return };
    let (cuts, mut bytes) = rest.split_at(rest.len().min(usize::from(*cuts)));
    let mut pieces = Vec::new();
    for length in cuts {
        let (piece, further) = bytes.split_at(bytes.len().min(usize::from(*length).max(1)));
        pieces.push(piece);
        bytes = further;
    }
    pieces.push(bytes);
    pieces.retain(|piece| !piece.is_empty());
    if let Err(difference) = side_by_side::compare(&pieces) {
        panic!("{difference}");
    }
});
