//! The baseline of the figures: nginx on the room server's core, which answers every request with
//! the same bytes.

use std::net::SocketAddr;

use anyhow::Result;

use super::server_process::Cores;
use crate::bench::tools::Nginx;

/// # Errors
/// There is no nginx, or it does not start to listen.
pub(super) async fn start(cores: &Cores) -> Result<Nginx> {
    Nginx::start(config, |command| cores.spawn_for_server(command)).await
}

/// A configuration that keeps connections as long as the room server does, and logs nothing.
fn config(addr: SocketAddr) -> String {
    format!(
        "events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen {addr};
    location / {{
      default_type application/json;
      return 200 '{{\"code\":0,\"message\":\"ok\"}}';
    }}
  }}
}}
"
    )
}
