//! Frames of S1: a verb, header lines, a blank line, and behind `SEND` so much body as its header says.
//!
//! What programs send differs in small things, and all of them are understood: see [`ENDINGS`] and [`body_length`].

use std::time::Duration;

/// The longest verb and headers together, in bytes: a name, a number, and room for what others put there.
pub const HEADER_MAX: usize = 1024;

/// How the blank line behind verb and headers is sent. The first is how it is meant; an answer ends as the program's own
/// frames do.
pub const ENDINGS: [&str; 5] = ["\n\n", "\n \n", " \n \n", " \n\n", "\r\n\r\n"];

/// The verbs that a program may begin a frame with.
const VERBS: [&[u8]; 4] = [b"REGISTER", b"SEND", b"RECEIVED", b"ERROR"];

/// How long it is waited for the rest of a body whose length may be counted in characters: what belongs together comes
/// together, and a person does not notice it. Who counts bytes waits once on a socket.
const REST_WITHIN: Duration = Duration::from_millis(200);

/// How long it is waited for the rest of a character: it was sent, or the text is no UTF-8.
const CHARACTER_WITHIN: Duration = Duration::from_secs(5);

/// How many line ends and blanks behind a body leave it open what comes behind them.
const BLANKS_MAX: usize = 16;

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
    /// `SEND TO`, with a body that is not UTF-8.
    Unreadable,
    /// `RECEIVED FROM`.
    Received(String),
    /// `ERROR 103 Header Incomplete`, and whatever else a program has against a `FORWARD`.
    Error,
    /// A frame that is none: `SEND` without a length that makes sense.
    Incomplete,
    /// A line that begins with no verb.
    Unknown,
}

/// A frame and how it ended.
pub type Ended = (Frame, &'static str);

/// What a program has shown that it counts in a `Content-length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Counts {
    /// Nothing yet: all has been ASCII, where it is the same.
    #[default]
    Either,
    Bytes,
    Characters,
}

/// The beginning of a frame whose end has not come yet. Empty, and without memory of its own, between frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    counts: Counts,
    /// What is held may be a whole frame, which will be known by then.
    open_for: Option<Duration>,
}

/// What bytes begin with.
enum Begins {
    /// A frame that is not whole.
    Unfinished,
    /// A frame that is whole if nothing more comes within this time.
    Open(Duration),
    /// A frame of so many bytes, and what it shows of its program.
    Whole(Ended, usize, Counts),
}

impl Frames {
    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// For how long nothing more may come until [`Frames::settle`] says what is held.
    #[must_use]
    pub fn open_for(&self) -> Option<Duration> {
        self.open_for
    }

    /// Takes bytes off the front of `input`, up to and including the end of one frame; says how many, at least one of a
    /// non-empty input. A body may have `text_bytes`. What is held is bounded by [`HEADER_MAX`] and four times that.
    pub fn take(&mut self, input: &[u8], text_bytes: usize) -> (usize, Option<Ended>) {
        self.open_for = None;
        if self.bytes.is_empty() {
            // A line end behind a body that its length does not count, and whatever else is nothing. It is not kept.
            let blank = input.len() - without_blanks(input).len();
            if blank > 0 {
                return (blank, None);
            }
            if let Begins::Whole(frame, length, counts) = begins(input, text_bytes, self.counts, false) {
                self.counts = counts;
                return (length, Some(frame));
            }
        }
        let held = self.bytes.len();
        self.bytes.extend_from_slice(input);
        match begins(&self.bytes, text_bytes, self.counts, false) {
            Begins::Unfinished => (input.len(), None),
            Begins::Open(within) => {
                self.open_for = Some(within);
                (input.len(), None)
            }
            Begins::Whole(frame, length, counts) => {
                self.counts = counts;
                // What was held may have been whole, with the beginning of a verb behind it.
                let taken = length.saturating_sub(held).max(1);
                self.bytes.truncate(held + taken);
                self.keep_from(length);
                (taken, Some(frame))
            }
        }
    }

