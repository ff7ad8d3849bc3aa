//! A real nginx with its RTMP module, on free ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
const PATIENCE: Duration = Duration::from_secs(10);

/// A running relay: applications `live` (open) and `denied` (refuses every publisher).
/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) rtmp_port: u16,
    /// Serves `/stat`, the module's XML of its streams.
    pub(crate) http_port: u16,
    address: IpAddr,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Nginx {
    /// Starts on free ports of loopback; returns when it accepts connections.
    pub(crate) fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into())
    }

    /// The same, with RTMP on another address of this machine.
    pub(crate) fn start_at(address: IpAddr) -> Self {
        assert!(
            Path::new(MODULE).exists(),
            "{MODULE} is missing: install the Debian packages nginx-light and libnginx-mod-rtmp"
        );
        let (rtmp_port, http_port) = (free_port(), free_port());
        let folder = tempfile::tempdir().expect("a folder for nginx");
        let config = config(folder.path(), (address, rtmp_port), http_port);
        std::fs::write(folder.path().join("nginx.conf"), config).expect("nginx.conf");
        let mut nginx = Self {
            rtmp_port,
            http_port,
            address,
            folder,
            process: None,
        };
        nginx.restart();
        nginx
    }

    /// Starts it again on the same ports, killing it first if it runs.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let listens = (self.address, self.rtmp_port).into();
        self.process = Some(run(self.folder.path(), listens));
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("nginx can be killed");
            process.wait().expect("nginx ends");
        }
    }

    /// Its process, for signals.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("nginx runs").id()
    }

    /// `rtmp://address:port/app/stream`
    pub(crate) fn url(&self, app: &str, stream: &str) -> String {
        format!("rtmp://{}:{}/{app}/{stream}", self.address, self.rtmp_port)
    }

    /// nginx's own log, in which each connect and publish has a line.
    pub(crate) fn log(&self) -> String {
        log(self.folder.path())
    }
}

/// Runs nginx with the `nginx.conf` of a folder; returns when it listens there.
pub(crate) fn run(folder: &Path, listens: SocketAddr) -> Child {
    let process = Command::new("nginx")
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .args(["-e", "error.log"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx must be installed");
    let begun = Instant::now();
    while TcpStream::connect(listens).is_err() {
        let late = begun.elapsed() > PATIENCE;
        assert!(!late, "nginx does not start:\n{}", log(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("error.log")).unwrap_or_default()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago and that nobody else gets: not from the range out of which the
/// kernel gives ports away, and each one once only, because tests run side by side.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin elsewhere.
    let first = std::process::id() as u16 % 11_000;
    let ports = std::iter::from_fn(|| {
        let offset = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % 11_000;
        Some(21_000 + offset)
    });
    ports
        .take(1000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

fn config(folder: &Path, (address, rtmp_port): (IpAddr, u16), http_port: u16) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
load_module {MODULE};
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{http_port}; location /stat {{ rtmp_stat all; }} }}
}}
rtmp {{
  access_log off;
  server {{
    listen {address}:{rtmp_port};
    chunk_size 4096;
    application live {{ live on; }}
    application denied {{ live on; deny publish all; }}
  }}
}}
"
    )
}
