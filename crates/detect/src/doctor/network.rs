//! What is between the machine and the network, as far as it shows without using it.

use aitk_system::{Message, message};
use std::path::Path;

use super::ProbeContext;

/// Where Debian and Ubuntu keep certificates that an administrator adds.
const ADDED: &str = "/usr/local/share/ca-certificates";

/// Certificates that some programs are told of and others are not.
pub(super) fn certificates(case: &ProbeContext<'_>) -> Vec<Message> {
    let system = case.system;
    let set = |name: &str| system.env(name);
    let mut seen = Vec::new();
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"] {
        if let Some(path) = set(name).filter(|path| Path::new(path).is_absolute())
            && aitk_system::paths::resolve(system, Path::new(&path)).is_none()
        {
            seen.push(message!("{name} names {path}, which is not there"));
        }
    }
    let told = ["SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"];
    if told.iter().any(|name| set(name).is_some()) {
        return seen;
    }
    if set("REQUESTS_CA_BUNDLE").is_some() {
        seen.push(message!("REQUESTS_CA_BUNDLE is set and SSL_CERT_FILE is not"));
    }
    if set("PIP_CERT").is_some() {
        seen.push(message!("PIP_CERT is set and SSL_CERT_FILE is not"));
    }
    seen.extend(of_pip(case));
    let names = system.list(Path::new(ADDED)).unwrap_or_default();
    let added: Vec<_> = names.iter().filter(|name| name.ends_with(".crt")).collect();
    if let Some(first) = added.first() {
        seen.push(message!(
            "{ADDED} holds {first}, and nothing tells uv to use the system's certificates"
        ));
    }
    seen
}

/// Programs of this machine talk to each other by the name `localhost`, as Jupyter does with its kernels.
pub(super) fn no_localhost(case: &ProbeContext<'_>) -> Vec<Message> {
    let Ok(hosts) = case.system.text("/etc/hosts") else { return Vec::new() };
    let names = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        words.next().is_some_and(|address| address.starts_with("127."))
            && words.any(|name| name == "localhost")
    };
    let others = case.system.text("/etc/nsswitch.conf").unwrap_or_default();
    // Parts of systemd know the name by themselves.
    let known = ["myhostname", "resolve"]
        .iter()
        .any(|part| others.lines().any(|line| line.starts_with("hosts:") && line.contains(part)));
    let missing = !known && !hosts.lines().any(names);
    missing
        .then(|| message!("/etc/hosts does not name 127.0.0.1 `localhost`"))
        .into_iter()
        .collect()
}

/// The certificates that pip alone was told of.
fn of_pip(case: &ProbeContext<'_>) -> Option<Message> {
    let cert = case.pip("install").into_iter().find(|setting| setting.key == "cert")?;
    Some(message!("{} names {} for pip alone", cert.file.display(), cert.value))
}

/// Proxies that only some programs see. Their values may hold a password and are never shown.
pub(super) fn proxies(case: &ProbeContext<'_>) -> Vec<Message> {
    let set = |name: &str| case.system.env(name);
    let mut seen = Vec::new();
    let mut any = false;
    for (upper, lower) in [("HTTPS_PROXY", "https_proxy"), ("HTTP_PROXY", "http_proxy")] {
        match (set(upper), set(lower)) {
            (None, None) => continue,
            (Some(_), None) => seen.push(message!("{upper} is set and {lower} is not")),
            (None, Some(_)) => seen.push(message!("{lower} is set and {upper} is not")),
            (Some(one), Some(other)) if one != other => {
                seen.push(message!("{upper} and {lower} name different proxies"));
            }
            _ => {}
        }
        any = true;
    }
    if any && set("NO_PROXY").is_none() && set("no_proxy").is_none() {
        seen.push(message!("a proxy is set, and NO_PROXY does not leave out this machine itself"));
    }
    seen
}

/// An address of the public IPv6 network and no way out.
pub(super) fn broken_ipv6(case: &ProbeContext<'_>) -> Vec<Message> {
    let (Ok(addresses), Ok(routes)) =
        (case.system.text("/proc/net/if_inet6"), case.system.text("/proc/net/ipv6_route"))
    else {
        return Vec::new();
    };
    let device = addresses.lines().find_map(public);
    match device {
        Some(device) if !routes.lines().any(is_default) => {
            vec![message!(
                "{device} has a public IPv6 address, and there is no default route for IPv6"
            )]
        }
        _ => Vec::new(),
    }
}

/// The device of a line such as `20010db8… 02 40 00 00 eth0` whose address is of the public network (2000::/3).
fn public(line: &str) -> Option<&str> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [address, _, _, "00", _, device] = words[..] else { return None };
    (address.starts_with(['2', '3']) && device != "lo").then_some(device)
}

/// Whether a line of the routes is a default route that is up (`RTF_UP`) and refuses nothing (`RTF_REJECT`).
fn is_default(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    let [to, "00", _, _, _, _, _, _, flags, device] = words[..] else { return false };
    let flags = u32::from_str_radix(flags, 16).unwrap_or_default();
    to.bytes().all(|digit| digit == b'0') && device != "lo" && flags & 0x0201 == 0x0001
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_network_count() {
        assert_eq!(public("20010db8000000000000000000000001 02 40 00 80     eth0"), Some("eth0"));
        assert_eq!(public("fe800000000000000000000000000001 02 40 20 80     eth0"), None);
        assert_eq!(public("fd000000000000000000000000000001 02 40 00 80     eth0"), None);
        assert_eq!(public("00000000000000000000000000000001 01 80 10 80       lo"), None);
        assert_eq!(public("nonsense"), None);
    }

    #[test]
    fn a_default_route_is_up_and_refuses_nothing() {
        let zeros = "0".repeat(32);
        let line = |flags: &str, device: &str| {
            format!("{zeros} 00 {zeros} 00 {zeros} 00000400 00000001 00000000 {flags} {device}")
        };
        assert!(is_default(&line("00450003", "eth0")));
        assert!(!is_default(&line("00200200", "lo")));
        assert!(!is_default(&line("00200201", "eth0")));
        assert!(!is_default("20010db8 40 x"));
    }
}
