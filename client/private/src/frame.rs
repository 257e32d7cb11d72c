//! What travels inside TLS: frames, each a length, a kind and its fields. `README.md` has them as a table.
//!
//! No I/O. The reader keeps no more than one buffer, whatever comes; a frame that is not exactly as it should be is an error
//! and ends the channel, since both ends speak the same version (`chinwag-private/1`, agreed on in the TLS handshake).

/// The longest text, in bytes: twice the server's default.
pub(crate) const TEXT_BYTES_MAX: usize = 8 * 1024;
/// The longest name of a file, in bytes: as long as file systems take.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// The largest file: a pebibyte. Whatever says it is larger is lying, and arithmetic with sizes cannot overflow.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 50;
/// The longest frame, its length included: one TLS record, so that none waits for a second one.
pub(crate) const FRAME_BYTES_MAX: usize = 16 * 1024;
/// The most bytes of a file in one frame.
pub(crate) const CHUNK_BYTES_MAX: usize = FRAME_BYTES_MAX - LENGTH_BYTES - 1 - 4;
/// What the reader holds: a few frames, so that one read takes several.
const BUFFER_BYTES: usize = 4 * FRAME_BYTES_MAX;

const LENGTH_BYTES: usize = 2;

/// One frame. Integers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// The asker proves the tokens and commits itself to a number.
    Claim { proof: [u8; 32], commitment: [u8; 32] },
    /// The asked proves the tokens and names its number.
    Answer { proof: [u8; 32], nonce: [u8; 32] },
    /// The asker takes this connection, and opens its commitment.
    Chosen { nonce: [u8; 32] },
    /// Talk.
    Say(&'a str),
    /// So many texts have arrived so far.
    Heard(u64),
    /// Still here.
    Ping,
    /// The channel is over.
    Stop,
    /// A file is offered.
    Offer { number: u32, size: u64, name: &'a str },
    /// The file is wanted, from this byte on; the hash is that of what is there before it.
    Want { number: u32, from: u64, hash: [u8; 32] },
    /// The file comes from this byte on: as wanted, or from 0 because what is there is not its beginning.
    Begin { number: u32, from: u64 },
    /// The next bytes.
    Chunk { number: u32, bytes: &'a [u8] },
    /// The receiver has written the file so far.
    Got { number: u32, upto: u64 },
    /// All has been sent; the hash of the whole file.
    End { number: u32, hash: [u8; 32] },
    /// The receiver has the whole file, checked and in its place.
    Kept { number: u32 },
    /// The file is not on its way any more.
    Drop { whose: Whose, number: u32, why: DropCode },
}

/// Whose file: as the sender of the frame sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The sender's.
    Mine = 0,
    /// The other's.
    Yours = 1,
}

/// Why a file was dropped, as far as the other is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropCode {
    /// Somebody does not want it.
    Unwanted = 0,
    /// Too many on their way.
    TooMany = 1,
    /// It cannot be read, written or held.
    Disk = 2,
    /// It was changed meanwhile.
    Changed = 3,
    /// Its hash is wrong.
    Damaged = 4,
}

