//! Any bytes in any split: the decoder of a private channel neither panics nor runs out of room; and what it takes for a frame is
//! written again as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The library keeps its frames to itself; they depend on nothing else in it.
#[allow(dead_code)]
#[path = "../../src/frame.rs"]
mod frame;

// The first byte says how long the pieces are that the rest comes in.
fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let (mut decoder, mut again) = (frame::Decoder::new(), Vec::new());
    for mut piece in bytes.chunks(usize::from(*step).max(1)) {
        while !piece.is_empty() {
            let room = decoder.room();
            assert!(!room.is_empty(), "there is always room for what comes next");
            let count = room.len().min(piece.len());
            room[..count].copy_from_slice(&piece[..count]);
            decoder.filled(count);
            piece = &piece[count..];
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => frame.encode(&mut again),
                    Ok(None) => break,
                    Err(_) => return assert!(bytes.starts_with(&again)),
                }
            }
        }
    }
    assert!(bytes.starts_with(&again));
});
