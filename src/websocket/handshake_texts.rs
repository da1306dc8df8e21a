//! The texts of a handshake that lists and logs show, kept in few bytes.

/// The length to which each text of a handshake is cut, in bytes. The ends of the texts fit into 16 bits.
const MAX_TEXT_BYTES: usize = 1024;

/// The texts of a session's handshake, one behind the other in one allocation: a process has as many of these as it has sessions.
#[derive(Debug)]
pub struct HandshakeTexts {
    text: Box<str>,
    ends: TextEnds,
}

/// Where each text ends in [`HandshakeTexts::text`]. The request id is the last, and ends where the whole does.
#[derive(Debug)]
struct TextEnds {
    host: u16,
    path: u16,
    user_agent: u16,
    protocol: u16,
}

impl HandshakeTexts {
    /// Copies the texts, each cut to [`MAX_TEXT_BYTES`].
    pub fn new(host: &str, path: &str, user_agent: &str, protocol: &str, request_id: &str) -> Self {
        let mut text = String::new();
        let mut append = |part: &str| {
            text.push_str(&part[..part.floor_char_boundary(MAX_TEXT_BYTES)]);
            text.len() as u16
        };
        let ends = TextEnds {
            host: append(host),
            path: append(path),
            user_agent: append(user_agent),
            protocol: append(protocol),
        };
        append(request_id);
        Self { text: text.into_boxed_str(), ends }
    }

    /// Host, lower case and without port.
    pub fn host(&self) -> &str {
        self.part(0, self.ends.host)
    }

    /// Path, normalised.
    pub fn path(&self) -> &str {
        self.part(self.ends.host, self.ends.path)
    }

    /// `User-Agent`; empty for none.
    pub fn user_agent(&self) -> &str {
        self.part(self.ends.path, self.ends.user_agent)
    }

    /// The protocol that the backend chose: a subprotocol of WebSocket, or the protocol that takes WebSocket's place. Empty for none.
    pub fn protocol(&self) -> &str {
        self.part(self.ends.user_agent, self.ends.protocol)
    }

    /// `X-Request-Id`.
    pub fn request_id(&self) -> &str {
        &self.text[usize::from(self.ends.protocol)..]
    }

    fn part(&self, begin: u16, end: u16) -> &str {
        &self.text[usize::from(begin)..usize::from(end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_read_back_and_long_ones_are_cut_between_characters() {
        let long = "é".repeat(MAX_TEXT_BYTES);
        let texts = HandshakeTexts::new("chat.example", &long, "", "chat", "id");
        assert_eq!((texts.host(), texts.user_agent(), texts.protocol()), ("chat.example", "", "chat"));
        assert_eq!((texts.path(), texts.request_id()), (&long[..MAX_TEXT_BYTES], "id"));
    }
}
