//! A place for one request under way, in loops that wait for many things at once.

use std::future::Future;
use std::pin::Pin;

/// A request under way; none waits for ever.
pub(super) type InFlight<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Waits for the request in the slot and empties it; may be dropped and called again.
pub(super) async fn in_flight<T>(slot: &mut InFlight<T>) -> T {
    match slot {
        Some(request) => {
            let result = request.await;
            *slot = None;
            result
        }
        None => std::future::pending().await,
    }
}