    /// Nothing more has come for as long as [`Frames::open_for`] says.
    pub fn settle(&mut self, text_bytes: usize) -> Option<Ended> {
        self.open_for.take()?;
        let Begins::Whole(frame, length, counts) = begins(&self.bytes, text_bytes, self.counts, true) else { return None };
        self.counts = counts;
        self.keep_from(length);
        Some(frame)
    }

    /// Keeps what is held behind so many bytes.
    fn keep_from(&mut self, length: usize) {
        self.bytes = without_blanks(&self.bytes[length..]).to_vec();
    }
}

/// What is behind line ends, blanks, and the ends of strings that some count.
fn without_blanks(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    &bytes[bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len())..]
}

/// What `bytes` begin with, which do not begin with white space. `settled` if nothing more is to be expected.
fn begins(bytes: &[u8], text_bytes: usize, counts: Counts, settled: bool) -> Begins {
    // Verb and headers end in here or nowhere, however much has come.
    let head = &bytes[..bytes.len().min(HEADER_MAX)];
    let unfinished = || {
        if head.len() == HEADER_MAX { Begins::Whole((Frame::Incomplete, ENDINGS[0]), bytes.len(), counts) } else { Begins::Unfinished }
    };
    let Some(first) = line(head) else { return unfinished() };
    let text = String::from_utf8_lossy(first);
    let (verb, rest) = crate::split::word(text.trim_ascii());
    if !VERBS.contains(&verb.as_bytes()) {
        return Begins::Whole((Frame::Unknown, ENDINGS[0]), first.len() + 1, counts);
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
                return Begins::Whole((Frame::Incomplete, ending), end, counts);
            };
            let body = &bytes[end..];
            return match body_length(body, length, counts, settled) {
                Length::More => Begins::Unfinished,
                Length::Open(within) => Begins::Open(within),
                Length::Is(taken, counts) => match std::str::from_utf8(&body[..taken]) {
                    Ok(text) => Begins::Whole((Frame::Send(rest.to_owned(), text.to_owned()), ending), end + taken, counts),
                    Err(_) => Begins::Whole((Frame::Unreadable, ending), end + taken, counts),
                },
                Length::Wrong => Begins::Whole((Frame::Incomplete, ending), bytes.len(), counts),
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
    Begins::Whole((frame, ending), end, counts)
}

/// The first line, without its end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|b| *b == b'\n').map(|end| &bytes[..end])
}

/// How the frame ended whose last header line and blank line these are.
fn ending(last: &[u8], blank: &[u8]) -> &'static str {
    let mut trailing = &last[last.trim_ascii_end().len()..];
    // A name or a number that is missing leaves the blank in front of it.
    let lacks_its_end = [&b":"[..], b"SEND", b"RECEIVED", b"REGISTER", b"TOSEND", b"TORECV"];
    if lacks_its_end.iter().any(|end| last.trim_ascii_end().ends_with(end)) {
        trailing = trailing.strip_prefix(b" ").unwrap_or(trailing);
    }
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
    /// If nothing more comes within this time, all of it has.
    Open(Duration),
    /// So many bytes; and what that shows of its program.
    Is(usize, Counts),
    /// The header cannot be right.
    Wrong,
}

/// Where so many characters end.
enum Characters {
    End(usize),
    /// There are not so many yet.
    Short,
    /// They are none.
    Wrong,
}

