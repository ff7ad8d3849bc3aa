//! `rtcroomd init`: a complete locked server, with an agent and a kiosk that know it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::certificates;
use super::ledger::{Ledger, sign, unix_now};
use crate::config::ServerConfig;
use crate::config::server::UserRole;
use crate::process::{output, private_file};
use crate::server::Settings;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Name or IP address by which kiosks and agents reach this server
    #[arg(long, value_name = "NAME")]
    host: String,
    /// Directory to write into
    #[arg(long, default_value = "/etc/rtckiosk")]
    dir: PathBuf,
    /// Certificate of a CA that kiosks trust already (PEM); not given: a CA of our own is made
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Only make the next server certificate, by the CA in the directory; a running server takes it over
    #[arg(long, conflicts_with = "cert")]
    renew_certificate: bool,
}

/// The users that are made.
const AGENT: &str = "agent-1";
const KIOSK: &str = "kiosk-1";

/// Writes all files, or none where one is there already.
pub(super) fn run(arguments: &InitArguments) -> Result<()> {
    let host = &arguments.host;
    if !is_host(host) {
        bail!(
            "--host {host}: must be a host such as rooms.example.com or 192.168.1.5, without a port"
        );
    }
    let dir = std::path::absolute(&arguments.dir)?;
    if arguments.renew_certificate {
        return renew(host, &dir);
    }
    refuse_to_overwrite(&dir)?;
    let tls = certificate(arguments, &dir)?;
    let config = server_config(host, &dir, &tls);
    write(&dir.join("rtcroomd.toml"), &config)?;
    let config = ServerConfig::parse("rtcroomd.toml", &config)
        .map_err(|wrong| anyhow::anyhow!("the configuration just made is wrong\n{wrong}"))?;
    // Makes the keys.
    Settings::load(&config)?;
    let now = unix_now();
    let mut ledger = Ledger::open(&config)?;
    for (id, role, file, mode) in [
        (AGENT, UserRole::Agent, "agent.toml", "mode = \"host\"\n"),
        (KIOSK, UserRole::Kiosk, "kiosk.toml", ""),
    ] {
        let sig = sign(&config, id, ledger.users.add(id, role, now), None, now)?;
        let text = device_config(&config, host, (id, &sig), mode, tls.ca.as_deref());
        write(&dir.join(file), &text)?;
    }
    ledger.save()?;
    output::print(&told(&dir, tls.ca.is_some()))?;
    Ok(())
}

/// Whether a text is a host name or an IP address, and nothing more.
fn is_host(text: &str) -> bool {
    let url = url::Url::parse(&format!("http://{text}:1/"));
    url.is_ok_and(|url| url.host_str() == Some(text) && url.path() == "/")
}

/// Replaces the server's certificate by a new one of the same CA.
fn renew(host: &str, dir: &Path) -> Result<()> {
    let path = dir.join("ca-key.pem");
    let ca_key = std::fs::read_to_string(&path);
    let ca_key = ca_key.with_context(|| format!("cannot read {}", path.display()))?;
    let made = certificates::server(host, &ca_key)?;
    // Between the two the pair does not fit, and a server keeps what it has.
    write(&dir.join("server-key.pem"), &made.key)?;
    write(&dir.join("server.pem"), &made.certificate)?;
    output::print(&format!(
        "{}/server.pem is new; a running rtcroomd takes it over by itself\n",
        dir.display()
    ))?;
    Ok(())
}

/// The certificate that the server shows.
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// The CA of our own, in PEM.
    ca: Option<String>,
}

fn refuse_to_overwrite(dir: &Path) -> Result<()> {
    let names = [
        "rtcroomd.toml",
        "kiosk.toml",
        "agent.toml",
        "ca.pem",
        "ca-key.pem",
        "server.pem",
        "server-key.pem",
        "state",
    ];
    let there = names.iter().filter(|name| dir.join(name).exists());
    let there: Vec<_> = there.copied().collect();
    if !there.is_empty() {
        bail!(
            "{} has {} already, and nothing is overwritten: move it away, or give another --dir",
            dir.display(),
            there.join(", ")
        );
    }
    Ok(())
}

fn certificate(arguments: &InitArguments, dir: &Path) -> Result<Tls> {
    if let (Some(certificate), Some(key)) = (&arguments.cert, &arguments.key) {
        let [certificate, key] = [certificate, key].map(std::path::absolute);
        let (certificate, key) = (certificate?, key?);
        crate::tls::ServerTls::load(&certificate, &key)?;
        return Ok(Tls {
            certificate,
            key,
            ca: None,
        });
    }
    let made = certificates::make(&arguments.host)?;
    let tls = Tls {
        certificate: dir.join("server.pem"),
        key: dir.join("server-key.pem"),
        ca: Some(made.ca.clone()),
    };
    write(&dir.join("ca.pem"), &made.ca)?;
    write(&dir.join("ca-key.pem"), &made.ca_key)?;
    write(&tls.certificate, &made.server.certificate)?;
    write(&tls.key, &made.server.key)?;
    Ok(tls)
}

fn write(path: &Path, text: &str) -> Result<()> {
    private_file::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn server_config(host: &str, dir: &Path, tls: &Tls) -> String {
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    format!(
        "# Room server and relay of {host}, locked: users are made by `rtcroomd user`.
# board/rtcroomd.toml of the sources has every key with its meaning.
state_dir = {}

[tls]
certificate_file = {}
key_file = {}

[http]
listen = \"0.0.0.0:5757\"

[relay.embedded]
listen = \"0.0.0.0:1935\"
public_host = \"{host}\"
",
        quoted(&dir.join("state")),
        quoted(&tls.certificate),
        quoted(&tls.key),
    )
}

fn device_config(
    config: &ServerConfig,
    host: &str,
    (id, sig): (&str, &str),
    mode: &str,
    ca: Option<&str>,
) -> String {
    let auth = &config.auth;
    let port = config.http.listen.port();
    let tls = ca.map_or_else(String::new, |ca| {
        format!("\n[tls]\nca = \"\"\"\n{ca}\"\"\"\n")
    });
    format!(
        "# {id} of {host}. This file holds a secret: mode 600.
name = \"{id}\"

[room]
server_url = \"https://{host}:{port}/weapp\"
user_id = \"{id}\"
sdk_app_id = {}
account_type = \"{}\"
user_sig = \"{sig}\"
{mode}{tls}",
        auth.sdk_app_id, auth.account_type,
    )
}

fn told(dir: &Path, own_ca: bool) -> String {
    let dir = dir.display();
    let ca = if own_ca {
        format!(
            "The server's certificate ends in 397 days: rtcroomd warns 30 days ahead. {dir}/ca-key.pem signs the next\n\
             one; keep it where nobody else reads it, best not on this machine.\n"
        )
    } else {
        String::new()
    };
    format!(
        "Written to {dir}:\n\
         \x20 rtcroomd.toml  the server: rtcroomd --config {dir}/rtcroomd.toml\n\
         \x20 kiosk.toml     for the kiosk {KIOSK}: copy it there as /etc/rtckiosk/kiosk.toml, mode 600\n\
         \x20 agent.toml     for the agent {AGENT}: rtckiosk agent --config agent.toml\n\
         \x20 state/         keys and users; more of them: rtcroomd user add ID --role kiosk|agent\n\
         Back up {dir} as a whole, encrypted: whoever has state/ can sign any identity.\n{ca}"
    )
}
