//! What a person has set for aitk, pip, uv, conda and curl: files of their own that somebody else may have written.
#![no_main]

mod common;

use aitk::Config;
use aitk_detect::Folders;
use aitk_detect::installers::{astray, certificates, client_certificate, proxy_of_pip};
use aitk_env::{HttpClient, Proxy, Settings, without_secrets};
use aitk_system::{Replay, System};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 5] =
    [".config/aitk/config.toml", ".config/pip/pip.conf", ".config/uv/uv.toml", ".condarc", ".netrc"];

fuzz_target!(|data: &[u8]| {
    let [which, content @ ..] = data else { return };
    let which = usize::from(*which) % FILES.len();
    // Each alone in a home of its own.
    let file = common::lay(&format!("{which}/home/{}", FILES[which]), content);
    let system: &dyn System = &Replay::tree(&common::folder().join(which.to_string()));
    let folders = Folders { home: "/home".into(), config: "/home/.config/aitk".into(), ..Folders::default() };
    if let Ok(config) = Config::load(system, &folders) {
        for address in config.index_url.iter().chain(&config.channels).chain(&config.of_uv.more) {
            let _ = without_secrets(address);
        }
    }
    let _ = (astray(system, &folders, None), certificates(system, &folders));
    let proxy = proxy_of_pip(system, &folders).map(|address| Proxy::new(&address));
    let client = client_certificate(system, &folders);
    let netrc = file.ends_with(".netrc").then_some(file);
    if proxy.is_some() || client.is_some() || netrc.is_some() {
        let _ = HttpClient::new(&Settings { proxy, client, netrc, ..Settings::default() });
    }
});
