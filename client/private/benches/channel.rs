//! A large file through a channel, both ends in this process: how fast, against TLS alone over the same loopback in the same run; in
//! how much memory; and how long a word takes meanwhile. Prints; judges nothing.

use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chinwag_private::{Ask, Channel, Engine, Identity, Meeting, News, Side, Terms};
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use futures_rustls::{TlsAcceptor, TlsConnector};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

/// How long the file is.
const FILE_BYTES: u64 = 1_000_000_000;
/// How often something is said meanwhile.
const WORD_EVERY: Duration = Duration::from_millis(20);
const MEGABYTE: f64 = 1e6;

fn main() {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let path = folder.path().join("large.bin");
    write_random(&path);
    println!("TLS alone, memory to memory:    {:7.0} MB/s", rate(bare()));
    let before = peak();
    let (took, _) = through_a_channel(&path, &folder.path().join("quiet"), None);
    println!("a file through a channel:       {:7.0} MB/s; memory at its peak {} KiB more than before", rate(took), peak() - before);
    let (took, mut words) = through_a_channel(&path, &folder.path().join("talking"), Some(WORD_EVERY));
    println!("the same, with talk meanwhile:  {:7.0} MB/s", rate(took));
    println!("a word meanwhile takes          {}", told(&mut words));
    let mut idle = talk_alone();
    println!("a word with nothing else takes  {}", told(&mut idle));
}

fn rate(took: Duration) -> f64 {
    FILE_BYTES as f64 / MEGABYTE / took.as_secs_f64()
}

fn told(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    format!("{:?} (median), {:?} (99 %), {:?} at most, of {}", at(0.5), at(0.99), times.last().copied().unwrap_or_default(), times.len())
}

/// The most memory this process has used, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

fn write_random(path: &Path) {
    let mut random = fastrand::Rng::with_seed(1);
    let mut block = vec![0; 1 << 20];
    let mut file = fs::File::create(path).expect("a file can be made");
    let mut left = FILE_BYTES;
    while left > 0 {
        random.fill(&mut block);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..most]).expect("the disk has room");
        left -= most as u64;
    }
    // So that it is read from memory below, as it would be if it had just been made.
    let mut file = fs::File::open(path).expect("it is there");
    while file.read(&mut block).expect("it can be read") > 0 {}
}

/// Runs a future on a thread of its own, as a client would.
fn on_a_thread<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || smol::block_on(future))
}

/// The same number of bytes through TLS 1.3 and nothing else: each end on a thread of its own, 64 KiB at a time.
fn bare() -> Duration {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate can be made");
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], key))
        .expect("the certificate is good");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("the certificate is good");
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .expect("there is TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = smol::block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let reading = on_a_thread(async move {
        let (tcp, _) = listener.accept().await.expect("somebody comes");
        let mut stream = TlsAcceptor::from(Arc::new(server)).accept(tcp).await.expect("they shake hands");
        let (mut block, mut come, mut begun) = (vec![0; 1 << 16], 0, None);
        while come < FILE_BYTES {
            let count = stream.read(&mut block).await.expect("it comes");
            begun.get_or_insert_with(Instant::now);
            come += count as u64;
        }
        begun.expect("something came").elapsed()
    });
    let writing = on_a_thread(async move {
        let tcp = TcpStream::connect(address).await.expect("it listens");
        tcp.set_nodelay(true).expect("a socket can do that");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, tcp).await.expect("they shake hands");
        let (block, mut left) = (vec![7; 1 << 16], FILE_BYTES);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            stream.write_all(&block[..most]).await.expect("it goes");
            left -= most as u64;
        }
        stream.flush().await.expect("it goes");
        stream
    });
    // Open until all is read: a socket closed with something unread in it (TLS's tickets) takes back what it has sent.
    let _open = writing.join().expect("it is written");
    reading.join().expect("it is read")
}

/// Two who have met over loopback, each engine on a thread of its own.
fn pair() -> [Channel; 2] {
    let here = ["127.0.0.1:0".parse().expect("an address")];
    let prepare =
        |_| Meeting::prepare(&Identity::fleeting().expect("there is randomness"), &here, Terms::default()).expect("a port is free");
    let [asker, asked] = [0; 2].map(prepare);
    let (to_asker, to_asked) = (asked.offer().clone(), asker.offer().clone());
    let (one, other) = smol::block_on(smol::future::zip(asker.hold(Side::Asker, &to_asker), asked.hold(Side::Asked, &to_asked)));
    let run = |(channel, engine): (Channel, Engine)| {
        on_a_thread(engine.run());
        channel
    };
    [run(one.expect("they meet")), run(other.expect("they meet"))]
}

/// From the offer's acceptance to the news that it is there, hash checked and synced; and how long each word took meanwhile.
fn through_a_channel(path: &Path, folder: &Path, word_every: Option<Duration>) -> (Duration, Vec<Duration>) {
    fs::create_dir(folder).expect("a folder can be made");
    let [one, other] = pair();
    one.ask(Ask::Offer(path.to_owned())).expect("it listens");
    smol::block_on(async {
        let (mut begun, mut words) = (Instant::now(), Vec::new());
        let start = begun;
        let receiving = async {
            loop {
                match other.news().recv().await.expect("it has not ended") {
                    News::Offered { file, .. } => {
                        begun = Instant::now();
                        other.ask(Ask::Accept { file, folder: folder.to_owned() }).expect("it listens");
                    }
                    News::Said(text) => {
                        let said: u128 = text.parse().expect("a time was said");
                        words.push(start.elapsed() - Duration::from_nanos(u64::try_from(said).expect("not that long")));
                    }
                    News::Finished { .. } => break begun.elapsed(),
                    News::Started { .. } | News::Progress { .. } => {}
                    news => panic!("{news:?}"),
                }
            }
        };
        let talking = async {
            loop {
                smol::Timer::after(word_every.unwrap_or(Duration::from_secs(3600))).await;
                one.ask(Ask::Say(start.elapsed().as_nanos().to_string())).expect("it listens");
            }
        };
        let listening = async {
            while one.news().recv().await.is_ok() {}
            panic!("it has not ended");
        };
        let took = smol::future::or(receiving, smol::future::or(talking, listening)).await;
        (took, words)
    })
}

fn talk_alone() -> Vec<Duration> {
    let [one, other] = pair();
    smol::block_on(async {
        let mut words = Vec::new();
        for _ in 0..200 {
            smol::Timer::after(WORD_EVERY / 4).await;
            let said = Instant::now();
            one.ask(Ask::Say("word".to_owned())).expect("it listens");
            other.news().recv().await.expect("it has not ended");
            words.push(said.elapsed());
        }
        words
    })
}
