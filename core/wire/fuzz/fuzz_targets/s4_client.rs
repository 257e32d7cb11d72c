//! Any bytes from a server of `s4` in any split: its client neither panics nor keeps more than a frame's bound, and hears the
//! same as in one piece.
#![no_main]

use chinwag_wire::dialect::Marks;
use chinwag_wire::dialect::json::ServerLine;
use chinwag_wire::dialect::s4::client::{FRAME_MAX, Visitor};
use chinwag_wire::{Line, Millis};
use libfuzzer_sys::fuzz_target;

/// What a server of ours says first.
const OURS: &[u8] = br#"{"USERNAME_ACCEPTED":true,"ACCEPTED":["deflate","receipts","private"]}"#;

/// What is heard of `pieces`, up to where nothing can be understood any more; of a server of ours, or of one that has to say
/// so itself.
fn heard<'a>(ours: bool, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<ServerLine> {
    let mut visitor = Visitor::default();
    let mut all = Vec::new();
    let say = |visitor: &mut Visitor, line: &'static str| {
        visitor.say(&Line { text: line.into(), marks: Marks::default() }, Millis(0));
    };
    say(&mut visitor, "login alice secret");
    if ours {
        let frame = [&(OURS.len() as u32).to_be_bytes()[..], OURS].concat();
        assert_eq!(visitor.hear(&frame, Millis(0)), Ok(frame.len()));
    }
    for line in ["/name", "@bob hi", "/accept bob"] {
        say(&mut visitor, line);
    }
    all.extend(std::iter::from_fn(|| visitor.next_line()));
    for mut input in pieces {
        while !input.is_empty() {
            let Ok(taken) = visitor.hear(input, Millis(0)) else { return all };
            assert!(taken > 0 && visitor.held() <= FRAME_MAX + 4);
            input = &input[taken..];
            all.extend(std::iter::from_fn(|| visitor.next_line()));
        }
    }
    all
}

// The first byte says how long the chunks are that the rest comes in.
fuzz_target!(|data: &[u8]| {
    let Some((chunk, bytes)) = data.split_first() else { return };
    let ours = chunk % 2 == 1;
    assert_eq!(heard(ours, bytes.chunks(usize::from(*chunk).max(1))), heard(ours, std::iter::once(bytes)));
});
