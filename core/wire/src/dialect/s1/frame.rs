//! Frames of S1: a verb, header lines, a blank line, and behind `SEND` so much body as its header says.
//!
//! What programs send differs in small things, and all of them are understood: see [`ENDINGS`] and [`body_length`].

/// The longest verb and headers together, in bytes: a name, a number, and room for what others put there.
pub const HEADER_MAX: usize = 1024;

/// How the blank line behind verb and headers is sent. The first is how it is meant; an answer ends as the program's own
/// frames do.
pub const ENDINGS: [&str; 5] = ["\n\n", "\n \n", " \n \n", " \n\n", "\r\n\r\n"];

/// The verbs that a program may begin a frame with.
const VERBS: [&[u8]; 4] = [b"REGISTER", b"SEND", b"RECEIVED", b"ERROR"];

/// Which way a socket is used, as the program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It sends on it.
    ToSend,
    /// It is sent to on it.
    ToRecv,
}

impl Way {
    /// As it stands in a frame.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Way::ToSend => "TOSEND",
            Way::ToRecv => "TORECV",
        }
    }
}

/// What a program sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `REGISTER TOSEND NAME`.
    Register(Way, String),
    /// `SEND TO`, with its body.
    Send(String, String),
    /// `RECEIVED FROM`.
    Received(String),
    /// `ERROR 103 Header Incomplete`, and whatever else a program has against a `FORWARD`.
    Error,
    /// A frame that is none, with where it would go if anybody knew: `SEND` without a length that makes sense.
    Incomplete,
    /// A line that begins with no verb.
    Unknown,
}

/// A frame and how it ended.
pub type Ended = (Frame, &'static str);

/// The beginning of a frame whose end has not come yet. Empty, and without memory of its own, between frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

/// What bytes begin with.
enum Begins {
    /// A frame that is not whole.
    Unfinished,
    /// A frame of so many bytes.
    Whole(Ended, usize),
}

impl Frames {
    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Takes bytes off the front of `input`, up to and including the end of one frame; says how many, at least one of a
    /// non-empty input. A body may have `text_bytes`. What is held is bounded by [`HEADER_MAX`] and four times that.
    pub fn take(&mut self, input: &[u8], text_bytes: usize) -> (usize, Option<Ended>) {
        if self.bytes.is_empty() {
            // A line end behind a body that its length does not count, and whatever else is nothing. It is not kept.
            let blank = input.iter().take_while(|b| b.is_ascii_whitespace()).count();
            if blank > 0 {
                return (blank, None);
            }
            return match begins(input, text_bytes) {
                Begins::Whole(frame, length) => (length, Some(frame)),
                Begins::Unfinished => {
                    self.bytes.extend_from_slice(input);
                    (input.len(), None)
                }
            };
        }
        let held = self.bytes.len();
        self.bytes.extend_from_slice(input);
        match begins(&self.bytes, text_bytes) {
            Begins::Unfinished => (input.len(), None),
            Begins::Whole(frame, length) => {
                self.bytes = Vec::new();
                // What was held was not whole, so that something of the input belongs to it.
                (length.saturating_sub(held).max(1), Some(frame))
            }
        }
    }
}

/// What `bytes` begin with, which do not begin with white space.
fn begins(bytes: &[u8], text_bytes: usize) -> Begins {
    // Verb and headers end in here or nowhere, however much has come.
    let head = &bytes[..bytes.len().min(HEADER_MAX)];
    let unfinished = || {
        if head.len() == HEADER_MAX { Begins::Whole((Frame::Incomplete, ENDINGS[0]), bytes.len()) } else { Begins::Unfinished }
    };
    let Some(first) = line(head) else { return unfinished() };
    let text = String::from_utf8_lossy(first);
    let (verb, rest) = crate::split::word(text.trim_ascii());
    if !VERBS.contains(&verb.as_bytes()) {
        return Begins::Whole((Frame::Unknown, ENDINGS[0]), first.len() + 1);
    }
    // Lines up to a blank one.
    let (mut at, mut last, mut length) = (first.len() + 1, first, None);
    let (end, ending) = loop {
        let Some(next) = line(&head[at..]) else { return unfinished() };
        at += next.len() + 1;
        if next.trim_ascii().is_empty() {
            break (at, ending(last, next));
        }
        last = next;
        if let Some((name, value)) = next.iter().position(|b| *b == b':').map(|colon| (&next[..colon], &next[colon + 1..]))
            && name.trim_ascii().eq_ignore_ascii_case(b"content-length")
        {
            length = std::str::from_utf8(value.trim_ascii()).ok().and_then(|digits| digits.parse::<usize>().ok());
        }
    };
    let rest = rest.trim_ascii();
    let frame = match verb {
        "SEND" => {
            let Some(length) = length.filter(|length| *length <= text_bytes) else {
                return Begins::Whole((Frame::Incomplete, ending), end);
            };
            let body = &bytes[end..];
            return match body_length(body, length) {
                Length::More => Begins::Unfinished,
                Length::Bytes(taken) => match std::str::from_utf8(&body[..taken]) {
                    Ok(text) => Begins::Whole((Frame::Send(rest.to_owned(), text.to_owned()), ending), end + taken),
                    Err(_) => Begins::Whole((Frame::Incomplete, ending), bytes.len()),
                },
                Length::Wrong => Begins::Whole((Frame::Incomplete, ending), bytes.len()),
            };
        }
        "REGISTER" => match crate::split::word(rest) {
            ("TOSEND", name) => Frame::Register(Way::ToSend, name.to_owned()),
            ("TORECV", name) => Frame::Register(Way::ToRecv, name.to_owned()),
            _ => Frame::Unknown,
        },
        "RECEIVED" => Frame::Received(rest.to_owned()),
        _ => Frame::Error,
    };
    Begins::Whole((frame, ending), end)
}

/// The first line, without its end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|b| *b == b'\n').map(|end| &bytes[..end])
}

