//! Evidence of who somebody is: the users file, and the addresses that a proxy names.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::server::limits::{address_key, client_address};
use crate::server::users::Users;

/// A users file: one that is understood is written so that the same users are read again.
pub fn users_file(text: &str) {
    match Users::parse(text) {
        Ok(users) => {
            let written = users.text().expect("users are JSON");
            assert_eq!(Users::parse(&written), Ok(users));
        }
        Err(reason) => assert!(reason.len() < 2048, "{reason}"),
    }
}

/// The value of X-Forwarded-For: only what trusted proxies say counts, and only from the right.
pub fn forwarded_for(value: &str) {
    let proxies: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network"));
    let trusted = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let stranger = IpAddr::from([192, 0, 2, 1]);
    let proxy = IpAddr::from([10, 0, 0, 1]);
    assert_eq!(client_address(stranger, Some(value), &proxies), stranger);
    let client = client_address(proxy, Some(value), &proxies);
    let named = value
        .rsplit(',')
        .map_while(|name| name.trim().parse::<IpAddr>().ok());
    let mut named = [proxy]
        .into_iter()
        .chain(named.map(|name| name.to_canonical()));
    let last = named.clone().last().expect("the proxy");
    let expected = named.find(|address| !trusted(address)).unwrap_or(last);
    assert_eq!(client, expected, "{value:?}");
    assert_eq!(address_key(address_key(client)), address_key(client));
}
