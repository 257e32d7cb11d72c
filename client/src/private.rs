//! Private chats: what the server cannot read. `private/model.rs` decides; here is what it needs around it: a thread with the
//! connections to others, the files that remember keys and talk, and the ways to the prompt, the screen and the session.
//! `private/README.md` says how it fits together.

pub(crate) mod addresses;
mod cards;
pub(crate) mod files;
mod model;
mod peers;
mod transcript;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use chinwag_private::{Ask, Channel, Engine, File, Identity, Meeting, Missed, News, Side, Terms, ways_out};
use chinwag_wire::private::{Offer, Token};
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Card, Complete, Event, Refusal, code, name::folded};
use smol::future::{or, pending};
use smol::{Executor, Task, Timer};

use self::cards::Verb;
use self::model::{Deed, Invitation, Met, Model, Order, Sent};
pub(crate) use self::model::{P2p, Told};
use self::peers::{Known, KnownPeers};
use self::transcript::Transcripts;
use crate::chat::TYPED_MAX;
use crate::config::Config;
use crate::connection::{self, Server, in_words, within};
use crate::keys::Action;
use crate::knowledge::{Knowledge, SharedKnowledge};
use crate::machinery;
use crate::screen::{Screen, Settled, now};
use crate::session::Typed;

/// How much may wait that sessions and channels tell: whoever has more waits.
const HEARD_MAX: usize = 64;
/// How many lines may wait for the link to the server: one for everything that somebody may have done while it was lost.
const ORDERS_MAX: usize = 64;
/// How long all channels may take to close when somebody leaves: the other side is told by one packet.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// How long the relay may take to connect to.
const RELAY_PATIENCE: Duration = Duration::from_secs(20);

/// Where private chats keep what lasts.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// The settings of this program: keys, and the keys of others.
    pub(crate) config: PathBuf,
    /// What it keeps besides: talk, if somebody wants that.
    pub(crate) state: PathBuf,
}

/// Who chats, where.
pub(crate) struct Who {
    /// Their name.
    pub(crate) name: String,
    /// Whether they are a guest: then nobody knows them by a key at the next visit.
    pub(crate) guest: bool,
    /// The server.
    pub(crate) server: Server,
}

/// The way to the private chats, for whoever has something for them.
#[derive(Clone)]
pub(crate) struct Private {
    typed: Sender<(Input, Option<Settled>)>,
    heard: Sender<Heard>,
    screens: Sender<Option<Screen>>,
    orders: Receiver<Typed>,
    /// Closed when all has ended.
    ended: Receiver<()>,
}

/// When it is dropped, all private chats end, and the others have been told.
pub(crate) struct Leaving(Private);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// What somebody did at the keyboard.
enum Input {
    /// Typed a command.
    Line(Verb, String),
    /// Typed something that would have been said to a room, but looks as if it were meant for this one.
    Guarded(String),
    /// Pressed the key that says yes.
    Pressed,
}

/// What happened.
enum Heard {
    /// The server says this of private chats.
    Event(Event),
    /// The server has taken a block of this one.
    Blocked(String),
    /// What the server says of a line that was sent for them.
    Answered(Sent, Result<Event, String>, Option<Settled>),
    /// What came of a meeting.
    Met(u64, Box<Result<(Channel, Engine), Missed>>),
    /// What a channel tells.
    News(u64, News),
    /// Other settings are in force.
    Set(Box<Config>),
    /// Somebody leaves.
    Leave,
}

/// Where a typed line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Session,
    Here(Verb, String),
    Guarded(String),
}

