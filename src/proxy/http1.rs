//! HTTP/1.1 on the wire (RFC 9112), as clients and members speak it alike: fields, the framing of bodies, messages that are written.
//!
//! Knows neither side: what a head has to say is read by `front::http1` for requests and by `forward::upstream` for answers.

pub(super) mod date;
pub(super) mod fields;
pub(super) mod framing;
pub(super) mod message_writer;
pub(super) mod read_buffer;
