//! A call at the moment at which it asks for help.

use std::task::Poll;
use std::time::Instant as StdInstant;

use super::*;

/// However the moment of help falls between two looks at the timer, it is not the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_has_asked_for_help_goes_on_waiting() {
    for round in 0..40 {
        // Nobody is there to help.
        let stage = Stage::new(1).await;
        let first = stage.call(Verb::Get, "a");
        stage.running(1).await;
        let mut second = pin!(stage.lane.call(request(Verb::Get, "b"), Instant::now() + Duration::from_secs(60)));
        let until = StdInstant::now() + HELP_READS_AFTER * 3;
        // Looked at all the time, by a task that is not made to yield.
        let looked = tokio::task::unconstrained(poll_fn(|context| {
            while StdInstant::now() < until {
                if let Poll::Ready(answer) = second.as_mut().poll(context) {
                    return Poll::Ready(Some(answer));
                }
            }
            Poll::Ready(None)
        }));
        let early = looked.await;
        assert!(early.is_none(), "round {round}: {early:?} long before its deadline");
        stage.script.gate.add_permits(2);
        assert!(second.await.is_ok() && first.await.unwrap().is_ok(), "round {round}");
    }
}
