//! A place for one request under way, in loops that wait for many things at once.

use std::future::Future;
use std::pin::Pin;

/// A request under way, or none.
pub(super) type InFlight<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Waits for the request under way and empties its place; without one, for ever. May be
/// dropped and called again.
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
