//! A yardstick: nginx on the room server's core, that answers every request with the same bytes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use super::process::{Cores, Usage, killed_with_us, usage};

/// For nginx to listen.
const START_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Nginx {
    /// Killed when dropped.
    child: Child,
    pid: u32,
    pub(super) addr: SocketAddr,
    folder: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::warn!(folder:? = self.folder, error:%; "a folder of nginx is left");
        }
    }
}

impl Nginx {
    /// # Errors
    /// There is no nginx, or it does not start to listen.
    pub(super) async fn start(cores: &Cores) -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = free.local_addr()?;
        drop(free);
        let folder = std::env::temp_dir().join(format!("rtckiosk-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config(addr))?;
        let mut command = killed_with_us("nginx".as_ref());
        command
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"]);
        let child = cores.spawn_for_server(&mut command)?;
        let pid = child.id().context("nginx ended at once")?;
        let mut nginx = Self {
            child,
            pid,
            addr,
            folder,
        };
        let listening = timeout(START_DEADLINE, nginx.listening());
        listening
            .await
            .context("nginx does not start to listen")??;
        Ok(nginx)
    }

    async fn listening(&mut self) -> Result<()> {
        while TcpStream::connect(self.addr).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("nginx ended: {status} (is the Debian package nginx-light installed?)");
            }
            sleep(RETRY).await;
        }
        Ok(())
    }

    /// # Errors
    /// It has ended.
    pub(super) fn usage(&self) -> Result<Usage> {
        usage(self.pid)
    }
}

/// One process, which keeps connections as long as the room server does, and logs nothing.
fn config(addr: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
error_log stderr error;
pid nginx.pid;
events {{ worker_connections 4096; }}
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