/// What somebody did who does not keep to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl Frame<'_> {
    const CLAIM: u8 = 1;
    const ANSWER: u8 = 2;
    const CHOSEN: u8 = 3;
    const SAY: u8 = 16;
    const HEARD: u8 = 17;
    const PING: u8 = 18;
    const STOP: u8 = 19;
    const OFFER: u8 = 32;
    const WANT: u8 = 33;
    const BEGIN: u8 = 34;
    const CHUNK: u8 = 35;
    const GOT: u8 = 36;
    const END: u8 = 37;
    const KEPT: u8 = 38;
    const DROP: u8 = 39;

    /// Appends the frame to `out`. What is too long to be a frame must not come here: whoever asks for it has been refused.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        match *self {
            Frame::Claim { proof, commitment } => write(out, Self::CLAIM, &[&proof, &commitment]),
            Frame::Answer { proof, nonce } => write(out, Self::ANSWER, &[&proof, &nonce]),
            Frame::Chosen { nonce } => write(out, Self::CHOSEN, &[&nonce]),
            Frame::Say(text) => write(out, Self::SAY, &[text.as_bytes()]),
            Frame::Heard(count) => write(out, Self::HEARD, &[&count.to_be_bytes()]),
            Frame::Ping => write(out, Self::PING, &[]),
            Frame::Stop => write(out, Self::STOP, &[]),
            Frame::Offer { number, size, name } => {
                write(out, Self::OFFER, &[&number.to_be_bytes(), &size.to_be_bytes(), name.as_bytes()]);
            }
            Frame::Want { number, from, hash } => write(out, Self::WANT, &[&number.to_be_bytes(), &from.to_be_bytes(), &hash]),
            Frame::Begin { number, from } => write(out, Self::BEGIN, &[&number.to_be_bytes(), &from.to_be_bytes()]),
            Frame::Chunk { number, bytes } => write(out, Self::CHUNK, &[&number.to_be_bytes(), bytes]),
            Frame::Got { number, upto } => write(out, Self::GOT, &[&number.to_be_bytes(), &upto.to_be_bytes()]),
            Frame::End { number, hash } => write(out, Self::END, &[&number.to_be_bytes(), &hash]),
            Frame::Kept { number } => write(out, Self::KEPT, &[&number.to_be_bytes()]),
            Frame::Drop { whose, number, why } => write(out, Self::DROP, &[&[whose as u8], &number.to_be_bytes(), &[why as u8]]),
        }
        let body = out.len() - start - LENGTH_BYTES;
        debug_assert!(LENGTH_BYTES + body <= FRAME_BYTES_MAX, "a frame of {body} bytes");
        let length = u16::try_from(body).unwrap_or(u16::MAX);
        out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }
}

fn write(out: &mut Vec<u8>, kind: u8, fields: &[&[u8]]) {
    out.push(kind);
    fields.iter().for_each(|field| out.extend_from_slice(field));
}

/// Reads a frame's body: its kind and its fields.
fn decode(body: &[u8]) -> Result<Frame<'_>, Broken> {
    let mut fields = Fields(body);
    let [kind] = fields.take()?;
    let frame = match kind {
        Frame::CLAIM => Frame::Claim { proof: fields.take()?, commitment: fields.take()? },
        Frame::ANSWER => Frame::Answer { proof: fields.take()?, nonce: fields.take()? },
        Frame::CHOSEN => Frame::Chosen { nonce: fields.take()? },
        Frame::SAY => Frame::Say(fields.rest_text(TEXT_BYTES_MAX, Broken("a text is empty or too long"))?),
        Frame::HEARD => Frame::Heard(fields.u64()?),
        Frame::PING => Frame::Ping,
        Frame::STOP => Frame::Stop,
        Frame::OFFER => Frame::Offer {
            number: fields.u32()?,
            size: fields.offset()?,
            name: fields.rest_text(NAME_BYTES_MAX, Broken("a file name is empty or too long"))?,
        },
        Frame::WANT => Frame::Want { number: fields.u32()?, from: fields.offset()?, hash: fields.take()? },
        Frame::BEGIN => Frame::Begin { number: fields.u32()?, from: fields.offset()? },
        Frame::CHUNK => Frame::Chunk { number: fields.u32()?, bytes: fields.rest_bytes(CHUNK_BYTES_MAX)? },
        Frame::GOT => Frame::Got { number: fields.u32()?, upto: fields.offset()? },
        Frame::END => Frame::End { number: fields.u32()?, hash: fields.take()? },
        Frame::KEPT => Frame::Kept { number: fields.u32()? },
        Frame::DROP => Frame::Drop { whose: fields.whose()?, number: fields.u32()?, why: fields.drop_code()? },
        _ => return Err(Broken("a frame is of an unknown kind")),
    };
    if fields.0.is_empty() { Ok(frame) } else { Err(Broken("a frame is longer than it should be")) }
}

