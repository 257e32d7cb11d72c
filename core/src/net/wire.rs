//! Connections of wires: the state machine of a wire says what is to be done, and this does it.
//!
//! A connection of a wire is a connection like any other but in three things: what comes goes to the state machine
//! instead of a decoder of lines; what it gets to see goes there too, instead of being written out once for all; and
//! each frame is written by itself, because the programs at the other end read it so.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use chinwag_wire::Event;
use chinwag_wire::dialect::wire::{Effect, Effects, Order, Peer, Protocol, Wire};

use super::connection::{Connection, PATIENCE, give_away, has_its_turn, note_if_heard_out};
use super::shard::Shard;
use crate::config::{Config, Door};
use crate::ctx::Caller;
use crate::dispatch::{carry_out, cost};
use crate::hall::{Departure, SessionId};

/// An entry of `listen` as one shard knows it.
pub(super) struct Post {
    wire: &'static dyn Wire,
    /// Whether connections without TLS are accepted.
    pub(super) plain: bool,
    protocol: RefCell<Box<dyn Protocol>>,
    /// Rings when the protocol may be due sooner than before.
    sooner: (async_channel::Sender<()>, async_channel::Receiver<()>),
}

impl Post {
    /// The entries of the configuration, which has been checked. Each with a task that tells it the time.
    pub(super) fn all(config: &Config) -> Vec<Option<Rc<Post>>> {
        config.listen.0.iter().map(|door| Post::open(door, config).map(Rc::new)).collect()
    }

    fn open(door: &Door, config: &Config) -> Option<Post> {
        let wire = chinwag_wire::dialect::wire_named(&door.wire)?;
        let protocol = wire.start(&door.setup(config)).ok()?;
        Some(Post { wire, plain: door.plain.unwrap_or(wire.plain()), protocol: RefCell::new(protocol), sooner: async_channel::bounded(1) })
    }
}

/// What a connection of a wire has that others have not.
pub(super) struct Seat {
    pub(super) post: Rc<Post>,
    /// What the wire wants obeyed on it. Bounded by what one frame can ask for, and by the wire.
    orders: RefCell<VecDeque<Order>>,
    /// The wire wants nothing heard from it at the moment.
    held: Cell<bool>,
    /// How many of its frames have been refused without an order and have not been counted.
    wasted: Cell<u32>,
    /// There is an order, or it is held no longer: its task has something to do besides reading.
    roused: Cell<bool>,
    /// The other connection of the same session.
    joined: Cell<Option<SessionId>>,
    /// It has no session of its own.
    is_part: Cell<bool>,
    /// Who waits for its session to have ended: closed then.
    left: RefCell<Vec<async_channel::Sender<()>>>,
}

impl Seat {
    pub(super) fn new(post: Rc<Post>) -> Seat {
        Seat {
            post,
            orders: RefCell::default(),
            held: Cell::new(false),
            wasted: Cell::new(0),
            roused: Cell::new(false),
            joined: Cell::new(None),
            is_part: Cell::new(false),
            left: RefCell::default(),
        }
    }

    pub(super) fn wire(&self) -> &'static dyn Wire {
        self.post.wire
    }

    pub(super) fn is_part(&self) -> bool {
        self.is_part.get()
    }

    /// The other connection of the same session.
    fn joined(&self) -> Option<SessionId> {
        self.joined.get()
    }

    /// Its session has ended.
    pub(super) fn has_left(&self) {
        self.left.take();
    }

    /// Waits until the session of this connection has ended.
    async fn left(&self) {
        let (waiter, left) = async_channel::bounded::<()>(1);
        self.left.borrow_mut().push(waiter);
        let _ = left.recv().await;
    }

    /// Whether its task has something to do besides reading. Asked once, it is answered once.
    pub(super) fn roused(&self) -> bool {
        self.roused.replace(false)
    }

    pub(super) fn is_roused(&self) -> bool {
        self.roused.get()
    }
}

