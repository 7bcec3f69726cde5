//! An index that answers with anything: its pages, what uv makes of them, and the ends of wheels.
#![no_main]

mod common;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, OnceLock};
use std::thread;

use aitk_env::{FetchProgress, Proxy, Settings, Site, backend, fetch_uv};
use aitk_plan::{EnvironmentRequest, LayerRequest, LayerRole, Manager};
use aitk_system::Real;
use libfuzzer_sys::fuzz_target;

/// What the server says: the kind, and the content.
static ANSWER: Mutex<(&str, Vec<u8>)> = Mutex::new(("", Vec::new()));

/// A proxy that answers for every host, so that no name is looked up.
fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = server.local_addr().expect("its address");
        thread::spawn(move || server.incoming().flatten().for_each(|stream| drop(answer(stream))));
        Proxy::new(&place.to_string())
    })
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        asked.extend(byte);
    }
    if asked.starts_with(b"CONNECT") {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    }
    let (kind, content) = &*ANSWER.lock().expect("the answer");
    let length = content.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
    stream.write_all(content)
}

struct Quiet;

impl FetchProgress for Quiet {
    fn bytes(&self, _: u64) {}
}

/// A uv that says what the input does.
fn uv() -> &'static std::path::Path {
    static UV: OnceLock<std::path::PathBuf> = OnceLock::new();
    UV.get_or_init(|| {
        let said = common::folder().join("said");
        let script = format!("#!/bin/sh\ncase $1 in --version) echo uv 99.0.0 ;; *) cat {} ;; esac\n", said.display());
        let path = common::lay("uv", script.as_bytes());
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("a program");
        path
    })
}

fuzz_target!(|data: &[u8]| {
    let [which, content @ ..] = data else { return };
    let settings = Settings {
        data: common::folder().join("data"),
        cache: common::folder().join("cache"),
        index_url: Some("http://index.example/simple".into()),
        proxy: Some(proxy().clone()),
        // Nothing else is asked for uv.
        waited: true,
        ..Settings::default()
    };
    let (machine, catalog) = (common::machine(), common::catalog());
    let says = |kind, content: &[u8]| *ANSWER.lock().expect("the answer") = (kind, content.to_vec());
    match which % 3 {
        2 => {
            let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
            let (said, wheel) = content.split_at(end);
            common::lay("said", said);
            says("application/zip", wheel.get(1..).unwrap_or_default());
            let settings = Settings { uv: Some(uv().to_owned()), ..settings };
            let log = common::folder().join("log");
            let site = Site {
                system: &Real,
                local: &Real,
                is_local: false,
                machine,
                catalog,
                settings: &settings,
                local_settings: &settings,
                log: &log,
                dry: false,
            };
            let layer =
                LayerRequest { step: "libraries".into(), role: LayerRole::default(), requirements: vec!["six".into()] };
            let request = EnvironmentRequest {
                manager: Manager::Venv,
                python: Some("3.12".into()),
                layers: vec![layer],
                ..EnvironmentRequest::default()
            };
            if let Ok(lock) = backend(Manager::Venv).solve(&site, &request) {
                let _ = backend(Manager::Venv).accept(&site, &lock, &request);
            }
        }
        is_json => {
            says(["text/html", "application/vnd.pypi.simple.v1+json"][usize::from(is_json)], content);
            let uv = fetch_uv(&Real, machine, catalog, &settings, &Quiet);
            assert!(uv.is_err(), "it has the hash of the catalog");
        }
    }
});
