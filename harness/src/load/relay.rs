//! A private chat through the server: what one relay carries, and what it costs. Beside it a bare copy from one socket to
//! another, which is about the least that carrying can be.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::StreamOwned;
use serde_json::{Value, json};

use super::idle::encrypted;
use super::machine;
use super::plan::Bench;
use super::process::{Process, System};

/// How much goes through: a film.
const MUCH: u64 = 1 << 30;

/// The same in a hurry.
const LITTLE: u64 = 1 << 27;

/// How much is written and read at a time.
const CHUNK: usize = 64 * 1024;

/// One round of all that this module measures.
pub(crate) fn round(bench: &mut Bench) -> io::Result<()> {
    for (tls, how) in [(false, "plain"), (true, "TLS")] {
        let bytes = if bench.quick { LITTLE } else { MUCH };
        let name = format!("relay, {} MiB through one, {how}", bytes >> 20);
        if !bench.wants(&name) {
            continue;
        }
        let carried = carry(bench, bytes, tls)?;
        bench.figure(&name, "MB/s", System::Chinwag, bytes as f64 / 1e6 / carried.took.as_secs_f64());
        bench.figure(&format!("{name}: processor"), "CPU s/GB", System::Chinwag, carried.processor.as_secs_f64() * 1e9 / bytes as f64);
        bench.figure(&format!("{name}: memory more"), "KiB", System::Chinwag, carried.memory as f64 / 1024.0);
        if !tls && bench.with_limit() {
            let took = copy(bytes)?;
            bench.figure(&name, "MB/s", System::Limit, bytes as f64 / 1e6 / took.as_secs_f64());
        }
    }
    Ok(())
}

struct Carried {
    took: Duration,
    processor: Duration,
    /// The most that the server had more than before.
    memory: u64,
}

fn carry(bench: &Bench, bytes: u64, tls: bool) -> io::Result<Carried> {
    let process = bench.start(System::Chinwag, &["--relay-rate", "0"])?;
    let (mut alice, mut bob) = (Client::register(process.address, "alice")?, Client::register(process.address, "bob")?);
    let offer = format!("{}:{}", "a1".repeat(32), "5e".repeat(32));
    alice.say(&format!("startprivate bob {offer}"))?;
    bob.until("private-asked")?;
    bob.say(&format!("accept alice {offer}"))?;
    alice.until("private-agreed")?;
    alice.say("relay bob")?;
    bob.until("private-relay")?;
    bob.say("relay alice")?;
    let (from, to) = (alice.until("private-relay")?, bob.until("private-relay")?);
    let (id, before) = (process.id(), process.resident()?);
    let (from, to) = (end(&process, &from, tls)?, end(&process, &to, tls)?);
    let over = Arc::new(AtomicBool::new(false));
    let watch = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(machine::resident(id).unwrap_or(0));
                thread::sleep(Duration::from_millis(10));
            }
            most
        }
    });
    let usage = process.usage()?;
    let took = pass(from, to, bytes);
    over.store(true, Ordering::Relaxed);
    let most = watch.join().map_err(|_| io::Error::other("the watch ended"))?;
    Ok(Carried { took: took?, processor: process.usage()?.since(usage).processor, memory: most.saturating_sub(before) })
}

/// A connection that has presented its ticket.
fn end(process: &Process, event: &Value, tls: bool) -> io::Result<Box<dyn Both>> {
    let ticket = event["ticket"].as_str().ok_or_else(|| io::Error::other("no ticket"))?;
    let mut end: Box<dyn Both> = if tls {
        let (tls, stream) = encrypted(process)?;
        Box::new(StreamOwned::new(tls, stream))
    } else {
        let stream = TcpStream::connect(process.address)?;
        stream.set_nodelay(true)?;
        Box::new(stream)
    };
    end.write_all(format!("carry {ticket}\n").as_bytes())?;
    let mut answer = [0; 3];
    end.read_exact(&mut answer)?;
    if answer == *b"ok\n" { Ok(end) } else { Err(io::Error::other("the ticket was not taken")) }
}

trait Both: Read + Write + Send {}

impl<S: Read + Write + Send> Both for S {}

/// Has so many bytes go from one to the other, and says how long it took until the last had come.
fn pass(mut from: Box<dyn Both>, mut to: Box<dyn Both>, bytes: u64) -> io::Result<Duration> {
    let begin = Instant::now();
    let writer = thread::spawn(move || -> io::Result<Box<dyn Both>> {
        let chunk = vec![b'x'; CHUNK];
        for _ in 0..bytes / CHUNK as u64 {
            from.write_all(&chunk)?;
        }
        from.flush()?;
        // Not closed before the other end has all.
        Ok(from)
    });
    let (mut chunk, mut came) = (vec![0; CHUNK], 0);
    while came < bytes {
        match to.read(&mut chunk)? {
            0 => return Err(io::Error::other(format!("only {came} bytes have come"))),
            read => came += read as u64,
        }
    }
    let took = begin.elapsed();
    writer.join().map_err(|_| io::Error::other("the writer ended"))??;
    Ok(took)
}

/// The same through a thread that does nothing but read and write.
fn copy(bytes: u64) -> io::Result<Duration> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let (from, to) = (TcpStream::connect(address)?, TcpStream::connect(address)?);
    let (mut inward, _) = listener.accept()?;
    let (mut outward, _) = listener.accept()?;
    thread::spawn(move || -> io::Result<()> {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match inward.read(&mut chunk)? {
                0 => return Ok(()),
                read => outward.write_all(&chunk[..read])?,
            }
        }
    });
    pass(Box::new(from), Box::new(to), bytes)
}

/// Somebody who is logged in, in json.
struct Client(BufReader<TcpStream>);

impl Client {
    fn register(address: SocketAddr, name: &str) -> io::Result<Client> {
        let mut client = Client(BufReader::new(TcpStream::connect(address)?));
        client.0.get_mut().write_all(b"dialect json\n")?;
        client.until("cards")?;
        client.say(&format!("register {name} secret"))?;
        client.until("roster")?;
        Ok(client)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.0.get_mut(), "{}", json!({ "line": line }))
    }

    /// The next event of this type.
    fn until(&mut self, kind: &str) -> io::Result<Value> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("the connection ended before `{kind}` came")));
            }
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["type"] == kind {
                return Ok(event);
            }
        }
    }
}
