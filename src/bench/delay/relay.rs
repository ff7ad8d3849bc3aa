//! The relay of the measured streams: nginx with its RTMP module, which is none of ours.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::bench::tools::Nginx;

/// Path of the module in Debian.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A relay, running until dropped.
#[derive(Debug)]
pub(super) struct Relay(Nginx);

impl Relay {
    /// # Errors
    /// nginx or its module is missing, or does not start.
    pub(super) async fn start() -> Result<Self> {
        ensure!(
            Path::new(MODULE).exists(),
            "{MODULE} is missing: install the Debian packages nginx-light and libnginx-mod-rtmp"
        );
        let nginx = Nginx::start(config, |command| Ok(command.spawn()?));
        Ok(Self(nginx.await?))
    }

    pub(super) fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}", self.0.addr)
    }
}

fn config(addr: SocketAddr) -> String {
    format!(
        "load_module {MODULE};
events {{ worker_connections 64; }}
rtmp {{
  access_log off;
  server {{
    listen {addr};
    chunk_size 4096;
    application live {{ live on; }}
  }}
}}
"
    )
}