impl Private {
    /// No private chats yet, and the thread for them.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn start(me: Who, folders: Option<Folders>, config: &Config, knowledge: SharedKnowledge) -> io::Result<Private> {
        let (typed, typing) = async_channel::bounded(TYPED_MAX);
        let (heard, hears) = async_channel::bounded(HEARD_MAX);
        let (screens, screen) = async_channel::bounded(1);
        let (orders_out, orders) = async_channel::bounded(ORDERS_MAX);
        let (alive, ended) = async_channel::bounded(1);
        let place = &me.server.place;
        let at = transcript::file_name(&place.to_string());
        let who = transcript::file_name(&folded(&me.name));
        let peers = folders.as_ref().map(|folders| KnownPeers::at(folders.config.join("known-peers"), place));
        let transcripts = folders.as_ref().map(|folders| Transcripts::at(folders.state.join("private").join(&at).join(&who)));
        // A key for each account: nobody can tell by it that two are one person's.
        let identity = folders.filter(|_| !me.guest).map(|folders| folders.config.join("private").join(at).join(who));
        let model = Model::new(config.p2p, config.keys.key_for(&Action::Accept));
        knowledge.lock().go_before(model.cards());
        let chats = Chats {
            model,
            server: me.server,
            config: config.clone(),
            knowledge,
            peers,
            transcripts,
            keeps: true,
            identity_folder: identity,
            identity: None,
            heard: heard.clone(),
            orders: orders_out,
            screens: screen,
            screen: None,
            executor: Arc::new(Executor::new()),
            meetings: BTreeMap::new(),
            closing: Vec::new(),
            cards: Vec::new(),
        };
        thread::Builder::new().name("private".to_owned()).spawn(move || {
            let _alive = alive;
            let executor = Arc::clone(&chats.executor);
            smol::block_on(executor.run(chats.run(&typing, &hears)));
        })?;
        Ok(Private { typed, heard, screens, orders, ended })
    }

    /// From here on, this is where things are shown; `None`: nowhere, until there is a place again.
    pub(crate) fn show_on(&self, screen: Option<Screen>) {
        // Taken whenever something is to be shown; if the one before was not, it is of no use any more.
        let _ = self.screens.force_send(screen);
    }

    /// Takes a line if it is for private chats, as it was typed in `room` or in none, or gives it back.
    ///
    /// # Errors
    /// It is for the session.
    pub(crate) fn take(&self, typed: Typed, knowledge: &SharedKnowledge, addressee: Option<&str>) -> Result<(), Typed> {
        let input = match route(&typed.line, &knowledge.lock(), addressee.is_some()) {
            Route::Session => return Err(typed),
            Route::Here(verb, rest) => Input::Line(verb, rest),
            Route::Guarded(name) => Input::Guarded(name),
        };
        // Nothing waits here for a link, so there is room; who types faster than that types again.
        let _ = self.typed.try_send((input, Some(typed.settled)));
        Ok(())
    }

    /// The key that says yes was pressed.
    pub(crate) fn press(&self) {
        let _ = self.typed.try_send((Input::Pressed, None));
    }

    /// The server says something about private chats, or has taken a line.
    pub(crate) async fn event(&self, event: &Event) {
        let _ = self.heard.send(Heard::Event(event.clone())).await;
    }

    /// The server has taken the line `typed`.
    pub(crate) async fn taken(&self, typed: &str) {
        if let Asked::Command { name, rest } = split::line(typed)
            && name.eq_ignore_ascii_case(machinery::BLOCK)
        {
            let _ = self.heard.send(Heard::Blocked(split::word(&rest).0.to_owned())).await;
        }
    }

    /// Other settings are in force.
    pub(crate) async fn set(&self, config: &Config) {
        let _ = self.heard.send(Heard::Set(Box::new(config.clone()))).await;
    }

    /// Lines for the server.
    pub(crate) fn orders(&self) -> Receiver<Typed> {
        self.orders.clone()
    }

    /// Ends all of them when it is dropped.
    pub(crate) fn until_left(&self) -> Leaving {
        Leaving(self.clone())
    }

    /// Ends all of them, and waits until the others have been told.
    fn leave(&self) {
        self.show_on(None);
        let left = async {
            let _ = self.heard.send(Heard::Leave).await;
            let _ = self.ended.recv().await;
        };
        smol::block_on(within(CLOSING_PATIENCE, left));
    }
}

