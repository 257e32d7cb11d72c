//! Any bytes in any split: the state machine of `s4` neither panics nor keeps more than a frame's bound.
#![no_main]

use std::net::Ipv4Addr;
use std::time::Duration;

use chinwag_wire::dialect::s4::S4;
use chinwag_wire::dialect::wire::{Effects, Peer, Setup, Wire};
use chinwag_wire::{Event, Millis};
use libfuzzer_sys::fuzz_target;

const PEER: Peer = Peer(1);

// The first byte says how long the chunks are that the rest comes in; whoever it is, is let in after the first of them.
fuzz_target!(|data: &[u8]| {
    let Some((chunk, bytes)) = data.split_first() else { return };
    let mut protocol = S4.start(&Setup { text_bytes: 64, options: Default::default() }).expect("no options are fine");
    let mut out = Effects::new(Duration::ZERO, Millis(0));
    protocol.opened(PEER, Ipv4Addr::LOCALHOST.into(), &mut out);
    if chunk % 2 == 1 {
        // One of our own, whose frames may be deflated.
        let json = br#"{"USERNAME":"a","PASSWORD":"p","ACCEPT":["deflate","receipts","private"]}"#;
        let hello = [&[0, 0, 0, json.len() as u8][..], json].concat();
        protocol.heard(PEER, &hello, &mut out);
    }
    for mut input in bytes.chunks(usize::from(*chunk).max(1)) {
        while !input.is_empty() {
            let taken = protocol.heard(PEER, input, &mut out);
            assert!(taken > 0 && protocol.held(PEER) <= 64 * 1024 + 4);
            input = &input[taken..];
        }
        let welcome = Event::Welcome { name: "a".to_owned(), registered: false, guest: true, seq: 0 };
        protocol.answer(PEER, &[welcome], &mut out);
        protocol.caught_up(PEER, &mut out);
        // What it is told of private chats, or is not.
        protocol.event(PEER, &Event::PrivateRelay { with: "b".to_owned(), ticket: None }, &mut out);
    }
});
