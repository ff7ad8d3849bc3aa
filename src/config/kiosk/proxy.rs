//! `[network]`: the proxy between the kiosk and everything that it connects to.

use std::path::PathBuf;

use crate::config::document::Section;
use crate::config::proxy::{Exception, PROXY_ALLOWED, Proxy};
use crate::config::rules;

/// `[network]`: for the room server, the message service and the relay.
#[derive(Debug, Clone)]
pub struct Proxied {
    pub proxy: ProxyChoice,
    /// A file with `user:password` for the proxy.
    pub login_file: Option<PathBuf>,
    /// Hosts that are reached without the proxy. This machine always is.
    pub exceptions: Vec<Exception>,
}

/// The way to others.
#[derive(Debug, Clone)]
pub enum ProxyChoice {
    Direct,
    /// The one that the environment's variables name, if they do.
    Environment,
    At(Proxy),
}

impl Proxied {
    pub(super) fn read(network: &Section<'_>) -> Self {
        let proxy = network.hidden("proxy", rules::text(PROXY_ALLOWED, parse));
        let proxy = proxy.unwrap_or(ProxyChoice::Direct);
        let login_file = network.optional("proxy_login_file", rules::path);
        network.require(&["proxy_login_file"], &["proxy"]);
        if matches!(&proxy, ProxyChoice::At(proxy) if proxy.login.is_some()) {
            network.reject(
                "proxy_login_file",
                "must not be given together with a user in network.proxy",
            );
        }
        Self {
            proxy,
            login_file,
            exceptions: network.get("no_proxy", Vec::new(), rules::exceptions),
        }
    }
}

fn parse(text: &str) -> Option<ProxyChoice> {
    match text {
        "none" => Some(ProxyChoice::Direct),
        "environment" => Some(ProxyChoice::Environment),
        text => Proxy::parse(text).map(ProxyChoice::At),
    }
}