/// The commands of private chats, for help. A server that has the first of them has what they need.
pub(crate) fn cards() -> Vec<Card> {
    cards::all(&cards::Choices::default())
}

/// Whether `line` is to be left out of what was typed before, for it says something that nobody keeps.
pub(crate) fn is_unrecorded(line: &str, knowledge: &Knowledge) -> bool {
    match route(line, knowledge, knowledge.addressee().is_some()) {
        Route::Here(verb, _) => verb == Verb::Private,
        Route::Guarded(_) => true,
        // Where there are none: it is refused, and was meant for one reader nevertheless.
        Route::Session if knowledge.addressee().is_none() => called(line) == Some(Verb::Private),
        Route::Session => false,
    }
}

/// The command of private chats that `line` is called after, whether or not there are any.
fn called(line: &str) -> Option<Verb> {
    if let Asked::Command { name, .. } = split::line(line) { Verb::called(name) } else { None }
}

fn route(line: &str, knowledge: &Knowledge, to_others: bool) -> Route {
    // What is typed before the server has said which commands there are after the login is not for it to guess at.
    let is_ours = |name: &str| Verb::called(name).filter(|_| knowledge.goes_before(name) || !knowledge.knows_commands_inside());
    if to_others && let Asked::Say(said) = split::line_in_room(line) {
        let (first, rest) = split::word(said);
        let (second, _) = split::word(rest);
        // In a room, or to somebody one talks with, the word alone is something said: a slip of one sign would tell them a secret.
        let open = is_ours(first) == Some(Verb::Private) && open_with(second, knowledge);
        return if open && !line.starts_with("//") { Route::Guarded(second.to_owned()) } else { Route::Session };
    }
    match split::line(line) {
        Asked::Command { name, rest } => match is_ours(name) {
            Some(verb) => Route::Here(verb, rest.into_owned()),
            None => Route::Session,
        },
        _ => Route::Session,
    }
}

/// Whether a private chat with `name` is open, as the cards have it.
fn open_with(name: &str, knowledge: &Knowledge) -> bool {
    let card = knowledge.cards.iter().find(|card| card.answers_to(Verb::Private.name()));
    let names = card.and_then(|card| card.args.first()).map(|arg| &arg.kind.complete);
    matches!(names, Some(Complete::OneOf(names)) if names.iter().any(|open| folded(open) == folded(name)))
}

/// A meeting, and what came of it.
struct Prepared {
    /// It holds its ports open; none once a channel has come of it.
    meeting: Option<Arc<Meeting>>,
    /// What looks for a way.
    looking: Option<Task<()>>,
    channel: Option<Open>,
}

struct Open {
    channel: Channel,
    engine: Task<()>,
}

/// The private chats themselves, on a thread of their own.
struct Chats {
    model: Model,
    server: Server,
    config: Config,
    knowledge: SharedKnowledge,
    peers: Option<KnownPeers>,
    transcripts: Option<Transcripts>,
    /// Whether what is said could be kept, so far.
    keeps: bool,
    identity_folder: Option<PathBuf>,
    identity: Option<Identity>,
    heard: Sender<Heard>,
    orders: Sender<Typed>,
    screens: Receiver<Option<Screen>>,
    screen: Option<Screen>,
    executor: Arc<Executor<'static>>,
    meetings: BTreeMap<u64, Prepared>,
    /// Channels that have been stopped, and tell the other so.
    closing: Vec<Task<()>>,
    /// The cards as they were told last.
    cards: Vec<Card>,
}

/// What happens next.
enum Turn {
    Input(Input, Option<Settled>),
    Heard(Box<Heard>),
    Screen(Option<Screen>),
    Due,
    Over,
}

