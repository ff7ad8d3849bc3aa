//! The states of a session, one file each. A state names the one that follows it by an
//! [`Entry`], so that none knows another.

mod attract;
mod connecting;
mod decision;
mod ending;
mod in_call;
mod members;
mod out_of_service;
mod queueing;
mod starting;
mod uplink;

pub(super) use attract::Attract;
pub(super) use connecting::Connecting;
pub(super) use decision::{Decision, Entry};
pub(super) use ending::Ending;
pub(super) use in_call::InCall;
pub(super) use out_of_service::OutOfService;
pub(super) use queueing::Queueing;
pub(super) use starting::Starting;