/// What is left of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Broken("a frame is shorter than it should be"))?;
        self.0 = rest;
        Ok(*field)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        self.take().map(u64::from_be_bytes)
    }

    /// A place in a file, or its length.
    fn offset(&mut self) -> Result<u64, Broken> {
        let offset = self.u64()?;
        if offset <= FILE_BYTES_MAX { Ok(offset) } else { Err(Broken("a file is larger than files can be")) }
    }

    fn rest_bytes(&mut self, most: usize) -> Result<&'a [u8], Broken> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() || bytes.len() > most { Err(Broken("a chunk is empty or too long")) } else { Ok(bytes) }
    }

    fn rest_text(&mut self, most: usize, wrong: Broken) -> Result<&'a str, Broken> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() || bytes.len() > most {
            return Err(wrong);
        }
        str::from_utf8(bytes).map_err(|_| Broken("a text is not UTF-8"))
    }

    fn whose(&mut self) -> Result<Whose, Broken> {
        match self.take()? {
            [0] => Ok(Whose::Mine),
            [1] => Ok(Whose::Yours),
            _ => Err(Broken("a file is nobody's")),
        }
    }

    fn drop_code(&mut self) -> Result<DropCode, Broken> {
        match self.take()? {
            [0] => Ok(DropCode::Unwanted),
            [1] => Ok(DropCode::TooMany),
            [2] => Ok(DropCode::Disk),
            [3] => Ok(DropCode::Changed),
            [4] => Ok(DropCode::Damaged),
            _ => Err(Broken("a file is dropped for no known reason")),
        }
    }
}

