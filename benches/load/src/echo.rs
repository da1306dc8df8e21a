//! The backend's side of a session: each frame goes back as it came, unmasked, a Ping as the Pong that answers it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// In front of what is read: the header of a frame that came in two parts is no longer than this.
const ROOM: usize = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM + 128 * 1024]);
}

/// Echoes until the client's Close, or until its stream ends. `early` is what came with the handshake.
pub(crate) async fn run(mut stream: TcpStream, early: Vec<u8>) -> io::Result<()> {
    let mut echo = Echo::default();
    let mut early = [vec![0; ROOM], early].concat();
    let length = echo.answer(&mut early);
    stream.write_all(&early[..length]).await?;
    drop(early);
    let mut unsent = Vec::new();
    while !echo.is_over {
        let count = poll_fn(|context| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(&mut buffer[ROOM..]);
                ready!(Pin::new(&mut stream).poll_read(context, &mut read))?;
                let count = read.filled().len();
                let length = echo.answer(&mut buffer[..ROOM + count]);
                let answer = &buffer[..length];
                // Most often all goes at once, and nothing is kept.
                let sent = match Pin::new(&mut stream).poll_write(context, answer) {
                    Poll::Ready(sent) => sent?,
                    Poll::Pending => 0,
                };
                unsent.extend_from_slice(&answer[sent..]);
                Poll::Ready(io::Result::Ok(count))
            })
        })
        .await?;
        if count == 0 {
            return Ok(());
        }
        if !unsent.is_empty() {
            stream.write_all(&unsent).await?;
            unsent = Vec::new();
        }
    }
    stream.shutdown().await?;
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 64])).await;
    Ok(())
}

/// Turns a client's frames into the answers to them, however the stream is cut.
#[derive(Default)]
struct Echo {
    header: Vec<u8>,
    mask: [u8; 4],
    /// Bytes of the frame's payload that are to come.
    left: u64,
    is_dropped: bool,
    is_over: bool,
}

impl Echo {
    /// `bytes` begins with `ROOM` bytes that don't count. The answer takes their place; its length is returned.
    fn answer(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut to) = (ROOM, 0);
        while from < bytes.len() && !(self.is_over && self.left == 0) {
            if self.left == 0 {
                self.header.push(bytes[from]);
                from += 1;
                if let Some(length) = self.begin() {
                    let header = &self.header[..length];
                    if !self.is_dropped {
                        bytes[to..to + length].copy_from_slice(header);
                        to += length;
                    }
                    self.header.clear();
                }
                continue;
            }
            let count = usize::try_from(self.left).map_or(bytes.len() - from, |left| left.min(bytes.len() - from));
            self.left -= count as u64;
            if !self.is_dropped {
                unmask(&mut bytes[from..from + count], &mut self.mask);
                bytes.copy_within(from..from + count, to);
                to += count;
            }
            from += count;
        }
        to
    }

    /// Reads a header that is whole. What is left of it once it is the answer's is that long.
    fn begin(&mut self) -> Option<usize> {
        let &[first, second, ref rest @ ..] = &self.header[..] else { return None };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = rest.get(extended..extended + 4)?;
        self.mask.copy_from_slice(mask);
        self.left = match extended {
            0 => u64::from(second & 0x7f),
            _ => rest[..extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        self.is_dropped = first & 0x0f == 0xa;
        self.is_over = first & 0x0f == 0x8;
        self.header[1] &= 0x7f;
        if first & 0x0f == 0x9 {
            self.header[0] = first + 1;
        }
        Some(2 + extended)
    }
}

/// Leaves the mask as the bytes that follow need it.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        let mut plain = [0; 8];
        plain.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(plain) ^ wide).to_ne_bytes());
    }
    let rest = words.into_remainder();
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let turned = rest.len() % 4;
    mask.rotate_left(turned);
}

#[cfg(test)]
mod tests {
    use super::{Echo, ROOM};
    use crate::frame::masked;

    #[test]
    fn frames_come_back_however_they_are_cut() {
        let long: Vec<u8> = (0..70_000).map(|byte| byte as u8).collect();
        let sent = [
            masked(0x2, &long[..125]),
            masked(0x9, b"there?"),
            masked(0xa, b"nobody asked"),
            masked(0x1, &long[..300]),
            masked(0x2, &[]),
            masked(0x2, &long),
            masked(0x8, &[3, 232]),
            masked(0x2, b"too late"),
        ]
        .concat();
        let medium = [&[0x81, 126, 1, 44][..], &long[..300]].concat();
        let header = [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70];
        let expected =
            [&[0x82, 125], &long[..125], b"\x8a\x06there?", &medium, &[0x82, 0], &header, &long, &[0x88, 2, 3, 232]];
        for cut in [1, 2, 3, 7, 13, 64, 1000, sent.len()] {
            let (mut echo, mut got) = (Echo::default(), Vec::new());
            for part in sent.chunks(cut) {
                let mut bytes = [&[0; ROOM], part].concat();
                let length = echo.answer(&mut bytes);
                got.extend_from_slice(&bytes[..length]);
            }
            assert!(got == expected.concat(), "cut every {cut} bytes");
            assert!(echo.is_over);
        }
    }
}
