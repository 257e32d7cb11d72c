//! Connections that speak a wire: what they send, what comes in frames, and how the bytes are shown.

use std::fmt::Write;

use chinwag_wire::dialect::s1::frame::ENDINGS;
use chinwag_wire::dialect::s4::frame::{self, Frames, Next};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest frame that is inflated, to be shown: longer than any in a scenario.
const FRAME_MAX: usize = 1 << 20;

/// A wire, as scenarios name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Wire {
    /// Two sockets for each user.
    S1,
    /// Length and JSON, without TLS.
    S4,
    /// The same over TLS: what comes in one record is taken for one frame.
    S4Tls,
}

impl Wire {
    /// As the server names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wire::S1 => "s1",
            Wire::S4 | Wire::S4Tls => "s4",
        }
    }

    /// What somebody called `me` sends first.
    #[must_use]
    pub fn hello(self, me: &str) -> Vec<u8> {
        match self {
            Wire::S1 => format!("REGISTER TOSEND {me}\n\n").into_bytes(),
            Wire::S4 | Wire::S4Tls => frame::encode(&json!({ "USERNAME": me })),
        }
    }

    /// What it sends first on its second socket, where there is one.
    #[must_use]
    pub fn second_hello(self, me: &str) -> Option<Vec<u8>> {
        (self == Wire::S1).then(|| format!("REGISTER TORECV {me}\n\n").into_bytes())
    }

    /// What somebody called `me` sends to say `line`: `@NAME TEXT` and `@all TEXT` as messages; else, on S1, a frame
    /// without a body, and on S4 an object, or a command to oneself.
    #[must_use]
    pub fn said(self, me: &str, line: &str) -> Vec<u8> {
        let addressed = line.strip_prefix('@').and_then(|addressed| addressed.split_once(' '));
        let addressed = addressed.map(|(to, text)| (if to == "all" { "ALL" } else { to }, text));
        match (self, addressed) {
            (Wire::S1, Some((to, text))) => format!("SEND {to}\nContent-length: {}\n\n{text}", text.len()).into_bytes(),
            (Wire::S1, None) => format!("{line}\n\n").into_bytes(),
            (Wire::S4 | Wire::S4Tls, Some((to, text))) => frame::encode(&json!({ "MESSAGES": [[me, to, 0, text]] })),
            (Wire::S4 | Wire::S4Tls, None) => match serde_json::from_str::<Value>(line) {
                Ok(object) => frame::encode(&object),
                Err(_) => frame::encode(&json!({ "MESSAGES": [[me, me, 0, format!("/{}", line.trim_start_matches('/'))]] })),
            },
        }
    }

    /// Takes the whole frames off the front of what has come.
    pub fn frames(self, bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(length) = self.frame_length(bytes).filter(|length| *length <= bytes.len()) {
            let rest = bytes.split_off(length);
            all.push(std::mem::replace(bytes, rest));
        }
        all
    }

    /// How long the first frame is, as soon as that is known.
    fn frame_length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Wire::S4 | Wire::S4Tls => {
                // One bit is a mark.
                let length = u32::from_be_bytes(*bytes.first_chunk()?) & !frame::DEFLATED;
                Some(frame::HEADER + usize::try_from(length).ok()?)
            }
            Wire::S1 => {
                let find = |ending: &&str| Some(bytes.windows(ending.len()).position(|part| part == ending.as_bytes())? + ending.len());
                let header = ENDINGS.iter().filter_map(find).min()?;
                let text = String::from_utf8_lossy(&bytes[..header]);
                let body =
                    text.lines().find_map(|line| line.strip_prefix("Content-length: ")).and_then(|length| length.trim().parse().ok());
                Some(header + body.unwrap_or(0))
            }
        }
    }

    /// What acknowledges this frame, if it wants to be.
    #[must_use]
    pub fn acknowledgement(self, frame: &[u8]) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(frame);
        let from = text.lines().next()?.strip_prefix("FORWARD ")?.trim();
        (self == Wire::S1).then(|| format!("RECEIVED {from}\n\n").into_bytes())
    }

    /// Whether this frame says that somebody is in.
    #[must_use]
    pub fn lets_in(self, shown: &str) -> bool {
        match self {
            Wire::S1 => shown.starts_with("REGISTERED "),
            Wire::S4 | Wire::S4Tls => shown.contains(r#"{"USERNAME_ACCEPTED":true"#),
        }
    }
}

/// A frame as a transcript has it: its bytes; or, if it is deflated, its length and what it inflates to.
#[must_use]
pub fn shown_frame(wire: Wire, bytes: &[u8]) -> String {
    let mut frames = Frames::default();
    frames.inflate();
    match frames.take(bytes, FRAME_MAX) {
        (_, Next::Whole(json)) if wire != Wire::S1 && bytes[0] & 0x80 != 0 => {
            format!("{} deflated {}", shown(&bytes[..frame::HEADER]), shown(&json))
        }
        _ => shown(bytes),
    }
}

/// Bytes as a transcript has them: printable ASCII as it is, `\n`, and everything else as `\x7f`.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b' '..=b'~' => text.push(char::from(*byte)),
            b'\n' => text.push_str("\\n"),
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_off_one_by_one() {
        let mut bytes = b"REGISTERED TORECV a \n \nFORWARD b\nContent-length: 3\n\nx\n\nSEND c\n".to_vec();
        let frames: Vec<String> = Wire::S1.frames(&mut bytes).iter().map(|frame| shown(frame)).collect();
        assert_eq!(frames, [r"REGISTERED TORECV a \n \n", r"FORWARD b\nContent-length: 3\n\nx\n\n"]);
        assert_eq!(bytes, b"SEND c\n");
        let mut bytes = [Wire::S4.said("a", "whoami"), vec![0, 0, 0, 2, b'{']].concat();
        let frames: Vec<String> = Wire::S4.frames(&mut bytes).iter().map(|frame| shown(frame)).collect();
        assert_eq!(frames, [r#"\x00\x00\x00${"MESSAGES":[["a","a",0,"/whoami"]]}"#]);
        let text = "la".repeat(200);
        let mut bytes = [frame::encode_deflated(&text), vec![0]].concat();
        let length = bytes[3];
        let frames: Vec<String> = Wire::S4.frames(&mut bytes).iter().map(|frame| shown_frame(Wire::S4, frame)).collect();
        assert_eq!(frames, [format!(r#"\x80\x00\x00{} deflated "{text}""#, shown(&[length]))]);
        assert_eq!(bytes, [0]);
    }
}
