//! What every decoder of lines must hold to, whatever comes.

use chinwag_wire::dialect::{Dialect, Partial};

/// The bound of a line in the fuzz targets: small, so that it is met often.
const LIMIT: usize = 64;

/// Feeds `data` to the decoder in chunks as long as the first byte says. It must neither panic nor keep more than a
/// line's bound, and must take all that it is given.
pub fn decode_in_chunks(dialect: &impl Dialect, data: &[u8]) {
    let Some((chunk, bytes)) = data.split_first() else { return };
    let mut partial = Partial::default();
    for mut input in bytes.chunks(usize::from(*chunk).max(1)) {
        loop {
            let (taken, line) = dialect.decode(&mut partial, input, LIMIT);
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
}
