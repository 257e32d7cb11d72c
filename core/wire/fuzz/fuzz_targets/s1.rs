//! Any bytes in any split on any of four sockets: the state machine of `s1` neither panics nor keeps more than a frame's
//! bound.
#![no_main]

use std::net::Ipv4Addr;
use std::time::Duration;

use chinwag_wire::dialect::s1::{S1, frame::HEADER_MAX};
use chinwag_wire::dialect::wire::{Effect, Effects, Peer, Setup, Wire};
use chinwag_wire::{Event, Millis};
use libfuzzer_sys::fuzz_target;

const TEXT_BYTES: usize = 64;

// The first byte says how long the chunks are that the rest comes in; the first of each chunk says on which socket.
fuzz_target!(|data: &[u8]| {
    let Some((chunk, bytes)) = data.split_first() else { return };
    let mut protocol = S1.start(&Setup { text_bytes: TEXT_BYTES, options: Default::default() }).expect("no options are fine");
    for peer in 0..4 {
        protocol.opened(Peer(peer), Ipv4Addr::LOCALHOST.into(), &mut Effects::new(Duration::ZERO, Millis(0)));
    }
    for (at, chunk) in bytes.chunks(usize::from(*chunk).max(2)).enumerate() {
        // Time passes now and then: something that was open is settled.
        if chunk[0] & 4 != 0 {
            protocol.time(&mut Effects::new(Duration::from_secs(at as u64), Millis(0)));
        }
        let (peer, mut input) = (Peer(u64::from(chunk[0] % 4)), &chunk[1..]);
        while !input.is_empty() {
            let mut out = Effects::new(Duration::from_secs(at as u64), Millis(0));
            let taken = protocol.heard(peer, input, &mut out);
            assert!(taken > 0 && protocol.held(peer) <= HEADER_MAX + 4 * TEXT_BYTES);
            input = &input[taken..];
            for effect in out.into_list() {
                // Whoever asks for anything is let in, whatever it asked for.
                if let Effect::Order(session, _) = effect {
                    let welcome = Event::Welcome { name: "a".to_owned(), registered: false, guest: true, seq: 0 };
                    protocol.answer(session, &[welcome], &mut Effects::new(Duration::ZERO, Millis(0)));
                }
            }
        }
    }
});
