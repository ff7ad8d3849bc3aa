//! The one implementation of ciphers and signatures that both sides of TLS use.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Algorithms of ring: TLS 1.3, and TLS 1.2 with ephemeral keys.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
