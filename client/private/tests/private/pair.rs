//! Two ends that have met.

use std::net::SocketAddr;

use chinwag_private::{Channel, Clock, Engine, Hand, Identity, Meeting, Missed, News, Offer, Side, Terms};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::unix::UnixStream;

/// Terms under which no time passes by itself.
pub(crate) fn still() -> (Terms, Hand) {
    let (clock, hand) = Clock::by_hand();
    (Terms { clock, ..Terms::default() }, hand)
}

/// Any port of this machine.
pub(crate) fn here() -> [SocketAddr; 1] {
    ["127.0.0.1:0".parse().unwrap()]
}

pub(crate) fn meeting(identity: &Identity, listen: &[SocketAddr], terms: &Terms) -> Meeting {
    Meeting::prepare(identity, listen, terms.clone()).unwrap()
}

/// Both ends of a meeting over two streams, which may or may not be the two ends of one.
pub(crate) async fn over(
    [asker, asked]: [&Meeting; 2],
    [to_asked, to_asker]: [Offer; 2],
    [one, other]: [UnixStream; 2],
) -> [Result<(Channel, Engine), Missed>; 2] {
    let (one, other) = smol::future::zip(asker.over(Side::Asker, &to_asker, one), asked.over(Side::Asked, &to_asked, other)).await;
    [one, other]
}

/// Runs the engine beside the test.
pub(crate) fn run((channel, engine): (Channel, Engine)) -> Channel {
    smol::spawn(engine.run()).detach();
    channel
}

/// An asker and an asked who talk through a stream.
pub(crate) async fn pair(terms: &Terms) -> [Channel; 2] {
    let (one, other) = UnixStream::pair().unwrap();
    pair_over(terms, one, other).await
}

/// The same, with whatever is between `one` and `other`.
pub(crate) async fn pair_over(terms: &Terms, one: UnixStream, other: UnixStream) -> [Channel; 2] {
    let [asker, asked] = [0; 2].map(|_| meeting(&Identity::fleeting().unwrap(), &[], terms));
    over([&asker, &asked], [asker.offer().clone(), asked.offer().clone()], [one, other]).await.map(|end| run(end.unwrap()))
}

/// Two streams with a wire between them that stops when the `u64`s have gone through: from one to the other, and back.
/// What has gone through by then has arrived.
pub(crate) fn cut_after(bytes: [u64; 2]) -> [UnixStream; 2] {
    let (one, one_far) = UnixStream::pair().unwrap();
    let (other, other_far) = UnixStream::pair().unwrap();
    for (from, to, bytes) in [(one_far.clone(), other_far.clone(), bytes[0]), (other_far, one_far, bytes[1])] {
        smol::spawn(async move {
            let mut to = to;
            let _ = smol::io::copy(from.clone().take(bytes), &mut to).await;
            let _ = to.flush().await;
            // Both ways end at once, as when a machine is unplugged and says so.
            let _ = to.shutdown(std::net::Shutdown::Both);
            let _ = from.shutdown(std::net::Shutdown::Both);
        })
        .detach();
    }
    [one, other]
}

/// The next piece of news; there has to be one.
pub(crate) async fn next(channel: &Channel) -> News {
    channel.news().recv().await.expect("the channel has not ended")
}
