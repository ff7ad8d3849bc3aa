//! A certificate authority for tests, made with openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use rtckiosk::server::Settings;
use rtckiosk::tls::{Pin, ServerTls, Trust, TrustSettings};

/// The time in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Valid {
    Now,
    LastYear,
    /// As every certificate is for a board whose clock starts in the past.
    FarAhead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    Rsa,
}

const CONFIG: &str = "
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
copy_extensions = copy
[names]
commonName = supplied
";

/// A CA with its files in a folder.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: tempfile::TempDir,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

fn new_key(key: Key) -> &'static str {
    match key {
        Key::P256 => "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes",
        Key::Rsa => "-newkey rsa:2048 -nodes",
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.cnf"), CONFIG).unwrap();
        std::fs::write(folder.path().join("index.txt"), "").unwrap();
        let key = new_key(Key::P256);
        let ca = format!("req -x509 {key} -days 2 -keyout ca.key -out ca.pem -subj /CN={name}");
        openssl(folder.path(), &ca);
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// For this machine: `localhost` and 127.0.0.1.
    pub(crate) fn for_this_machine(&self) -> Issued {
        self.issue("own", "DNS:localhost,IP:127.0.0.1", Valid::Now, Key::P256)
    }

    pub(crate) fn issue(&self, file: &str, names: &str, valid: Valid, key: Key) -> Issued {
        let folder = self.folder.path();
        let new = new_key(key);
        let ask = format!(
            "req {new} -keyout {file}.key -out {file}.csr -subj /CN={file} \
             -addext basicConstraints=CA:FALSE -addext subjectAltName={names}"
        );
        openssl(folder, &ask);
        let time = match valid {
            Valid::Now => "-days 2",
            Valid::LastYear => "-startdate 20250101000000Z -enddate 20250601000000Z",
            Valid::FarAhead => "-startdate 20900101000000Z -enddate 20910101000000Z",
        };
        let sign = format!(
            "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key {time} \
             -in {file}.csr -out {file}.pem"
        );
        openssl(folder, &sign);
        Issued {
            certificate: folder.join(format!("{file}.pem")),
            key: folder.join(format!("{file}.key")),
        }
    }

    /// Nobody's but its own.
    pub(crate) fn self_signed(&self) -> Issued {
        let new = new_key(Key::P256);
        let make = format!(
            "req -x509 {new} -days 2 -keyout self.key -out self.pem -subj /CN=self \
             -addext subjectAltName=DNS:localhost"
        );
        openssl(self.folder.path(), &make);
        Issued {
            certificate: self.folder.path().join("self.pem"),
            key: self.folder.path().join("self.key"),
        }
    }

    /// Trusts this authority alone.
    pub(crate) fn trust(&self) -> Trust {
        trust(Some(self.path()), false)
    }

    /// The pin of a certificate, by the recipe of docs/security.md.
    pub(crate) fn pin(certificate: &Path) -> Pin {
        let recipe = format!(
            "openssl x509 -in {} -noout -pubkey | openssl pkey -pubin -outform der \
             | openssl dgst -sha256 -binary | openssl base64",
            certificate.display()
        );
        let output = Command::new("sh").args(["-c", &recipe]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let config = format!("[tls]\nroom_pins = [\"sha256/{}\"]", text.trim());
        let config = rtckiosk::config::KioskConfig::parse("k", &config).unwrap();
        Pin(config.tls.room_pins[0])
    }
}

pub(crate) fn trust(ca_file: Option<PathBuf>, insecure: bool) -> Trust {
    let settings = TrustSettings {
        ca: None,
        system: ca_file.is_none(),
        ca_file,
        insecure,
    };
    Trust::load(&settings).unwrap()
}

impl Issued {
    pub(crate) fn served(&self) -> ServerTls {
        ServerTls::load(&self.certificate, &self.key).unwrap()
    }

    /// A room server on free ports with this certificate on all of them.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::on_free_ports().unwrap();
        let tls = self.served();
        settings.http.tls = Some(tls.clone());
        let rtckiosk::server::RelaySettings::Embedded { relay, .. } = &mut settings.relay else {
            panic!("the default relay is embedded");
        };
        relay.tls = Some(tls.clone());
        settings.tls = Some(tls);
        settings
    }
}

pub(crate) fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("openssl must be installed");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments}: {text}");
}
