//! Any bytes in any split: the decoder of `text` neither panics nor keeps more than a line's bound.
#![no_main]

use chinwag_wire::dialect::text::Text;
use chinwag_wire::dialect::{Dialect, Partial};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 64;

// The first byte says how long the chunks are that the rest comes in.
fuzz_target!(|data: &[u8]| {
    let Some((chunk, bytes)) = data.split_first() else { return };
    let mut partial = Partial::default();
    for mut input in bytes.chunks(usize::from(*chunk).max(1)) {
        loop {
            let (taken, line) = Text.decode(&mut partial, input, LIMIT);
            let whole = line.is_some();
            if let Some(Ok(line)) = line {
                let _ = chinwag_wire::split::line(&line.text);
            }
            input = &input[taken..];
            assert!(partial.held() <= LIMIT + 1);
            if !whole {
                break;
            }
        }
        assert!(input.is_empty());
    }
});
