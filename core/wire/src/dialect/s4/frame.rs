//! Frames of S4: four bytes that say how long the JSON is, then the JSON. Both ends read and write with this.

use std::io;

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// How many bytes the length has.
pub const HEADER: usize = 4;

/// The byte that one client of the field searches a frame for, from its first byte on.
const BRACE: u8 = b'{';

/// The bit of a length that says that the JSON is deflated (zlib, RFC 1950): an extension, between those who have agreed
/// on it. The other bits are the length of what is sent. No length that is allowed has this bit.
pub const DEFLATED: u32 = 1 << 31;

/// Less JSON than this is sent as it is: a deflated chat line is hardly shorter than the line.
const DEFLATE_FROM: usize = 200;

/// How hard it is tried to make it short: the usual middle.
const DEFLATE_LEVEL: u8 = 6;

/// The beginning of a frame whose end has not come yet. Empty, and without memory of its own, between frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    deflates: bool,
}

/// What a decoder makes of the next bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The frame goes on.
    Unfinished,
    /// The JSON of one frame.
    Whole(Vec<u8>),
    /// A frame that claims this length. Where the next one begins nobody knows.
    TooLong(u32),
    /// A deflated frame that inflates to more than the bound, or to nothing. So will the next ones.
    NotInflatable,
}

impl Frames {
    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// From here on frames may be deflated.
    pub fn inflate(&mut self) {
        self.deflates = true;
    }

    /// Takes bytes off the front of `input`, up to and including the end of one frame; says how many. A frame may have
    /// `limit` bytes besides its length, as it comes and as it is. No memory is taken for what has not come.
    pub fn take(&mut self, input: &[u8], limit: usize) -> (usize, Next) {
        let missing = HEADER.saturating_sub(self.bytes.len()).min(input.len());
        self.bytes.extend_from_slice(&input[..missing]);
        let Some(header) = self.bytes.first_chunk::<HEADER>() else { return (missing, Next::Unfinished) };
        let claimed = u32::from_be_bytes(*header);
        let is_deflated = self.deflates && claimed & DEFLATED != 0;
        let length = if is_deflated { claimed & !DEFLATED } else { claimed };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > limit {
            self.bytes = Vec::new();
            return (missing, Next::TooLong(claimed));
        }
        let body = &input[missing..];
        let taken = (HEADER + length - self.bytes.len()).min(body.len());
        self.bytes.extend_from_slice(&body[..taken]);
        if self.bytes.len() < HEADER + length {
            return (missing + taken, Next::Unfinished);
        }
        let mut whole = std::mem::take(&mut self.bytes);
        if is_deflated {
            // It takes as much memory as there is JSON, and no more than the bound.
            let inflated = decompress_to_vec_zlib_with_limit(&whole[HEADER..], limit);
            return (missing + taken, inflated.map_or(Next::NotInflatable, Next::Whole));
        }
        whole.drain(..HEADER);
        (missing + taken, Next::Whole(whole))
    }
}

/// Writes one frame. The JSON is ASCII without DEL, and no byte of its length is a `{`: there are programs that read
/// nothing else, and one that takes the first `{` for the beginning.
#[must_use]
pub fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Ascii);
    value.serialize(&mut serializer).expect("wire types have string keys, and a Vec takes every byte");
    let mut length = header(out.len());
    while length.contains(&BRACE) {
        // White space behind a JSON text is nothing to anybody. Once is enough, unless a carry makes another `{`.
        out.push(b' ');
        length = header(out.len());
    }
    out[..HEADER].copy_from_slice(&length);
    out
}

/// Writes one frame for a reader who has agreed to [`Frames::inflate`]: deflated, where that makes it shorter.
#[must_use]
pub fn encode_deflated(value: &impl Serialize) -> Vec<u8> {
    let plain = encode(value);
    let json = &plain[HEADER..];
    if json.len() < DEFLATE_FROM {
        return plain;
    }
    let deflated = compress_to_vec_zlib(json, DEFLATE_LEVEL);
    if deflated.len() >= json.len() {
        return plain;
    }
    let length = u32::try_from(deflated.len()).unwrap_or(u32::MAX) | DEFLATED;
    [&length.to_be_bytes()[..], &deflated].concat()
}

fn header(whole: usize) -> [u8; HEADER] {
    u32::try_from(whole - HEADER).unwrap_or(u32::MAX).to_be_bytes()
}

