//! The two polls: each is held until there is something, or the hold time is over. Errors are
//! held back too, because the official client asks again at once, for ever.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::call::{Call, Origin};
use super::caller::identify;
use super::hub::{Heard, Hub, Read, Refusal};
use super::message;
use super::reply::{Failure, Outcome};
use super::service::Im;
use crate::protocol::im_rest::ErrorCode;
use crate::protocol::webim::{
    self, BigGroupPollRequest, BigGroupPolled, LongPollRequest, LongPolled,
};
use crate::server::clock::Now;

/// Pause before an error, before the answer to a poll that was replaced, and before a poll of a
/// client that polls too often: a client that loops does it at this pace.
const PAUSE: Duration = Duration::from_secs(1);

fn no_slot() -> Failure {
    Failure::new(ErrorCode::TooOften, "too many polls are open")
}

/// `get_msg` of a big group. The key is all that is needed.
pub(super) async fn big_group(im: &Im, call: Call) -> Value {
    let asked: BigGroupPollRequest = call.body().unwrap_or_default();
    let origin = call.origin.clone();
    // A held poll keeps only what it needs: bodies are as large as clients like.
    drop(call);
    let polled = |next_seq, rsp_msg_list| BigGroupPolled {
        next_seq,
        hold_time: im.settings.hold.as_secs().max(1),
        key: asked.key.clone(),
        rsp_msg_list,
    };
    match read_group(im, &origin, &asked).await {
        Ok(read) => {
            let (Read::Messages { next, .. } | Read::Nothing { next } | Read::Replaced { next }) =
                read;
            webim::ok(&polled(next, message::read_on_wire(&read)))
        }
        Err(failure) => {
            sleep(PAUSE).await;
            let code = failure.code.number();
            webim::fail_with(code, &failure.info, &polled(asked.start_seq, Vec::new()))
        }
    }
}

/// Waits for messages of a group.
async fn read_group(
    im: &Im,
    origin: &Origin,
    asked: &BigGroupPollRequest,
) -> Result<Read, Failure> {
    let user = im.hub().reader_user(&asked.key).map(str::to_owned);
    if let Some(user) = &user {
        origin.prove(user);
    }
    let slot = im.slots.take(origin.address, user.as_deref());
    let _slot = slot.ok_or_else(no_slot)?;
    let ticket = im.hub().start_reading(&asked.key, im.now())?;
    if !im.by_user.admits(&asked.key) {
        sleep(PAUSE).await;
    }
    let read = hold(
        im,
        asked.hold_time,
        &ticket.bell,
        |hub, now| hub.read(&asked.key, &ticket, asked.start_seq, now),
        |read| matches!(read, Read::Nothing { .. }),
    );
    let read = read.await?;
    if matches!(read, Read::Replaced { .. }) {
        sleep(PAUSE).await;
    }
    Ok(read)
}

/// `longpolling`, which brings what other users write.
pub(super) async fn ordinary(im: &Im, call: Call) -> Outcome {
    let heard = listen(im, call).await;
    match &heard {
        // The client stops then.
        Err(failure) if failure.code == ErrorCode::Kicked => {}
        Err(_) => sleep(PAUSE).await,
        Ok(_) => {}
    }
    heard
}

/// Waits for letters.
async fn listen(im: &Im, call: Call) -> Outcome {
    let asked: LongPollRequest = call.body()?;
    let caller = identify(im, &call)?;
    let slot = im.slots.take(call.origin.address, Some(&caller.user));
    let _slot = slot.ok_or_else(no_slot)?;
    drop(call);
    let (tiny_id, poll_id) = (&caller.tiny_id, &asked.cookie.long_polling_id);
    let ticket = im.hub().start_listening(tiny_id, poll_id)?;
    if !im.by_user.admits(tiny_id) {
        sleep(PAUSE).await;
    }
    let heard = hold(
        im,
        asked.timeout,
        &ticket.bell,
        |hub, _| hub.hear(tiny_id, poll_id, &ticket, asked.cookie.notice_seq),
        |heard| matches!(heard, Heard::Nothing),
    );
    let event_array = match heard.await? {
        Heard::Letters(letters, notice) => {
            vec![message::letters(&letters, notice, &caller.user).to_json()]
        }
        Heard::Nothing => Vec::new(),
        Heard::Replaced => {
            sleep(PAUSE).await;
            Vec::new()
        }
    };
    Ok(webim::ok(&LongPolled { event_array }))
}

/// Asks the hub at every ring of `bell` until there is something, for at most `wanted` seconds (0 =
/// as long as the service likes) and at most the service's hold time.
async fn hold<T>(
    im: &Im,
    wanted: u64,
    bell: &Notify,
    mut ask: impl FnMut(&mut Hub, Now) -> Result<T, Refusal>,
    is_nothing: impl Fn(&T) -> bool,
) -> Result<T, Refusal> {
    let most = im.settings.hold;
    let wanted = Some(wanted).filter(|seconds| *seconds > 0);
    let hold = wanted.map_or(most, |seconds| most.min(Duration::from_secs(seconds)));
    let deadline = Instant::now() + hold;
    loop {
        // Rings from here on are heard, also before they are waited for.
        let ring = bell.notified();
        let found = ask(&mut im.hub(), im.now())?;
        if !is_nothing(&found) || Instant::now() >= deadline {
            return Ok(found);
        }
        let ring = timeout_at(deadline, ring);
        if im.closing.run_until_cancelled(ring).await.is_none() {
            return Ok(found);
        }
    }
}
