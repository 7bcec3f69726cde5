//! An index and a channel on loopback, with packages that are written here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The Python of this machine: the environments' own one is a program that starts it.
pub struct Host {
    /// `/usr/bin/python3`
    pub python: String,
    /// `3.12`
    pub minor: String,
    /// `x86_64`
    pub arch: String,
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // What is made twice must not tell when.
    let options = zip::write::SimpleFileOptions::default();
    let options = options.last_modified_time(zip::DateTime::default());
    for (file, content) in files {
        zip.start_file(*file, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub fn wheel(name: &str, files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    (format!("{name}-py3-none-any.whl"), zip(files))
}

/// What is answered at each path.
type Answers = BTreeMap<String, (&'static str, Vec<u8>)>;

/// Answers on loopback; the address.
fn serve(answers: impl FnOnce(&str) -> Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answers = answers(&address);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(request)) = lines.next() else { continue };
            while !lines.next().unwrap().unwrap().is_empty() {}
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let found = answers.get(path.trim_end_matches('/'));
            let status = if found.is_some() { 200 } else { 404 };
            let (kind, body) = found.map_or(("text/plain", &[][..]), |(kind, body)| (kind, body));
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            if method == "GET" {
                let _ = stream.write_all(body);
            }
        }
    });
    address
}

/// One file; its address.
pub fn file(name: &str, bytes: Vec<u8>) -> String {
    let address =
        serve(|_| Answers::from([(format!("/{name}"), ("application/octet-stream", bytes))]));
    format!("{address}/{name}")
}

/// A package of conda's: its files, those that can be run, and its links.
#[derive(Default)]
struct Package<'a> {
    name: &'a str,
    version: String,
    noarch: bool,
    depends: Vec<String>,
    files: Vec<(String, &'a [u8])>,
    programs: Vec<(String, String)>,
    links: Vec<(&'a str, String)>,
}

fn tar_zst<'f>(
    files: impl IntoIterator<Item = (&'f str, &'f [u8], u32)>,
    links: &[(&str, String)],
) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, path, content).unwrap();
    }
    for (path, target) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, path, target).unwrap();
    }
    zstd::encode_all(&tar.into_inner().unwrap()[..], 1).unwrap()
}

impl Package<'_> {
    fn subdir(&self, host: &Host) -> String {
        let own = if host.arch == "aarch64" { "linux-aarch64" } else { "linux-64" };
        if self.noarch { "noarch" } else { own }.to_owned()
    }

    fn stem(&self) -> String {
        format!("{}-{}-0", self.name, self.version)
    }

    fn index(&self, host: &Host) -> Value {
        let mut index = json!({
            "name": self.name, "version": self.version, "build": "0", "build_number": 0,
            "depends": self.depends, "subdir": self.subdir(host),
        });
        if self.noarch {
            index["noarch"] = "python".into();
        }
        index
    }

    /// The archive, in the form `.conda`.
    fn archive(&self, host: &Host) -> Vec<u8> {
        let own = self.files.iter().map(|(path, content)| (&**path, *content, 0o644));
        let run = self.programs.iter().map(|(path, text)| (&**path, text.as_bytes(), 0o755));
        let files: Vec<_> = own.chain(run).collect();
        let mut paths: Vec<_> = files
            .iter()
            .map(|(path, content, _)| {
                json!({ "_path": path, "path_type": "hardlink", "sha256": sha256(content), "size_in_bytes": content.len() })
            })
            .collect();
        paths.extend(self.links.iter().map(|(path, _)| {
            json!({ "_path": path, "path_type": "softlink", "sha256": sha256(b""), "size_in_bytes": 0 })
        }));
        let mut info = vec![
            ("info/index.json", self.index(host)),
            ("info/paths.json", json!({ "paths": paths, "paths_version": 1 })),
        ];
        if self.noarch {
            let link = json!({ "noarch": { "type": "python", "entry_points": [] }, "package_metadata_version": 1 });
            info.push(("info/link.json", link));
        }
        let info: Vec<_> = info.into_iter().map(|(path, json)| (path, json.to_string())).collect();
        let info = info.iter().map(|(path, text)| (*path, text.as_bytes(), 0o644));
        let (pkg, info) = (tar_zst(files, &self.links), tar_zst(info, &[]));
        let stem = self.stem();
        zip(&[
            ("metadata.json", br#"{"conda_pkg_format_version": 2}"#),
            (&format!("pkg-{stem}.tar.zst"), &pkg),
            (&format!("info-{stem}.tar.zst"), &info),
        ])
    }
}

/// A package with one module, as conda has it.
fn module<'a>(name: &'a str, source: &'a [u8]) -> Package<'a> {
    let info = |file: &str| format!("site-packages/{name}-1.0.dist-info/{file}");
    Package {
        name,
        version: "1.0".to_owned(),
        noarch: true,
        depends: vec!["python".to_owned()],
        files: vec![
            (format!("site-packages/{name}.py"), source),
            (info("METADATA"), b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\n"),
            (info("INSTALLER"), b"conda\n"),
        ],
        ..Package::default()
    }
}

/// A Python as a package: a program that starts the one of this machine, and a module of its library.
fn python(host: &Host) -> Package<'static> {
    let Host { python, minor, .. } = host;
    let site = format!("lib/python{minor}/site-packages");
    let starts = format!("#!/bin/sh\nPYTHONPATH=${{0%/bin/*}}/{site} exec {python} \"$@\"\n");
    let program = format!("python{minor}");
    Package {
        name: "python",
        version: format!("{minor}.0"),
        files: vec![(format!("lib/python{minor}/ownlibrary.py"), b"one = 1\n")],
        programs: vec![(format!("bin/{program}"), starts)],
        links: vec![("bin/python", program.clone()), ("bin/python3", program)],
        ..Package::default()
    }
}

/// A channel with Python and these modules; its address.
pub fn channel(host: &Host, modules: &[(&str, &[u8])]) -> String {
    serve(|_| {
        let mut answers = Answers::new();
        let mut records: BTreeMap<String, serde_json::Map<String, Value>> = BTreeMap::new();
        let modules = modules.iter().map(|(name, source)| module(name, source));
        for package in modules.chain([python(host)]) {
            let (subdir, file) = (package.subdir(host), format!("{}.conda", package.stem()));
            let archive = package.archive(host);
            let mut record = package.index(host);
            record["size"] = archive.len().into();
            record["sha256"] = sha256(&archive).into();
            answers.insert(format!("/{subdir}/{file}"), ("application/octet-stream", archive));
            records.entry(subdir).or_default().insert(file, record);
        }
        for (subdir, records) in records {
            let page =
                json!({ "info": { "subdir": subdir }, "packages": {}, "packages.conda": records });
            let page = ("application/json", page.to_string().into_bytes());
            answers.insert(format!("/{subdir}/repodata.json"), page);
        }
        answers
    })
}