/// How many bytes of `body` are the body whose header says `length`: bytes, as it is meant, or characters, as some
/// count. It is characters if so many bytes would end within one, or if what comes behind so many bytes is no verb.
/// In ASCII there is no question. Where so many bytes have come, and fewer characters, the rest may be under way: what
/// comes next decides, or that nothing does, or what the program has shown before.
fn body_length(body: &[u8], length: usize, counts: Counts, settled: bool) -> Length {
    let Some(bytes) = body.get(..length) else { return Length::More };
    if bytes.is_ascii() {
        return Length::Is(length, counts);
    }
    let behind = &body[length..];
    let rest = without_blanks(behind);
    let characters = characters(body, length);
    if std::str::from_utf8(bytes).is_err() {
        return match characters {
            Characters::End(end) => Length::Is(end, Counts::Characters),
            Characters::Short if !settled => Length::Open(CHARACTER_WITHIN),
            Characters::Short | Characters::Wrong => Length::Is(length, counts),
        };
    }
    match (follows(rest), characters) {
        (Follows::Verb, _) => Length::Is(length, Counts::Bytes),
        (Follows::Other, Characters::End(end)) => Length::Is(end, Counts::Characters),
        (Follows::Other, Characters::Short) => Length::More,
        (Follows::Other, Characters::Wrong) => Length::Wrong,
        (Follows::Nothing | Follows::Perhaps, Characters::End(end)) if counts == Counts::Characters => Length::Is(end, counts),
        _ if counts == Counts::Bytes => Length::Is(length, counts),
        (_, Characters::Wrong) => Length::Is(length, counts),
        (_, Characters::Short) if settled => Length::Is(length, Counts::Bytes),
        (_, Characters::Short) => Length::Open(REST_WITHIN),
        (Follows::Nothing, Characters::End(_)) => Length::Is(length, counts),
        (Follows::Perhaps, Characters::End(_)) if behind.len() - rest.len() > BLANKS_MAX => Length::Is(length, counts),
        (Follows::Perhaps, Characters::End(end)) if settled && end == body.len() => Length::Is(end, Counts::Characters),
        (Follows::Perhaps, Characters::End(_)) if settled => Length::Is(length, counts),
        (Follows::Perhaps, Characters::End(_)) => Length::Open(REST_WITHIN),
    }
}

fn characters(body: &[u8], count: usize) -> Characters {
    let (whole, wrong) = match std::str::from_utf8(body) {
        Ok(text) => (text, false),
        Err(error) => (std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default(), error.error_len().is_some()),
    };
    match whole.char_indices().map(|(at, c)| at + c.len_utf8()).nth(count.saturating_sub(1)) {
        Some(end) => Characters::End(end),
        None if wrong => Characters::Wrong,
        None => Characters::Short,
    }
}

/// What comes behind a body, as far as it has come.
enum Follows {
    Nothing,
    Verb,
    /// The beginning of a verb, and no more.
    Perhaps,
    Other,
}