/// Takes bytes as they come and gives frames. Holds one buffer of a fixed size.
pub(crate) struct Decoder {
    buffer: Box<[u8]>,
    /// What is between the two has come and has not been taken.
    start: usize,
    end: usize,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder { buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Where the next bytes go; never empty after [`next`](Decoder::next) has given nothing.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have been put into [`room`](Decoder::room).
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// What came is no frame. The channel is over.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, Broken> {
        let held = &self.buffer[self.start..self.end];
        let Some((length, rest)) = held.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if LENGTH_BYTES + length > FRAME_BYTES_MAX {
            return Err(Broken("a frame is too long"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        self.start += LENGTH_BYTES + length;
        decode(body).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame that owns what it says.
    #[derive(Clone, Debug)]
    enum Owned {
        Fixed(Frame<'static>),
        Say(String),
        Offer(u32, u64, String),
        Chunk(u32, Vec<u8>),
    }

    impl Owned {
        fn frame(&self) -> Frame<'_> {
            match self {
                Owned::Fixed(frame) => *frame,
                Owned::Say(text) => Frame::Say(text),
                Owned::Offer(number, size, name) => Frame::Offer { number: *number, size: *size, name },
                Owned::Chunk(number, bytes) => Frame::Chunk { number: *number, bytes },
            }
        }
    }

    fn frames() -> impl Strategy<Value = Owned> {
        let hash = any::<[u8; 32]>();
        let code = prop_oneof![
            Just(DropCode::Unwanted),
            Just(DropCode::TooMany),
            Just(DropCode::Disk),
            Just(DropCode::Changed),
            Just(DropCode::Damaged)
        ];
        let whose = prop_oneof![Just(Whose::Mine), Just(Whose::Yours)];
        let offset = 0..=FILE_BYTES_MAX;
        prop_oneof![
            (hash, hash).prop_map(|(proof, commitment)| Owned::Fixed(Frame::Claim { proof, commitment })),
            (hash, hash).prop_map(|(proof, nonce)| Owned::Fixed(Frame::Answer { proof, nonce })),
            hash.prop_map(|nonce| Owned::Fixed(Frame::Chosen { nonce })),
            "\\PC{1,2000}".prop_map(Owned::Say),
            any::<u64>().prop_map(|count| Owned::Fixed(Frame::Heard(count))),
            Just(Owned::Fixed(Frame::Ping)),
            Just(Owned::Fixed(Frame::Stop)),
            (any::<u32>(), offset.clone(), "\\PC{1,60}").prop_map(|(number, size, name)| Owned::Offer(number, size, name)),
            (any::<u32>(), offset.clone(), hash).prop_map(|(number, from, hash)| Owned::Fixed(Frame::Want { number, from, hash })),
            (any::<u32>(), offset.clone()).prop_map(|(number, from)| Owned::Fixed(Frame::Begin { number, from })),
            (any::<u32>(), prop::collection::vec(any::<u8>(), 1..=CHUNK_BYTES_MAX)).prop_map(|(number, bytes)| Owned::Chunk(number, bytes)),
            (any::<u32>(), offset).prop_map(|(number, upto)| Owned::Fixed(Frame::Got { number, upto })),
            (any::<u32>(), hash).prop_map(|(number, hash)| Owned::Fixed(Frame::End { number, hash })),
            any::<u32>().prop_map(|number| Owned::Fixed(Frame::Kept { number })),
            (whose, any::<u32>(), code).prop_map(|(whose, number, why)| Owned::Fixed(Frame::Drop { whose, number, why })),
        ]
    }

    /// All that comes out of `bytes` in chunks of `step`, with the error it ended with.
    fn decoded(bytes: &[u8], step: usize) -> (Vec<String>, Option<Broken>) {
        let (mut decoder, mut all) = (Decoder::new(), Vec::new());
        for mut chunk in bytes.chunks(step.max(1)) {
            while !chunk.is_empty() {
                let room = decoder.room();
                assert!(!room.is_empty(), "there is always room for what comes next");
                let count = room.len().min(chunk.len());
                room[..count].copy_from_slice(&chunk[..count]);
                decoder.filled(count);
                chunk = &chunk[count..];
                loop {
                    match decoder.next() {
                        Ok(Some(frame)) => all.push(format!("{frame:?}")),
                        Ok(None) => break,
                        Err(broken) => return (all, Some(broken)),
                    }
                }
            }
        }
        (all, None)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_any_pieces(frames in prop::collection::vec(frames(), 1..12), step in 1_usize..70_000) {
            let mut bytes = Vec::new();
            for frame in &frames {
                let start = bytes.len();
                frame.frame().encode(&mut bytes);
                prop_assert!(bytes.len() - start <= FRAME_BYTES_MAX);
            }
            let expected: Vec<String> = frames.iter().map(|frame| format!("{:?}", frame.frame())).collect();
            prop_assert_eq!(decoded(&bytes, step), (expected, None));
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes: Vec<u8>, step in 1_usize..64) {
            let in_pieces = decoded(&bytes, step);
            prop_assert_eq!(in_pieces, decoded(&bytes, usize::MAX));
        }

        #[test]
        fn a_changed_frame_is_read_or_refused(frame in frames(), at: prop::sample::Index, byte: u8) {
            let mut bytes = Vec::new();
            frame.frame().encode(&mut bytes);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            decoded(&bytes, usize::MAX);
        }
    }

    #[test]
    fn what_is_not_exactly_a_frame_is_refused() {
        let with = |kind: u8, fields: &[u8]| {
            let length = u16::try_from(fields.len() + 1).unwrap().to_be_bytes();
            [&length, &[kind][..], fields].concat()
        };
        let offer = |size: u64, name: &[u8]| with(Frame::OFFER, &[&1_u32.to_be_bytes(), &size.to_be_bytes()[..], name].concat());
        for (bytes, expected) in [
            (vec![0, 0], "shorter"),
            (vec![0xff, 0xff], "too long"),
            (vec![0x40, 0x00], "too long"),
            (with(0, b""), "unknown kind"),
            (with(200, b""), "unknown kind"),
            (with(Frame::PING, b"x"), "longer"),
            (with(Frame::KEPT, b"123"), "shorter"),
            (with(Frame::SAY, b""), "empty or too long"),
            (with(Frame::SAY, &[b'x'; TEXT_BYTES_MAX + 1]), "empty or too long"),
            (with(Frame::SAY, b"\xff\xfe"), "UTF-8"),
            (with(Frame::CHUNK, b"1234"), "empty or too long"),
            (with(Frame::DROP, &[2, 0, 0, 0, 1, 0]), "nobody's"),
            (with(Frame::DROP, &[0, 0, 0, 0, 1, 9]), "no known reason"),
            (offer(1 << 63, b"a"), "larger than files can be"),
            (offer(u64::MAX, b"a"), "larger than files can be"),
            (offer(FILE_BYTES_MAX + 1, b"a"), "larger than files can be"),
            (offer(1, b""), "empty or too long"),
            (offer(1, &[b'x'; NAME_BYTES_MAX + 1]), "empty or too long"),
        ] {
            let (frames, broken) = decoded(&bytes, 1);
            assert_eq!(frames, [""; 0]);
            assert!(broken.is_some_and(|Broken(what)| what.contains(expected)), "{bytes:?}: {broken:?}, expected {expected}");
        }
    }

    #[test]
    fn the_largest_chunk_fills_a_frame() {
        let mut bytes = Vec::new();
        Frame::Chunk { number: 1, bytes: &[7; CHUNK_BYTES_MAX] }.encode(&mut bytes);
        assert_eq!(bytes.len(), FRAME_BYTES_MAX);
        assert!(matches!(decoded(&bytes, usize::MAX), (frames, None) if frames.len() == 1));
    }
}
