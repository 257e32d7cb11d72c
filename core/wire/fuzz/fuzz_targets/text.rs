//! Any bytes in any split: the decoder of `text` neither panics nor keeps more than a line's bound.
#![no_main]

use chinwag_wire::dialect::text::Text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| chinwag_wire_fuzz::decode_in_chunks(&Text, data));