fn peer(id: SessionId) -> Peer {
    Peer(id.number())
}

impl Shard {
    /// Has the state machine of `post` do something, and does what it says.
    fn ask(self: &Rc<Shard>, post: &Rc<Post>, what: impl FnOnce(&mut dyn Protocol, &mut Effects)) {
        let mut effects = Effects::new(self.server.clock.elapsed(), self.server.clock.now());
        let (before, after) = {
            let mut protocol = post.protocol.borrow_mut();
            let before = protocol.due();
            what(&mut **protocol, &mut effects);
            (before, protocol.due())
        };
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            let _ = post.sooner.0.try_send(());
        }
        self.has_done_something();
        for effect in effects.into_list() {
            self.carry(effect);
        }
    }

    fn carry(self: &Rc<Shard>, effect: Effect) {
        let find = |peer: Peer| self.connection(SessionId::numbered(peer.0));
        match effect {
            Effect::Frame(to, bytes) => {
                if let Some(connection) = find(to) {
                    connection.send(&bytes);
                    self.touch(connection.id);
                }
            }
            Effect::Order(by, order) => {
                if let Some((connection, seat)) = find(by).as_ref().and_then(|found| Some((found, found.seat()?))) {
                    seat.orders.borrow_mut().push_back(order);
                    seat.roused.set(true);
                    connection.rouse();
                }
            }
            Effect::Join { part, of } => {
                let (part, of) = (find(part), find(of));
                if let (Some(part), Some(of)) = (part, of)
                    && let (Some(part_seat), Some(of_seat)) = (part.seat(), of.seat())
                {
                    part_seat.is_part.set(true);
                    part_seat.joined.set(Some(of.id));
                    of_seat.joined.set(Some(part.id));
                }
            }
            Effect::Hold(whom) => {
                if let Some(seat) = find(whom).as_ref().and_then(|found| found.seat()) {
                    seat.held.set(true);
                }
            }
            Effect::Release(whom) => {
                if let Some((connection, seat)) = find(whom).as_ref().and_then(|found| Some((found, found.seat()?))) {
                    seat.held.set(false);
                    seat.roused.set(true);
                    connection.rouse();
                }
            }
            Effect::Wasted(by) => {
                if let Some(seat) = find(by).as_ref().and_then(|found| found.seat()) {
                    seat.wasted.set(seat.wasted.get().saturating_add(1));
                }
            }
            Effect::Close(whom) => {
                if let Some(connection) = find(whom) {
                    connection.end(Departure::Disconnected, PATIENCE, None);
                }
            }
        }
    }

    /// One of two connections ends in this way: so does the other. The one that has no session waits for the end of it,
    /// so that whoever sees it close finds the name free.
    pub(super) async fn end_both(&self, seat: &Seat, how: Departure, patience: Duration) {
        let Some(other) = seat.joined().and_then(|id| self.connection(id)) else { return };
        other.end(how, patience, None);
        if seat.is_part()
            && let Some(session) = other.seat()
        {
            session.left().await;
        }
    }

    /// Tells the state machine that there is a connection.
    pub(super) fn wire_opens(self: &Rc<Shard>, connection: &Connection, seat: &Seat) {
        self.ask(&seat.post, |protocol, out| protocol.opened(peer(connection.id), connection.address, out));
    }

    /// Gives a connection of a wire something to see.
    pub(super) fn wire_sees(self: &Rc<Shard>, connection: &Connection, seat: &Seat, event: &Event) {
        self.ask(&seat.post, |protocol, out| protocol.event(peer(connection.id), event, out));
    }

    /// Gives it the answer to what it asked for.
    pub(super) fn wire_hears_answer(self: &Rc<Shard>, connection: &Connection, seat: &Seat, events: &[Event]) {
        self.ask(&seat.post, |protocol, out| protocol.answer(peer(connection.id), events, out));
    }

    /// It has all its mail.
    pub(super) fn wire_has_caught_up(self: &Rc<Shard>, connection: &Connection, seat: &Seat) {
        self.ask(&seat.post, |protocol, out| protocol.caught_up(peer(connection.id), out));
    }

    /// It is no more: nor is what belongs to the same session.
    pub(super) fn wire_is_gone(self: &Rc<Shard>, connection: &Connection, seat: &Seat) {
        self.ask(&seat.post, |protocol, out| protocol.gone(peer(connection.id), out));
    }

    /// Tells a state machine the time whenever it is due.
    pub(super) async fn keep_time(self: Rc<Shard>, post: Rc<Post>) {
        loop {
            let due = post.protocol.borrow().due();
            let ring = async { _ = post.sooner.1.recv().await };
            match due {
                Some(due) => smol::future::or(self.server.clock.sleep_until(due), ring).await,
                None => ring.await,
            }
            if due.is_some_and(|due| due <= self.server.clock.elapsed()) {
                self.ask(&post, |protocol, out| protocol.time(out));
            }
        }
    }
}

