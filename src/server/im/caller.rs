//! The user that sends a request.

use super::call::Call;
use super::reply::Failure;
use super::service::Im;

/// A user that is logged in.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user: String,
    pub(super) tiny_id: String,
}

/// Finds the user that sends a request, proven by what `login` answered.
pub(super) fn identify(im: &Im, call: &Call) -> Result<Caller, Failure> {
    let query = &call.query;
    let hub = im.hub();
    let user = hub.user(&query.tiny_id, &query.a2_key, im.now())?;
    call.origin.prove(user);
    Ok(Caller {
        user: user.to_owned(),
        tiny_id: query.tiny_id.clone(),
    })
}