/// How the frame ended whose last header line and blank line these are.
fn ending(last: &[u8], blank: &[u8]) -> &'static str {
    let trailing = &last[last.trim_ascii_end().len()..];
    let is = |ending: &&&str| {
        let (before, between) = ending.split_once('\n').unwrap_or_default();
        trailing == before.as_bytes() && blank == between.trim_end_matches('\n').as_bytes()
    };
    ENDINGS.iter().find(is).unwrap_or(&ENDINGS[0])
}

/// How long a body is.
#[derive(Debug, PartialEq, Eq)]
enum Length {
    /// Not all of it has come.
    More,
    /// So many bytes.
    Bytes(usize),
    /// The header cannot be right.
    Wrong,
}

/// How many bytes of `body` are the body whose header says `length`: bytes, as it is meant, or characters, as some
/// count. It is characters if so many bytes would end within one, or if what comes behind so many bytes is no verb.
/// Where both are the same, in ASCII, there is no question.
fn body_length(body: &[u8], length: usize) -> Length {
    let Some(bytes) = body.get(..length) else { return Length::More };
    if bytes.is_ascii() || (std::str::from_utf8(bytes).is_ok() && may_follow(&body[length..])) {
        return Length::Bytes(length);
    }
    let (whole, wrong) = match std::str::from_utf8(body) {
        Ok(text) => (text, false),
        Err(error) => (std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default(), error.error_len().is_some()),
    };
    match whole.char_indices().map(|(at, c)| at + c.len_utf8()).nth(length.saturating_sub(1)) {
        Some(taken) => Length::Bytes(taken),
        None if wrong => Length::Wrong,
        None => Length::More,
    }
}

/// Whether this may be what comes behind a body: nothing, or a verb as far as it has come.
fn may_follow(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    VERBS.iter().any(|verb| {
        let common = verb.len().min(rest.len());
        rest[..common] == verb[..common]
    })
}