/// Hears a connection of a wire until it ends.
pub(super) async fn talk(shard: &Rc<Shard>, connection: &Rc<Connection>, seat: &Seat) -> io::Result<()> {
    let post = Rc::clone(&seat.post);
    let mut caller = Caller {
        session: connection.id,
        address: connection.address,
        dialect: 0,
        wire: Some(seat.wire()),
        wire_hears_private: false,
        after: None,
        leaving: None,
        carries: None,
    };
    let mut allowance = shard.allowance(connection.address);
    let (mut input, mut taken) = (Vec::new(), 0);
    // What has been read and has not been heard is nowhere to be seen: until it is, the shard is not calm.
    let mut unheard = None;
    while !connection.is_ending() {
        let order = seat.orders.borrow_mut().pop_front();
        if let Some(order) = order {
            drop(unheard.take());
            if let Some(allowance) = &mut allowance
                && !has_its_turn(shard, connection, allowance, cost(&shard.server, &order.line)).await
            {
                break;
            }
            let under_way = shard.under_way();
            caller.wire_hears_private = post.protocol.borrow().hears_private(peer(connection.id));
            let answer = carry_out(&shard.server, &mut caller, order).await;
            drop(under_way);
            if answer.activity {
                connection.last_active.set(shard.server.clock.elapsed());
            }
            if let Some(how) = caller.leaving {
                shard.count_end(how, &answer.events);
            }
            shard.server.sequencer.answer(connection.id, answer.events);
            shard.turn_soon();
            if let Some(how) = caller.leaving {
                // The answer comes back through the sequencer, behind what it has to be behind.
                shard.round_trip().await;
                connection.end(how, PATIENCE, None);
                break;
            }
            if let Some(end) = caller.carries.take() {
                // What has come behind the frame is for the other end.
                give_away(shard, connection, end, input.split_off(taken)).await;
                break;
            }
            shard.caught_up(connection).await;
            if connection.waiting() > shard.limits.get().outbox_bytes / 4 {
                connection.drained_or_ending().await;
            }
        } else if taken < input.len() && !seat.held.get() {
            let wasted = seat.wasted.take();
            if let Some(allowance) = allowance.as_mut().filter(|_| wasted > 0) {
                drop(unheard.take());
                if !has_its_turn(shard, connection, allowance, wasted).await {
                    break;
                }
            }
            let from = taken;
            shard.ask(&post, |protocol, out| taken += protocol.heard(peer(connection.id), &input[from..], out).max(1));
            taken = taken.min(input.len());
        } else {
            if taken == input.len() {
                // Between frames a connection owns no buffer.
                (input, taken) = (Vec::new(), 0);
            }
            drop(unheard.take());
            note_if_heard_out(connection, &mut allowance);
            let read = connection.read_unless_roused(shard, &mut input, !seat.held.get()).await?;
            if read == Some(0) {
                break;
            }
            unheard = Some(shard.under_way());
            smol::future::yield_now().await;
        }
    }
    Ok(())
}