impl Chats {
    async fn run(mut self, typing: &Receiver<(Input, Option<Settled>)>, hears: &Receiver<Heard>) {
        loop {
            let (deeds, settled) = match self.turn(typing, hears).await {
                Turn::Input(input, settled) => (self.input(input), settled),
                Turn::Over => break,
                Turn::Heard(heard) if matches!(*heard, Heard::Leave) => break,
                Turn::Heard(heard) => self.hear(*heard).await,
                Turn::Screen(screen) => {
                    self.screen = screen;
                    continue;
                }
                Turn::Due => (self.model.tick(now()), None),
            };
            // Before anything is shown: who reads that something is open can complete it.
            self.tell_cards();
            self.carry_out(deeds, settled).await;
            self.tell_cards();
        }
        self.close().await;
    }

    /// Whoever completes learns what there is to choose from now.
    fn tell_cards(&mut self) {
        let cards = self.model.cards();
        if cards != self.cards {
            self.knowledge.lock().go_before(cards.clone());
            self.cards = cards;
        }
    }

    /// Whatever happens first; what somebody types goes before the rest.
    async fn turn(&mut self, typing: &Receiver<(Input, Option<Settled>)>, hears: &Receiver<Heard>) -> Turn {
        let typed = async {
            match typing.recv().await {
                Ok((input, settled)) => Turn::Input(input, settled),
                Err(_) => pending().await,
            }
        };
        let heard = async { hears.recv().await.map_or(Turn::Over, |heard| Turn::Heard(Box::new(heard))) };
        let due = self.model.due();
        let due = async {
            match due {
                Some(at) => Timer::after(Duration::from_millis(u64::try_from(at.0.saturating_sub(now().0)).unwrap_or(0))).await,
                None => pending().await,
            };
            Turn::Due
        };
        let screen = async { self.screens.recv().await.map_or(Turn::Over, Turn::Screen) };
        or(screen, or(typed, or(heard, due))).await
    }

    fn input(&mut self, input: Input) -> Vec<Deed> {
        match input {
            Input::Line(verb, rest) => {
                let rest = if verb == Verb::SendFile { in_full(&rest) } else { rest };
                self.model.typed(verb, &rest, now())
            }
            Input::Pressed => self.model.pressed(now()),
            Input::Guarded(name) => {
                let refusal = Refusal::new(code::USAGE, "not said: others would have read it");
                let name = chinwag_wire::SafeText::new(&name).to_string();
                vec![Deed::Show(Told::Refused(refusal.hint(format!("`/private {name} TEXT` says it to {name} alone"))))]
            }
        }
    }

    async fn hear(&mut self, heard: Heard) -> (Vec<Deed>, Option<Settled>) {
        let deeds = match heard {
            Heard::Event(event) => {
                let known = match &event {
                    Event::PrivateAsked { from: name, .. } | Event::PrivateAgreed { with: name, .. } => self.known(name),
                    _ => Ok(None),
                };
                self.model.event(&event, known, now())
            }
            Heard::Blocked(name) => self.model.blocked(&name),
            Heard::Answered(sent, answer, settled) => {
                let deeds = self.model.answered(&sent, answer.as_ref().map_err(Clone::clone));
                return (deeds, settled);
            }
            Heard::Met(number, met) => {
                let met = (*met).map(|(channel, engine)| self.begin(number, channel, engine));
                self.model.met(number, met, now())
            }
            Heard::News(number, news) => self.model.news(number, news, now()),
            Heard::Set(config) => {
                self.config = *config;
                self.model.set(self.config.p2p, self.config.keys.key_for(&Action::Accept));
                Vec::new()
            }
            Heard::Leave => Vec::new(),
        };
        (deeds, None)
    }

    fn known(&self, name: &str) -> Result<Option<Known>, String> {
        self.peers.as_ref().map_or(Ok(None), |peers| peers.find(name))
    }