/// `FORWARD FROM` with its body.
#[must_use]
pub fn forward(from: &str, body: &str, ending: &str) -> Vec<u8> {
    format!("FORWARD {from}\nContent-length: {}{ending}{body}", body.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 100;

    /// Feeds `chunks` and collects what comes out, until something is incomplete.
    fn decoded(chunks: &[&[u8]]) -> Vec<Ended> {
        let mut frames = Frames::default();
        let mut all = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while !input.is_empty() {
                let (taken, frame) = frames.take(input, LIMIT);
                assert!(taken > 0 && frames.held() <= HEADER_MAX + 4 * LIMIT, "it goes on, within its bound");
                input = &input[taken..];
                if let Some(frame) = frame {
                    let is_last = frame.0 == Frame::Incomplete;
                    all.push(frame);
                    if is_last {
                        return all;
                    }
                }
            }
        }
        all
    }

    fn one(bytes: &[u8]) -> Ended {
        let all = decoded(&[bytes]);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn every_ending_is_understood_and_remembered() {
        for ending in ENDINGS {
            let register = one(format!("REGISTER TOSEND alice{ending}").as_bytes());
            assert_eq!(register, (Frame::Register(Way::ToSend, "alice".into()), ending));
            let send = one(format!("SEND bob\nContent-length: 4{ending}a\n b").as_bytes());
            assert_eq!(send, (Frame::Send("bob".into(), "a\n b".into()), ending));
        }
        assert_eq!(one(b"RECEIVED alice\t\n  \n").1, "\n\n");
    }

    #[test]
    fn what_is_in_the_field_is_understood() {
        let send = |to: &str, body: &str| (Frame::Send(to.into(), body.into()), "\n\n");
        // A line end behind the body that is not counted.
        assert_eq!(
            decoded(&["SEND bob\nContent-length: 2\n\nhi\nSEND ALL\ncontent-LENGTH :2\n\nho\n".as_bytes()]),
            [send("bob", "hi"), send("ALL", "ho")]
        );
        // Characters for bytes: the last one would be split; or what follows is no verb.
        assert_eq!(
            decoded(&["SEND bob\nContent-length: 2\n\naéSEND x\nContent-length: 0\n\n".as_bytes()]),
            [send("bob", "aé"), send("x", "")]
        );
        assert_eq!(decoded(&["SEND bob\nContent-length: 5\n\nhéllo\nRECEIVED x\n\n".as_bytes()])[0], send("bob", "héllo"));
        // Bytes for bytes.
        assert_eq!(decoded(&["SEND bob\nContent-length: 6\n\nhélloRECEI".as_bytes()])[0], send("bob", "héllo"));
        assert_eq!(decoded(&["SEND bob\nContent-length: 6\n\nhéllo".as_bytes()]), [send("bob", "héllo")]);
        // A body that looks like a frame.
        assert_eq!(one(b"SEND bob\nContent-length: 10\n\nSEND x\n\n\n\n"), send("bob", "SEND x\n\n\n\n"));
    }

    #[test]
    fn a_length_that_makes_no_sense_is_incomplete() {
        for wrong in [
            "SEND bob\n\n",
            "SEND bob\nContent-length: x\n\nhi",
            "SEND bob\nContent-length: -1\n\nhi",
            "SEND bob\nContent-length: 99999999999999999999\n\n",
            "SEND bob\nContent-length: 101\n\n",
            "SEND bob\nContent-length:\n\n",
        ] {
            assert_eq!(one(wrong.as_bytes()).0, Frame::Incomplete, "{wrong}");
        }
        assert_eq!(decoded(&[b"SEND bob\nContent-length: 3\n\nca\xe9 SEND"])[0].0, Frame::Incomplete);
        assert_eq!(decoded(&[&b"SEND ".repeat(300)])[0].0, Frame::Incomplete);
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-zé€\n 😀]{0,20}"
    }

    fn frame() -> impl Strategy<Value = (Vec<u8>, Ended)> {
        let ending = prop::sample::select(&ENDINGS[..]);
        let name = "[A-Za-z0-9]{1,8}";
        let way = prop_oneof![Just(Way::ToSend), Just(Way::ToRecv)];
        prop_oneof![
            (way, name, ending.clone()).prop_map(|(way, name, ending)| {
                (format!("REGISTER {} {name}{ending}", way.word()).into_bytes(), (Frame::Register(way, name), ending))
            }),
            (name, text(), ending.clone()).prop_map(|(to, body, ending)| {
                let bytes = format!("SEND {to}\nContent-length: {}{ending}{body}", body.len());
                (bytes.into_bytes(), (Frame::Send(to, body), ending))
            }),
            (name, ending).prop_map(|(from, ending)| (format!("RECEIVED {from}{ending}").into_bytes(), (Frame::Received(from), ending))),
        ]
    }

    fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        let mut chunks = Vec::new();
        for cut in cuts.into_iter().chain([bytes.len()]) {
            chunks.push(&bytes[from..cut]);
            from = cut;
        }
        chunks
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_in_any_split(
            frames in prop::collection::vec(frame(), 0..6),
            cuts in prop::collection::vec(0usize..300, 0..8),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let expected: Vec<Ended> = frames.into_iter().map(|(_, frame)| frame).collect();
            prop_assert_eq!(decoded(&cut(&bytes, &cuts)), expected);
        }

        #[test]
        fn any_split_of_any_ascii_is_understood_the_same(
            pieces in prop::collection::vec(
                prop_oneof![
                    2 => "[ -~\n\r\t]{0,12}",
                    8 => prop::sample::select(vec![
                        "SEND ", "REGISTER TOSEND a", "REGISTER TORECV b", "Content-length: 3", "content-length :12", "\n", " \n", "\n\n", " \n \n",
                        "RECEIVED x", "ERROR 103", "abc",
                    ]).prop_map(str::to_owned),
                    1 => Just("x".repeat(500)),
                ],
                0..40,
            ),
            cuts in prop::collection::vec(0usize..1500, 0..8),
        ) {
            // Where characters are counted for bytes, what has come behind a body decides: then a split may tell (`body_length`).
            let bytes = pieces.concat().into_bytes();
            prop_assert_eq!(decoded(&cut(&bytes, &cuts)), decoded(&[&bytes]));
        }

        #[test]
        fn any_bytes_in_any_split_are_survived(
            bytes in prop::collection::vec(
                prop_oneof![
                    any::<u8>().prop_map(|byte| vec![byte]),
                    prop::sample::select(vec!["SEND ", "REGISTER TOSEND a", "Content-length: 3", "\n", " \n", "\n\n", "RECEIVED x", "é"]).prop_map(|text| text.as_bytes().to_vec()),
                ],
                0..200,
            ),
            cuts in prop::collection::vec(0usize..800, 0..8),
        ) {
            decoded(&cut(&bytes.concat(), &cuts));
        }
    }
}