fn follows(rest: &[u8]) -> Follows {
    if rest.is_empty() {
        return Follows::Nothing;
    }
    let is = |verb: &&[u8]| rest.strip_prefix(*verb).is_some_and(|behind| behind.first().is_some_and(u8::is_ascii_whitespace));
    if VERBS.iter().any(is) {
        Follows::Verb
    } else if VERBS.iter().any(|verb| verb.starts_with(rest)) {
        Follows::Perhaps
    } else {
        Follows::Other
    }
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

    /// Feeds `chunks` and collects what comes out, until something is incomplete. Nothing more comes then.
    fn decoded(chunks: &[&[u8]]) -> Vec<Ended> {
        decoded_by(&mut Frames::default(), chunks)
    }

    fn decoded_by(frames: &mut Frames, chunks: &[&[u8]]) -> Vec<Ended> {
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
        all.extend(frames.settle(LIMIT));
        assert_eq!(frames.open_for(), None);
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
        assert_eq!(decoded(&[&b"SEND ".repeat(300)])[0].0, Frame::Incomplete);
    }

    #[test]
    fn a_body_that_is_no_utf_8_is_one_all_the_same() {
        let next = (Frame::Received("x".into()), "\n\n");
        for body in [&b"ca\xe9"[..], b"\xe9ca", b"\xff\xff\xff"] {
            let bytes = [b"SEND bob\nContent-length: 3\n\n", body, b"\nRECEIVED x\n\n"].concat();
            assert_eq!(decoded(&[&bytes]), [(Frame::Unreadable, "\n\n"), next.clone()]);
        }
        // The rest of a character may be under way, for a while.
        let mut frames = Frames::default();
        frames.take(b"SEND bob\nContent-length: 3\n\nca\xc3", LIMIT);
        assert_eq!(frames.open_for(), Some(CHARACTER_WITHIN));
        assert_eq!(frames.take(b"\xa9", LIMIT).1, Some((Frame::Send("bob".into(), "caé".into()), "\n\n")));
        assert_eq!(one(b"SEND bob\nContent-length: 3\n\nca\xe9").0, Frame::Unreadable);
    }

    /// What comes of `body`, whose characters are counted, in pieces of so many bytes; nothing comes behind it.
    fn counted_in_characters(frames: &mut Frames, body: &str, piece: usize) -> Vec<Ended> {
        let bytes = format!("SEND bob\nContent-length: {}\n\n{body}", body.chars().count());
        decoded_by(frames, &bytes.as_bytes().chunks(piece).collect::<Vec<_>>())
    }

    #[test]
    fn characters_may_be_counted_byte_by_byte() {
        let bodies = ["héllo", "漢字", "😀", "a😀b漢é", "éS", "éSE", "éRECEIVED x", "éSEND"];
        for piece in [1, 2, 3, 7, 1000] {
            for body in bodies {
                let sent = [(Frame::Send("bob".into(), body.into()), "\n\n")];
                assert_eq!(counted_in_characters(&mut Frames::default(), body, piece), sent, "{body} by {piece}");
            }
            // Once it is known, blanks at the end of a body are a part of it.
            let mut frames = Frames::default();
            for body in ["漢字", "é\n", "é ", "é\n\n"] {
                let sent = [(Frame::Send("bob".into(), body.into()), "\n\n")];
                assert_eq!(counted_in_characters(&mut frames, body, piece), sent, "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn who_counts_bytes_waits_once() {
        let send = |body: &str| format!("SEND bob\nContent-length: {}\n\n{body}", body.len()).into_bytes();
        let (first, next) = (send("hé"), send("café"));
        let mut frames = Frames::default();
        assert_eq!(frames.take(&first, LIMIT), (first.len(), None));
        assert_eq!(frames.open_for(), Some(REST_WITHIN));
        assert_eq!(frames.settle(LIMIT), Some((Frame::Send("bob".into(), "hé".into()), "\n\n")));
        assert_eq!(frames.take(&next, LIMIT), (next.len(), Some((Frame::Send("bob".into(), "café".into()), "\n\n"))));
        // Not at all if the next frame is there.
        assert_eq!(Frames::default().take(&[&first[..], &next].concat(), LIMIT).0, first.len());
        // What came while it was open is not lost.
        let mut frames = Frames::default();
        frames.take(&[&first[..], b"\nSE"].concat(), LIMIT);
        assert_eq!(decoded_by(&mut frames, &[b"ND x\nContent-length: 2\n\nhi"]).len(), 2);
    }

    #[test]
    fn an_empty_name_leaves_the_blank_in_front_of_it() {
        for ending in ["\n\n", "\n \n", " \n \n"] {
            assert_eq!(one(format!("REGISTER TOSEND {ending}").as_bytes()), (Frame::Register(Way::ToSend, String::new()), ending));
            assert_eq!(one(format!("SEND x\nContent-length: {ending}").as_bytes()), (Frame::Incomplete, ending));
        }
    }

    #[test]
    fn the_end_of_a_string_may_be_sent() {
        let received = |from: &str| (Frame::Received(from.into()), "\n\n");
        assert_eq!(decoded(&[b"RECEIVED a\n\n\0RECEIVED b\n\n\0\n"]), [received("a"), received("b")]);
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
