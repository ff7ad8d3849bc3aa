//! An nginx with its RTMP module, on free ports of loopback: a relay that is none of ours.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Where Debian puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const START: Duration = Duration::from_secs(5);

/// Running until dropped.
#[derive(Debug)]
pub(super) struct Relay {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Relay {
    /// # Errors
    /// nginx or its module is missing, or does not start.
    pub(super) fn start() -> Result<Self> {
        ensure!(
            Path::new(MODULE).exists(),
            "{MODULE} is missing: install the Debian packages nginx-light and libnginx-mod-rtmp"
        );
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let folder = std::env::temp_dir().join(format!("rtckiosk-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let config = folder.join("nginx.conf");
        std::fs::write(&config, configuration(&folder, port))?;
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "nginx", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(&config)
            .args(["-e", "error.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx cannot be started by setpriv: install nginx-light and util-linux")?;
        let mut relay = Self {
            process,
            port,
            folder,
        };
        relay.wait()?;
        Ok(relay)
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if begun.elapsed() > START || self.process.try_wait()?.is_some() {
                let log = std::fs::read_to_string(self.folder.join("error.log"));
                bail!("nginx does not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(super) fn url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.port)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself, and the folder is only for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log error;
load_module {MODULE};
events {{ worker_connections 64; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
    chunk_size 4096;
    application live {{ live on; }}
  }}
}}
"
    )
}
