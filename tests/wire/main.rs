//! The wire: real peers over real sockets, exact bytes in both directions.

mod played;
mod room_client;
mod room_session;
mod room_tls;
