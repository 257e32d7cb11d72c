//! Any bytes in any split: the decoder of `json` neither panics nor keeps more than a line's bound.
#![no_main]

use chinwag_wire::dialect::json::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| chinwag_wire_fuzz::decode_in_chunks(&Json, data));
