//! Connecting and saying.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::expect::extra;
use super::{Player, Stop};
use crate::connection::{Connection, Heard, Speaks};
use crate::diagnostic::Mistake;
use crate::holes;
use crate::scenario::{By, Bytes, Items, Keyed, Name, OneOrMany, Spanned, Step};
use crate::wire::Wire;

impl Player<'_> {
    pub(super) async fn open_all(&mut self, names: &OneOrMany<String>, speaks: Speaks) -> Result<(), Stop> {
        for name in &names.0 {
            self.open(name, speaks, None).await?;
        }
        Ok(())
    }

    pub(super) async fn connect_as(&mut self, by: &By<String>) -> Result<(), Stop> {
        for (name, account) in &by.0 {
            self.open(name, Speaks::Json, None).await?;
            let password = self.password_of(&account.value);
            self.say(name, &format!("login {} {password}", account.value)).await?;
            self.settle(false).await?;
        }
        Ok(())
    }

    /// Sends in an order that the seed decides, with one barrier behind all of it.
    pub(super) async fn send_all(&mut self, steps: &Items<Step>) -> Result<(), Stop> {
        let mut order: Vec<usize> = (0..steps.0.len()).collect();
        self.random.shuffle(&mut order);
        self.nothing_unread_by_any(steps)?;
        for at in order {
            self.send(&steps.0[at], false).await?;
        }
        self.settle(true).await
    }

    /// Sends, and proves nothing.
    pub(super) async fn send_unsynced(&mut self, steps: &Items<Step>) -> Result<(), Stop> {
        self.nothing_unread_by_any(steps)?;
        for step in &steps.0 {
            self.send(step, false).await?;
        }
        // What has come by chance is taken by the next barrier, so that the transcript does not depend on it.
        self.transcript.close(true);
        Ok(())
    }

    /// Sends what one step says; with a barrier behind each user, unless the order is to be left open.
    pub(super) async fn send(&mut self, step: &Spanned<Step>, settle: bool) -> Result<(), Stop> {
        self.span = step.span.clone();
        for (user, bytes, rows) in self.speeches(&step.value) {
            // In a group the others' effects may come at any time: there it was looked at before the first.
            if settle {
                self.nothing_unread(user)?;
            }
            for row in rows {
                self.transcript.did(&self.label, &user.value, '>', row);
            }
            self.write(user, bytes).await?;
            if settle {
                self.settle(false).await?;
            }
        }
        Ok(())
    }

    fn nothing_unread_by_any(&self, steps: &Items<Step>) -> Result<(), Stop> {
        let speeches = steps.0.iter().flat_map(|step| self.speeches(&step.value));
        speeches.map(|(user, ..)| user).try_for_each(|user| self.nothing_unread(user))
    }

    /// Who sends which bytes in one step, and what the transcript shows of them.
    fn speeches<'a>(&self, step: &'a Step) -> Vec<(&'a Name, Vec<u8>, Vec<String>)> {
        let fill = |text: &Spanned<String>| holes::fill(&text.value, &self.filling);
        match step {
            Step::Send(by) => {
                by.0.iter()
                    .map(|(user, lines)| {
                        let lines: Vec<String> = lines.value.0.iter().map(fill).collect();
                        (user, lines.iter().flat_map(|line| self.encoded(user, line, None)).collect(), lines)
                    })
                    .collect()
            }
            Step::SendKeyed(by) => {
                by.0.iter()
                    .map(|(user, lines)| {
                        let lines: Vec<(String, String)> =
                            lines.value.0.iter().map(|Spanned { value: Keyed { key, line }, .. }| (fill(key), fill(line))).collect();
                        let bytes = lines.iter().flat_map(|(key, line)| self.encoded(user, line, Some(key))).collect();
                        (user, bytes, lines.into_iter().map(|(key, line)| format!("{line}  (key {key})")).collect())
                    })
                    .collect()
            }
            Step::Raw(by) => {
                by.0.iter()
                    .map(|(user, chunks)| {
                        let bytes: Vec<u8> =
                            chunks.value.0.iter().flat_map(|Spanned { value: Bytes(bytes), .. }| bytes.iter().copied()).collect();
                        let row = format!("raw \"{}\"", bytes.escape_ascii());
                        (user, bytes, vec![row])
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn encoded(&self, user: &Name, line: &str, key: Option<&str>) -> Vec<u8> {
        self.cast.get(&user.value).map(|connection| connection.encoded(line, key)).unwrap_or_default()
    }

    /// Says a line that the harness makes up itself.
    pub(super) async fn say(&mut self, user: &Name, line: &str) -> Result<(), Stop> {
        self.transcript.did(&self.label, &user.value, '>', line);
        let bytes = self.encoded(user, line, None);
        self.write(user, bytes).await
    }

    async fn write(&mut self, user: &Name, bytes: Vec<u8>) -> Result<(), Stop> {
        let connection = self.cast.get_mut(&user.value).filter(|connection| connection.is_open());
        let Some(connection) = connection else {
            return Err(Mistake::new(user.span.clone(), format!("the connection of `{}` has ended", user.value)).into());
        };
        connection.dirty = true;
        connection.mid_line = bytes.last().is_some_and(|last| *last != b'\n');
        connection.post(bytes);
        Ok(self.cast.flush().await?)
    }

    /// Opens a connection as a step of its own.
    pub(super) async fn open(&mut self, name: &Name, speaks: Speaks, from: Option<IpAddr>) -> Result<(), Stop> {
        if self.cast.get(&name.value).is_some_and(Connection::is_open) {
            return Err(Mistake::new(name.span.clone(), format!("`{}` is connected already", name.value)).into());
        }
        let how = match (speaks, from) {
            (_, Some(from)) => format!("connects from {from}"),
            (Speaks::Json, None) => "connects".to_owned(),
            (Speaks::Wire(wire), None) => format!("connects, on {}", wire.name()),
            (Speaks::Text, None) => "connects, in text".to_owned(),
        };
        self.transcript.did(&self.label, &name.value, '-', how);
        self.connect(name, speaks, from).await?;
        self.collect(false);
        Ok(())
    }

    /// Opens a connection, switches its dialect and waits until it is heard. What greets it is forgotten, unless it
    /// is turned away.
    pub(super) async fn connect(&mut self, name: &Name, speaks: Speaks, from: Option<IpAddr>) -> Result<(), Stop> {
        let address: SocketAddr = self.server.address;
        let seed = self.random.u64(..);
        let opened = self.cast.during(Connection::open(&name.value, address, speaks, from, seed)).await?;
        let connection =
            opened.map_err(|error| Mistake::new(name.span.clone(), format!("`{}` cannot connect to {address}: {error}", name.value)))?;
        self.cast.add(connection);
        // Counted before anything is waited for: from then on the greeting may come in.
        let unread = self.cast.get(&name.value).map_or(0, |connection| connection.unread.len());
        if speaks == Speaks::Json {
            // Together with the ping that follows it: what comes after the switch is read in the new dialect.
            self.write(name, b"dialect json\n".to_vec()).await?;
        }
        self.barrier.answered(&mut self.cast, &name.value).await?;
        if let Some(connection) = self.cast.get_mut(&name.value)
            && connection.is_open()
            && speaks == Speaks::Json
        {
            connection.unread.truncate(unread);
            connection.fresh.clear();
        }
        Ok(())
    }

    /// Opens a connection that is to carry what others send.
    pub(super) async fn carry(&mut self, name: &Name, ticket: &str) -> Result<(), Stop> {
        self.open(name, Speaks::Text, None).await?;
        if let Some(connection) = self.cast.get_mut(&name.value) {
            connection.carries = true;
        }
        self.say(name, &format!("carry {ticket}")).await?;
        self.settle(false).await
    }

    /// Opens a connection to where a wire is spoken, as a step of its own.
    pub(super) async fn dial(&mut self, name: &Name, wire: Wire) -> Result<(), Stop> {
        if self.cast.get(&name.value).is_some_and(Connection::is_open) {
            return Err(Mistake::new(name.span.clone(), format!("`{}` is connected already", name.value)).into());
        }
        self.transcript.did(&self.label, &name.value, '-', format!("connects, on {}", wire.name()));
        let connection = self.opened(name, wire).await?;
        self.cast.add(connection);
        self.collect(false);
        Ok(())
    }

    async fn opened(&mut self, name: &Name, wire: Wire) -> Result<Connection, Stop> {
        let wrong = |why: String| Mistake::new(name.span.clone(), format!("`{}` cannot connect: {why}", name.value));
        let found = self.server.wires.iter().find(|(spoken, _)| spoken == wire.name());
        let address = found.map(|(_, address)| *address).ok_or_else(|| {
            let help = "such as `server: (args: [\"--s1\", \"0\", \"--listen\", \"[(wire: \\\"s4\\\", port: 0, plain: true)]\"])`";
            wrong(format!("the server does not speak {}", wire.name())).help(help)
        })?;
        let seed = self.random.u64(..);
        let before = self.sessions().await?;
        let opened = self.cast.during(Connection::open(&name.value, address, Speaks::Wire(wire), None, seed)).await?;
        let mut connection = opened.map_err(|error| wrong(error.to_string()))?;
        if wire == Wire::S4Tls {
            let certificate = self.data.path().join("certificate.pem");
            self.cast.during(connection.encrypt(&certificate)).await?.map_err(|error| wrong(error.to_string()))?;
        }
        // Nobody is greeted on a wire: only the server can say when it has taken the connection.
        while self.sessions().await?.iter().all(|session| before.contains(session)) {}
        Ok(connection)
    }

    /// The numbers of all connections that the server has.
    async fn sessions(&mut self) -> Result<Vec<Value>, Stop> {
        let dump = self.ask("dump").await?;
        Ok(dump["connections"].as_array().into_iter().flatten().map(|connection| connection["session"].clone()).collect())
    }

    /// Lets a member of the cast come in on a wire: on two sockets, where that has two.
    pub(super) async fn come_in(&mut self, user: &Name, wire: Wire) -> Result<(), Stop> {
        let connection = self.opened(user, wire).await?;
        self.cast.add(connection);
        self.write(user, wire.hello(&user.value)).await?;
        self.is_let_in(user, wire, 1).await?;
        if let Some(hello) = wire.second_hello(&user.value) {
            let mut receiver = self.opened(user, wire).await?;
            receiver.acknowledges = true;
            receiver.post(hello);
            if let Some(connection) = self.cast.get_mut(&user.value) {
                connection.receiver = Some(Box::new(receiver));
            }
            self.is_let_in(user, wire, 2).await?;
        }
        Ok(())
    }

    /// Waits until a member of the cast has heard so often that it is let in.
    async fn is_let_in(&mut self, user: &Name, wire: Wire, times: usize) -> Result<(), Stop> {
        let heard = |all: &[Connection]| {
            let heard = all.iter().find(|connection| connection.name == user.value).map(|connection| &connection.unread);
            heard.into_iter().flatten().filter_map(Heard::said).cloned().collect::<Vec<String>>()
        };
        let has_ended = |all: &[Connection]| all.iter().any(|connection| connection.name == user.value && !connection.is_open());
        self.cast.until(|all| heard(all).len() >= times || has_ended(all)).await?;
        let heard = heard(&self.cast.all);
        if heard.iter().filter(|shown| wire.lets_in(shown)).count() >= times {
            return Ok(());
        }
        let mut mistake = Mistake::new(user.span.clone(), format!("`{}` could not come in", user.value)).label("of the cast");
        mistake.notes = heard;
        Err(mistake.into())
    }

    /// What no step has looked at must be looked at before the user goes on.
    pub(super) fn nothing_unread(&self, user: &Name) -> Result<(), Stop> {
        let Some(connection) = self.cast.get(&user.value).filter(|connection| !connection.unread.is_empty()) else { return Ok(()) };
        let mut mistake = Mistake::new(user.span.clone(), format!("`{}` has received what no step expects", user.value));
        mistake.notes = extra(connection.unread.iter());
        Err(mistake.label("before this").help(format!("`See({}: …)` it first", user.value)).into())
    }
}
