//! What happens to the world: time, the server's lives, the ways of connections, faults.

use serde_json::Value;

use super::{Player, Stop};
use crate::connection::Heard;
use crate::diagnostic::Mistake;
use crate::link::Weather;
use crate::scenario::{self, By, Length, OneOrMany};
use crate::server::{Server, Settings, Trouble};

impl Player<'_> {
    pub(super) async fn advance(&mut self, length: &str) -> Result<(), Stop> {
        let answer = self.ask(&format!("advance {length}")).await?;
        self.now = answer["now"].as_i64().unwrap_or(self.now);
        self.transcript.happened(&self.label, format!("{length} later"));
        self.settle(false).await
    }

    /// Closes connections without a word; or not even that, if they are lost.
    pub(super) async fn drop_all(&mut self, names: &OneOrMany<String>, lost: bool) -> Result<(), Stop> {
        for name in &names.0 {
            self.nothing_unread(name)?;
            let what = if lost { "is lost, and nobody is told" } else { "drops the connection" };
            self.transcript.did(&self.label, &name.value, '-', what);
            if lost {
                self.cast.lose(&name.value);
            } else if let Some(connection) = self.cast.get_mut(&name.value) {
                connection.close();
            }
        }
        // No ping can tell when the server has noticed.
        self.barrier.ask_server = true;
        self.settle(false).await
    }

    /// Nothing gets through to them or from them any more.
    pub(super) fn cut_off(&mut self, names: &OneOrMany<String>) {
        for name in &names.0 {
            self.transcript.did(&self.label, &name.value, '-', "is cut off");
            if let Some(connection) = self.cast.get_mut(&name.value) {
                connection.link.cut = true;
            }
        }
        self.transcript.close(false);
    }

    /// Everything gets through again, and the barrier waits for it.
    pub(super) async fn heal(&mut self) -> Result<(), Stop> {
        let cut: Vec<String> = self.cast.all.iter().filter(|one| one.link.cut).map(|one| one.name.clone()).collect();
        for name in cut {
            self.transcript.did(&self.label, &name, '-', "is not cut off any more");
            if let Some(connection) = self.cast.get_mut(&name) {
                connection.link.cut = false;
            }
        }
        self.settle(false).await
    }

    /// Makes the way of some connections as bad as it says.
    pub(super) fn make_weather(&mut self, by: &By<scenario::Weather>) {
        for (user, wanted) in &by.0 {
            let scenario::Weather { delay, jitter, rate, split } = &wanted.value;
            let length = |length: &Option<Length>| length.as_ref().map(|length| length.length).unwrap_or_default();
            let said = [
                delay.as_ref().map(|delay| format!("{} late", delay.written)),
                jitter.as_ref().map(|jitter| format!("up to {} more", jitter.written)),
                rate.as_ref().map(|rate| format!("{} bytes a second", rate.value)),
                split.as_ref().map(|split| format!("pieces of {} byte{}", split.value, if split.value == 1 { "" } else { "s" })),
            ];
            let said: Vec<String> = said.into_iter().flatten().collect();
            let said = if said.is_empty() { "the way is good".to_owned() } else { format!("the way: {}", said.join(", ")) };
            self.transcript.did(&self.label, &user.value, '-', said);
            if let Some(connection) = self.cast.get_mut(&user.value) {
                connection.link.weather = Weather {
                    delay: length(delay),
                    jitter: length(jitter),
                    rate: rate.as_ref().map(|rate| rate.value),
                    split: split.as_ref().map(|split| split.value),
                };
            }
        }
        self.transcript.close(false);
    }

    /// Switches faults, as `NAME` or `NAME off`.
    pub(super) async fn switch_faults(&mut self, switches: &[String]) -> Result<(), Stop> {
        for switch in switches {
            let known = match self.cast.during(self.server.ask("fault")).await? {
                Ok(answer) => answer["faults"].as_array().cloned().unwrap_or_default(),
                Err(Trouble::Control(_)) => return Err(Stop::Skipped("this server was built without faults".to_owned())),
                Err(trouble) => return Err(trouble.into()),
            };
            let (name, off) = switch.split_once(' ').map_or((switch.as_str(), false), |(name, rest)| (name, rest == "off"));
            if !known.iter().any(|known| known == name) {
                let mistake = Mistake::new(self.span.clone(), format!("the server has no fault `{name}`"));
                return Err(mistake.meant(name, known.iter().filter_map(Value::as_str)).into());
            }
            self.ask(&format!("fault {switch}")).await?;
            self.faults.retain(|on| on != name);
            if !off {
                self.faults.push(name.to_owned());
            }
        }
        Ok(())
    }

    /// Deletes all data of the server, which does not run.
    pub(super) fn wipe(&mut self) -> Result<(), Stop> {
        self.transcript.happened(&self.label, "all data is deleted");
        self.transcript.close(false);
        let wiped = std::fs::read_dir(self.data.path()).and_then(|entries| {
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
            }
            Ok(())
        });
        wiped.map_err(|error| Mistake::new(self.span.clone(), format!("the data cannot be deleted: {error}")).into())
    }

    pub(super) fn set_paused(&mut self, names: &OneOrMany<String>, paused: bool) {
        for name in &names.0 {
            self.transcript.did(&self.label, &name.value, '-', if paused { "stops reading" } else { "reads again" });
            if let Some(connection) = self.cast.get_mut(&name.value) {
                connection.paused = paused;
            }
        }
    }

    pub(super) async fn crash(&mut self) -> Result<(), Stop> {
        self.transcript.happened(&self.label, "the server is killed");
        let open = self.open_connections();
        self.cast.during(self.server.crash()).await?;
        self.all_end(&open).await
    }

    pub(super) async fn stop(&mut self) -> Result<(), Stop> {
        self.transcript.happened(&self.label, "the server is asked to stop");
        let open = self.open_connections();
        let stopped = self.cast.during(self.server.stop()).await?;
        self.all_end(&open).await?;
        match stopped {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Mistake::new(self.span.clone(), format!("the server was asked to stop and ended with {status}")).into()),
            Err(error) => Err(Mistake::new(self.span.clone(), format!("the server cannot be asked to stop: {error}")).into()),
        }
    }

    fn open_connections(&self) -> Vec<String> {
        self.cast.all.iter().filter(|connection| connection.is_open()).map(|connection| connection.name.clone()).collect()
    }

    /// The server has gone: so has every connection that was `open`, which nobody needs to expect.
    async fn all_end(&mut self, open: &[String]) -> Result<(), Stop> {
        self.running = false;
        for connection in self.cast.all.iter_mut().filter(|connection| connection.paused || connection.link.cut) {
            connection.close();
        }
        self.cast.until(|all| all.iter().all(|connection| !connection.is_open())).await?;
        for connection in self.cast.all.iter_mut().filter(|connection| open.contains(&connection.name)) {
            connection.unread.retain(|heard| !matches!(heard, Heard::Closed));
            connection.fresh.retain(|heard| !matches!(heard, Heard::Closed));
        }
        self.collect(false);
        Ok(())
    }

    pub(super) async fn start_again(&mut self) -> Result<(), Stop> {
        self.life += 1;
        self.transcript.happened(&self.label, "the server is started again");
        // Another seed for each life, or its tokens and ids would be those of the life before.
        let seed = self.seed.wrapping_add(self.life);
        let settings = Settings { data: self.data.path(), port: self.server.address.port(), seed, epoch: self.now, args: &self.args };
        let log = self.server.log.clone();
        self.server = self.cast.during(Server::start_again(&self.launch, &settings, log)).await??;
        self.running = true;
        self.transcript.close(false);
        let faults = self.faults.clone();
        self.switch_faults(&faults).await
    }
}
