//! Peers that do not keep to the protocol: what no honest end would ever say.

use smol::net::unix::UnixStream;

use super::*;

/// An attempt as `side`, and what an intruder needs who has the other's key and both tokens.
fn attempts() -> [Attempt; 2] {
    let meetings = [0; 2].map(|_| Meeting::prepare(&Identity::fleeting().unwrap(), &[], Terms::default()).unwrap());
    let asker = meetings[0].attempt(Side::Asker, meetings[1].offer()).unwrap();
    let asked = meetings[1].attempt(Side::Asked, meetings[0].offer()).unwrap();
    [asker, asked]
}

/// Two ends of one connection that have met.
pub(crate) async fn settled_pair() -> [Settled; 2] {
    let [asker, asked] = attempts();
    let (one, other) = UnixStream::pair().unwrap();
    let settle = async |attempt: &Attempt, end, stream| match attempt.prove(end, stream).await {
        Ok(proven) => attempt.choose(proven).await,
        Err(failed) => Err(failed),
    };
    let both = smol::future::zip(settle(&asker, End::Client, Box::new(one)), settle(&asked, End::Server, Box::new(other)));
    let (one, other) = both.await;
    [one, other].map(|settled| settled.unwrap_or_else(|failed| panic!("{}", failed.why)))
}

/// What `victim` makes of a peer that shakes hands as it should and then does `deed`.
fn judged<F>(victim: &Attempt, intruder: &Attempt, deed: F) -> Failed
where
    F: AsyncFnOnce(&mut TlsStream<BoxedStream>, &mut Decoder, &Bond),
{
    smol::block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (end, its_end) = if victim.side == Side::Asker { (End::Client, End::Server) } else { (End::Server, End::Client) };
        let intruding = async {
            let (mut stream, exporter) =
                intruder.tls.shake(its_end, Box::new(other)).await.unwrap_or_else(|failed| panic!("{}", failed.why));
            let [one, two] = &intruder.tokens;
            let bond = Bond::new([one, two], [&intruder.fingerprints[0], &intruder.fingerprints[1]], &exporter);
            deed(&mut stream, &mut Decoder::new(), &bond).await;
            // It stays, so that what the victim does is not for the connection's sake.
            let _ = stream.read(&mut [0; 1]).await;
        };
        let (proven, ()) = smol::future::zip(victim.prove(end, Box::new(one)), intruding).await;
        proven.err().expect("it is not let in")
    })
}

async fn tell(stream: &mut TlsStream<BoxedStream>, frame: Frame<'_>) {
    say(stream, frame).await.unwrap_or_else(|failed| panic!("{}", failed.why));
}

#[test]
fn an_answer_that_proves_nothing_is_refused() {
    let [asker, asked] = attempts();
    let failed = judged(&asker, &asked, async |stream, _, _| {
        tell(stream, Frame::Answer { proof: [7; 32], nonce: [8; 32] }).await;
    });
    assert!(failed.is_impostor && failed.why.contains("tokens"), "{}", failed.why);
}

#[test]
fn a_proof_that_is_given_back_is_refused() {
    let [asker, asked] = attempts();
    let failed = judged(&asker, &asked, async |stream, decoder, _| {
        let claim = |frame: Frame<'_>| match frame {
            Frame::Claim { proof, commitment } => Some((proof, commitment)),
            _ => None,
        };
        let (proof, commitment) = hear(stream, decoder, claim).await.unwrap_or_else(|failed| panic!("{}", failed.why));
        tell(stream, Frame::Answer { proof, nonce: commitment }).await;
    });
    assert!(failed.is_impostor && failed.why.contains("tokens"), "{}", failed.why);
}

#[test]
fn a_number_chosen_after_the_fact_is_refused() {
    let [asker, asked] = attempts();
    let failed = judged(&asked, &asker, async |stream, decoder, bond| {
        let commitment = commitment(&[1; 32]);
        let proof = bond.proof(Side::Asker, &commitment, &[0; 32]);
        tell(stream, Frame::Claim { proof, commitment }).await;
        let answered = hear(stream, decoder, |frame| matches!(frame, Frame::Answer { .. }).then_some(())).await;
        assert!(answered.is_ok());
        // It has seen the other's number, and has found one that makes the digits it wants.
        tell(stream, Frame::Chosen { nonce: [2; 32] }).await;
    });
    assert!(failed.is_impostor && failed.why.contains("changed its number"), "{}", failed.why);
}

#[test]
fn digits_cannot_be_tried_without_end() {
    let [asker, asked] = attempts();
    let tries = (0..).find(|_| {
        let mut was_answered = false;
        let failed = judged(&asked, &asker, async |stream, decoder, bond| {
            let commitment = commitment(&[1; 32]);
            let proof = bond.proof(Side::Asker, &commitment, &[0; 32]);
            tell(stream, Frame::Claim { proof, commitment }).await;
            was_answered = hear(stream, decoder, |frame| matches!(frame, Frame::Answer { .. }).then_some(())).await.is_ok();
            let _ = stream.close().await;
        });
        assert!(failed.is_impostor || was_answered, "{}", failed.why);
        !was_answered
    });
    assert_eq!(tries, Some(ANSWERS_MAX));
}

#[test]
fn what_is_said_out_of_turn_or_is_no_frame_is_refused() {
    let [asker, asked] = attempts();
    for (frame, expected) in [
        (Frame::Say("let me in"), "something else"),
        (Frame::Chosen { nonce: [0; 32] }, "something else"),
        (Frame::Offer { number: 1, size: 1, name: "a" }, "something else"),
    ] {
        for (victim, intruder) in [(&asker, &asked), (&asked, &asker)] {
            let failed = judged(victim, intruder, async |stream, _, _| tell(stream, frame).await);
            assert!(failed.is_impostor && failed.why.contains(expected), "{}", failed.why);
        }
    }
    let endless = judged(&asked, &asker, async |stream, _, _| {
        // It may be gone before all of it is written.
        let _ = stream.write_all(&[0xff; 1 << 16]).await;
        let _ = stream.flush().await;
    });
    assert!(endless.is_impostor && endless.why.contains("too long"), "{}", endless.why);
}
