//! nginx as a TLS proxy before its own RTMP module, as relays in the field are run.

use std::path::Path;
use std::process::Child;

use crate::certificates::Issued;
use crate::support::nginx::{self, Nginx, free_port};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A port of this machine behind TLS; killed when dropped.
#[derive(Debug)]
pub(crate) struct TlsProxy {
    pub(crate) port: u16,
    process: Child,
    _folder: tempfile::TempDir,
}

impl TlsProxy {
    pub(crate) fn before(relay: &Nginx, issued: &Issued) -> Self {
        Self::to(relay.rtmp_port, issued)
    }

    pub(crate) fn to(plain: u16, issued: &Issued) -> Self {
        assert!(
            Path::new(MODULE).exists(),
            "{MODULE} is missing: install the Debian package libnginx-mod-stream"
        );
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
load_module {MODULE};
events {{ worker_connections 64; }}
stream {{
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_pass 127.0.0.1:{plain};
  }}
}}
",
            dir = folder.path().display(),
            cert = issued.certificate.display(),
            key = issued.key.display(),
        );
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let process = nginx::run(folder.path(), ([127, 0, 0, 1], port).into());
        Self {
            port,
            process,
            _folder: folder,
        }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
