//! The form in which pictures cross rooms (decision 0003).

use tokio::sync::watch;

/// The newest picture of a camera or of a member: raw video at its native size, caps in the
/// sample; `None` = no picture yet. Only the newest is kept, so a slow reader skips frames and
/// is never late.
pub type Picture = watch::Receiver<Option<gstreamer::Sample>>;