    /// Lets a channel live.
    fn begin(&mut self, number: u64, channel: Channel, engine: Engine) -> Met {
        let met = Met { sas: channel.sas().to_string() };
        let (news, heard) = (channel.news().clone(), self.heard.clone());
        let engine = self.executor.spawn(engine.run());
        // It ends with its channel; while it waits, so does whoever tells it something.
        let telling = async move {
            while let Ok(told) = news.recv().await {
                if heard.send(Heard::News(number, told)).await.is_err() {
                    return;
                }
            }
        };
        self.executor.spawn(telling).detach();
        match self.meetings.get_mut(&number) {
            Some(prepared) => *prepared = Prepared { meeting: None, looking: None, channel: Some(Open { channel, engine }) },
            // Ended meanwhile: it closes.
            None => {
                drop(channel);
                self.closing.push(engine);
            }
        }
        met
    }

    async fn carry_out(&mut self, deeds: Vec<Deed>, mut settled: Option<Settled>) {
        let mut deeds: std::collections::VecDeque<Deed> = deeds.into();
        while let Some(deed) = deeds.pop_front() {
            match deed {
                Deed::Show(told) => {
                    let last = !deeds.iter().any(|deed| matches!(deed, Deed::Show(_)));
                    let settled = if last { settled.take() } else { None };
                    self.show(told, settled).await;
                }
                Deed::Invite { meeting, verb, name, listen } => {
                    let sent = Sent::Invitation(meeting, verb);
                    match self.prepare(meeting, listen).await {
                        Ok(offer) => {
                            let line = machinery::invite(verb == Invitation::Ask, &name, &offer);
                            deeds.extend(self.order(line, sent, settled.take()));
                        }
                        Err(why) => deeds.extend(self.model.answered(&sent, Err(why))),
                    }
                }
                Deed::Order(order) => {
                    let line = match &order {
                        Order::Decline(name) => machinery::decline(name),
                        Order::Relay(name) => machinery::relay(name),
                        Order::Stop(name) | Order::StopElsewhere(name) => machinery::stop_private(name),
                        Order::Active => machinery::ACTIVE.to_owned(),
                    };
                    let settled = settled.take_if(|_| matches!(order, Order::StopElsewhere(_)));
                    deeds.extend(self.order(line, Sent::Order(order), settled));
                }
                Deed::Hold { meeting, side, theirs } => self.hold(meeting, side, theirs),
                Deed::Over { meeting, side, theirs, ticket } => self.over(meeting, side, theirs, ticket),
                Deed::Ask { meeting, ask } => self.ask(meeting, ask),
                Deed::Take { meeting, file } => deeds.extend(self.take(meeting, file)),
                Deed::End { meeting } => self.end(meeting),
                Deed::Remember { name, known } => {
                    if let Some(peers) = &self.peers
                        && let Err(why) = peers.remember(&name, known)
                    {
                        deeds.push_back(Deed::Show(Told::Warning(format!("this key is not remembered: {why}"))));
                    }
                }
                Deed::Keep { with, mine, text } => deeds.extend(self.keep(&with, mine, &text)),
            }
        }
    }

    /// Shows something, as soon as there is a place for it.
    async fn show(&mut self, told: Told, settled: Option<Settled>) {
        loop {
            while let Ok(screen) = self.screens.try_recv() {
                self.screen = screen;
            }
            if let Some(screen) = &self.screen {
                let shown = screen.private(told.clone(), settled.clone()).await;
                if shown.is_ok() {
                    return;
                }
                self.screen = None;
            }
            match self.screens.recv().await {
                Ok(screen) => self.screen = screen,
                Err(_) => return,
            }
        }
    }

    async fn prepare(&mut self, number: u64, listen: bool) -> Result<Offer, String> {
        let identity = self.identity().await?;
        let places = if listen { self.config.p2p_addresses.places(&server_addresses(&self.server).await, &ways_out()) } else { Vec::new() };
        let sockets: Vec<SocketAddr> = places.iter().map(|place| place.listen).collect();
        let meeting = match Meeting::prepare(&identity, &sockets, Terms::default()) {
            // A port may be taken, by another client or another invitation: then there is the relay.
            Err(error) if !sockets.is_empty() => {
                self.show(Told::Note(format!("nobody can come to this machine directly: {}", in_words(&error))), None).await;
                Meeting::prepare(&identity, &[], Terms::default())
            }
            prepared => prepared,
        };
        let meeting = meeting.map_err(|error| format!("a private chat cannot be prepared: {}", in_words(&error)))?;
        let mut offer = meeting.offer().clone();
        for (address, place) in offer.addresses.iter_mut().zip(&places) {
            address.set_ip(place.known_as);
        }
        if offer.addresses.is_empty() {
            self.model.unreachable(number);
        }
        self.meetings.insert(number, Prepared { meeting: Some(Arc::new(meeting)), looking: None, channel: None });
        Ok(offer)
    }