/// JSON in which every character above `~` is escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| *c > '~') {
            writer.write_all(&fragment.as_bytes()[plain_from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        CompactFormatter.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `chunks` and collects what comes out.
    fn decoded(chunks: &[&[u8]], limit: usize) -> Vec<Next> {
        decoded_by(Frames::default(), chunks, limit)
    }

    fn decoded_by(mut frames: Frames, chunks: &[&[u8]], limit: usize) -> Vec<Next> {
        let mut all = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while !input.is_empty() {
                let (taken, next) = frames.take(input, limit);
                assert!(taken > 0 && frames.held() < HEADER + limit.max(1), "it goes on, within its bound");
                input = &input[taken..];
                match next {
                    Next::Unfinished => assert!(input.is_empty(), "what is unfinished has everything"),
                    Next::TooLong(_) | Next::NotInflatable => {
                        all.push(next);
                        return all;
                    }
                    whole => all.push(whole),
                }
            }
        }
        all
    }

    #[test]
    fn a_length_with_a_brace_in_it_is_padded_away() {
        // `["x…"]` of 123 bytes would have the length 0x0000007b.
        let frame = encode(&["x".repeat(0x7b - 4)]);
        assert_eq!((&frame[..HEADER], frame.last()), (&[0, 0, 0, 0x7c][..], Some(&b' ')));
        // 0x7b00 to 0x7bff: one space is not enough.
        let frame = encode(&["x".repeat(0x7b00 - 4)]);
        assert!(!frame[..HEADER].contains(&b'{'));
        assert_eq!(frame.iter().filter(|b| **b == b' ').count(), 0x100);
    }

    #[test]
    fn a_huge_length_costs_nothing() {
        let mut frames = Frames::default();
        assert_eq!(frames.take(&[0xff; 4], 1000), (4, Next::TooLong(u32::MAX)));
        assert_eq!(frames.held(), 0);
        // Nor does one that is within the bound before its bytes have come.
        assert_eq!(frames.take(&[0, 0, 0x03, 0xe8], 1000), (4, Next::Unfinished));
        assert_eq!(frames.held(), 4);
    }

    fn inflating() -> Frames {
        let mut frames = Frames::default();
        frames.inflate();
        frames
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_bound() {
        // A megabyte of blanks in a thousand bytes.
        let deflated = compress_to_vec_zlib(&vec![b' '; 1 << 20], 9);
        assert!(deflated.len() < 2000);
        let bomb = [&(u32::try_from(deflated.len()).unwrap() | DEFLATED).to_be_bytes()[..], &deflated].concat();
        assert_eq!(decoded_by(inflating(), &[&bomb], 64 * 1024), [Next::NotInflatable]);
        assert_eq!(decoded_by(inflating(), &[b"\x80\0\0\x03abc"], 100), [Next::NotInflatable]);
        // Who has not agreed on it reads a length, and all bits of it.
        assert_eq!(decoded(&[&bomb], 64 * 1024), [Next::TooLong(u32::from_be_bytes(*bomb.first_chunk().unwrap()))]);
        assert_eq!(decoded_by(inflating(), &[&[0xff; 9]], 64 * 1024), [Next::TooLong(u32::MAX)]);
    }

    proptest! {
        #[test]
        fn any_split_of_any_bytes_decodes_the_same(
            bytes in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => 0u8..20, 1 => any::<u8>()], 0..400),
            cuts in prop::collection::vec(0usize..400, 0..8),
            deflates: bool,
        ) {
            let decoded = |chunks: &[&[u8]], limit| decoded_by(Frames { deflates, ..Frames::default() }, chunks, limit);
            let whole = decoded(&[&bytes], 40);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(decoded(&chunks, 40), whole);
        }

        #[test]
        fn what_is_written_is_read_back(texts in prop::collection::vec(any::<String>(), 0..8)) {
            let frame = encode(&texts);
            prop_assert!(frame[HEADER..].iter().all(|b| (b' '..=b'~').contains(b)));
            prop_assert!(!frame[..HEADER].contains(&BRACE));
            let all = decoded(&[&frame], 1 << 20);
            let [Next::Whole(json)] = &all[..] else { return Err(TestCaseError::fail("one frame")) };
            prop_assert_eq!(serde_json::from_slice::<Vec<String>>(json).unwrap(), texts);
        }

        #[test]
        fn what_is_deflated_is_read_back_and_never_longer(texts in prop::collection::vec("[a-e]{0,90}|.{0,90}", 0..8)) {
            let frame = encode_deflated(&texts);
            prop_assert!(frame.len() <= encode(&texts).len());
            let all = decoded_by(inflating(), &[&frame], 1 << 20);
            let [Next::Whole(json)] = &all[..] else { return Err(TestCaseError::fail("one frame")) };
            prop_assert_eq!(serde_json::from_slice::<Vec<String>>(json).unwrap(), texts);
        }
    }
}