    async fn identity(&mut self) -> Result<Identity, String> {
        if let Some(identity) = &self.identity {
            return Ok(identity.clone());
        }
        let folder = self.identity_folder.clone();
        let made = smol::unblock(move || match folder {
            Some(folder) => Identity::open(&folder).map_err(|error| error.to_string()),
            None => Identity::fleeting().map_err(|error| format!("this machine has no randomness: {}", in_words(&error))),
        });
        let identity = made.await?;
        self.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Hands a line to the session; what the server says of it comes back.
    fn order(&mut self, text: String, sent: Sent, settled: Option<Settled>) -> Vec<Deed> {
        let (answers, answer) = async_channel::bounded(1);
        let line = Typed { answers: Some(answers), quiet: true, ..Typed::line(text) };
        if self.orders.try_send(line).is_err() {
            return self.model.answered(&sent, Err("not sent: too much waits for the link to the server".to_owned()));
        }
        let heard = self.heard.clone();
        let telling = async move {
            // The session ended before the answer: whoever comes next sends the line again, or all is over.
            if let Ok(event) = answer.recv().await {
                let _ = heard.send(Heard::Answered(sent, Ok(event), settled)).await;
            }
        };
        self.executor.spawn(telling).detach();
        Vec::new()
    }

    fn hold(&mut self, number: u64, side: Side, theirs: Offer) {
        let heard = self.heard.clone();
        let Some(prepared) = self.meetings.get_mut(&number) else { return };
        let Some(meeting) = prepared.meeting.clone() else { return };
        prepared.looking = Some(self.executor.spawn(async move {
            let met = meeting.hold(side, &theirs).await;
            let _ = heard.send(Heard::Met(number, Box::new(met))).await;
        }));
    }

    fn over(&mut self, number: u64, side: Side, theirs: Offer, ticket: Token) {
        let (heard, server) = (self.heard.clone(), self.server.clone());
        let Some(prepared) = self.meetings.get_mut(&number) else { return };
        let Some(meeting) = prepared.meeting.clone() else { return };
        prepared.looking = Some(self.executor.spawn(async move {
            let tried = |why: String| Missed::NoWay { tried: vec![why] };
            let met = match within(RELAY_PATIENCE, connection::carried(&server, ticket)).await {
                Some(Ok(stream)) => meeting.over(side, &theirs, stream).await,
                Some(Err(failure)) => Err(tried(failure.message)),
                None => Err(tried(format!("{} does not answer", server.place))),
            };
            let _ = heard.send(Heard::Met(number, Box::new(met))).await;
        }));
    }

    fn ask(&mut self, number: u64, ask: Ask) {
        let Some(Prepared { channel: Some(open), .. }) = self.meetings.get(&number) else { return };
        // A channel that has ended says so itself.
        let _ = open.channel.ask(ask);
    }

    fn take(&mut self, number: u64, file: File) -> Vec<Deed> {
        match self.config.downloads.open() {
            Ok(folder) => {
                self.ask(number, Ask::Accept { file, folder });
                Vec::new()
            }
            Err(error) => {
                let why = format!("no file can be kept in {}: {}", self.config.downloads.as_str(), in_words(&error));
                self.model.not_taken(number, file, now());
                vec![Deed::Show(Told::Refused(Refusal::new(code::USAGE, why).hint("`/set downloads FOLDER` names another")))]
            }
        }
    }

    fn end(&mut self, number: u64) {
        let Some(prepared) = self.meetings.remove(&number) else { return };
        if let Some(Open { channel, engine }) = prepared.channel {
            let _ = channel.ask(Ask::Stop);
            self.closing.retain(|task| !task.is_finished());
            self.closing.push(engine);
        }
    }

    fn keep(&mut self, with: &str, mine: bool, text: &str) -> Vec<Deed> {
        let Some(transcripts) = self.transcripts.as_ref().filter(|_| self.config.private_history) else { return Vec::new() };
        match transcripts.add(with, mine, text, now()) {
            Ok(()) => {
                self.keeps = true;
                Vec::new()
            }
            Err(_) if !self.keeps => Vec::new(),
            Err(error) => {
                self.keeps = false;
                vec![Deed::Show(Told::Note(format!("what is said privately is not kept: {}", in_words(&error))))]
            }
        }
    }

    /// Stops everything, and lives until the others have been told.
    async fn close(mut self) {
        for deed in self.model.leave() {
            if let Deed::End { meeting } = deed {
                self.end(meeting);
            }
        }
        for task in std::mem::take(&mut self.closing) {
            task.await;
        }
    }
}

/// The user as typed, and the path in full.
fn in_full(rest: &str) -> String {
    let (user, typed) = split::word(rest);
    let typed = typed.trim_end();
    if typed.is_empty() { rest.to_owned() } else { format!("{user} {}", files::path(typed).display()) }
}

/// Where the server is.
async fn server_addresses(server: &Server) -> Vec<IpAddr> {
    let (host, port) = (server.place.host.clone(), server.place.port);
    // getaddrinfo blocks.
    let found = smol::unblock(move || (host.as_str(), port).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect()));
    found.await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_where_they_are_meant_to() {
        let mut knowledge = Knowledge::default();
        let here = |verb, rest: &str| Route::Here(verb, rest.to_owned());
        assert_eq!(route("startprivate bob", &knowledge, false), here(Verb::StartPrivate, "bob"), "nobody has said what the server has");
        assert_eq!(route("@bob private", &knowledge, false), Route::Session);
        let card = |name: &'static str| Card { name: name.into(), ..cards().remove(0) };
        knowledge.learn(&Event::Cards { cards: vec![card("login")] });
        assert_eq!(route("startprivate bob", &knowledge, false), here(Verb::StartPrivate, "bob"), "these are those before the login");
        knowledge.learn(&Event::Cards { cards: vec![card("who")] });
        knowledge.go_before(cards());
        assert_eq!(route("startprivate bob", &knowledge, false), Route::Session, "this server has no private chats");
        assert!(is_unrecorded("/private bob hi", &knowledge) && !is_unrecorded("/startprivate bob", &knowledge));
        knowledge.learn(&Event::Cards { cards: vec![cards().remove(0)] });
        assert_eq!(route("/PRIVATE bob  hi ", &knowledge, false), here(Verb::Private, "bob  hi "));
        assert_eq!(route("private bob hi", &knowledge, false), here(Verb::Private, "bob hi"));
        assert!(is_unrecorded("private bob hi", &knowledge) && !is_unrecorded("privates", &knowledge));
        knowledge.go_before(cards::all(&cards::Choices { open: vec!["Bob".to_owned()], ..Default::default() }));
        knowledge.learn(&Event::Entered {
            room: "den".into(),
            nick: "a".into(),
            topic: None,
            others: Vec::new(),
            more: false,
            created: false,
            heard_only: false,
        });
        assert_eq!(route("private bob hi", &knowledge, true), Route::Guarded("bob".to_owned()), "everyone in the room would read it");
        assert!(is_unrecorded("private bob hi", &knowledge));
        for said in ["private parts", "privates bob", "startprivate bob", "//private bob hi", "so: private bob hi"] {
            assert_eq!(route(said, &knowledge, true), Route::Session, "{said}");
        }
        assert_eq!(route("/private bob hi", &knowledge, true), here(Verb::Private, "bob hi"));
    }
}
