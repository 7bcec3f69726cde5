//! Takes out of a recording what identifies a person or a machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use regex::{Captures, Regex};

/// Files that say the same on every machine of a kind, and in which a version must not be taken for an address.
const PUBLIC: [&str; 9] = [
    "/etc/nv_tegra_release",
    "/etc/os-release",
    "/opt/rocm",
    "/proc/driver/nvidia/version",
    "/proc/sys/kernel/osrelease",
    "/sys/module/",
    "/usr/lib/os-release",
    "/usr/share/distro-info/",
    "/var/lib/dpkg/",
];
/// The name of a variable of UEFI's, which is the same everywhere.
const GLOBAL_VARIABLE: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The least number of an account that belongs to a person, and the one of nobody (`login.defs(5)`).
const PEOPLE: std::ops::Range<u32> = 1000..65534;

/// Folders below a home folder that say nothing of whose it is.
const USUAL: [&str; 36] = [
    ".cache",
    ".cargo",
    ".conda",
    ".config",
    ".local",
    ".npm",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".venv",
    "aitk",
    "anaconda3",
    "base",
    "bin",
    "conda",
    "condabin",
    "current",
    "envs",
    "go",
    "jupyter",
    "lib",
    "mambaforge",
    "micromamba",
    "miniconda3",
    "miniforge3",
    "node",
    "opt",
    "pipx",
    "python",
    "sbin",
    "share",
    "shims",
    "snap",
    "uv",
    "venv",
    "versions",
];

/// What to take out of the texts of a recording, and how often that happened. The same text always becomes the same other
/// one, so what fitted together still does.
#[derive(Debug)]
pub struct Scrub {
    rules: Vec<Rule>,
    users: Vec<String>,
    /// Folders of programs below the home folder: what is in them is the user's own.
    own_folders: Vec<PathBuf>,
    /// Replacements by what they stand for.
    seen: BTreeMap<(&'static str, String), String>,
}

#[derive(Debug)]
struct Rule {
    what: &'static str,
    /// Its first group is what is replaced, or all of it where it has none.
    pattern: Regex,
    /// How much of that, from its beginning.
    part: fn(&str) -> &str,
    /// The replacement for the nth such text, whatever it is; the same text gets the same one.
    stand_in: fn(usize, &str) -> String,
    /// Whether this must stay although it looks so.
    spare: fn(&str) -> bool,
}

fn regex(pattern: &str) -> Regex {
    // A rule that is left out in silence would give somebody away. All patterns are constant but for escaped names, and
    // the tests use each.
    Regex::new(pattern).expect("a pattern of ours")
}

fn all(text: &str) -> &str {
    text
}

fn never(_: &str) -> bool {
    false
}

fn rule(
    what: &'static str,
    pattern: &str,
    stand_in: fn(usize, &str) -> String,
    spare: fn(&str) -> bool,
) -> Rule {
    Rule { part: all, what, pattern: regex(pattern), stand_in, spare }
}

/// The rules that are the same on every machine, in their order.
fn fixed() -> Vec<Rule> {
    vec![
        rule("credentials in addresses", r"://([^/@\s]+)@", |_, _| "removed".into(), never),
        rule(
            "tokens",
            r#"[?&][\w.-]*(?i:key|sig|auth|token|secret|pass|credential)[\w.-]*=([^&\s"']+)"#,
            |_, _| "removed".into(),
            never,
        ),
        rule(
            "tokens",
            r"\b((?:hf_|gh[opsu]_|github_pat_|glpat-|sk-|xox[abp]-|AKIA)[\w-]{8,})",
            |_, _| "removed".into(),
            never,
        ),
        rule(
            "names of proxies",
            r#"(?i)(?:https?|all|ftp)_proxy"?\s*[=:]\s*"?(?:\w+://)?(?:[^@/"\s]*@)?([a-z][\w.-]*)"#,
            |n, _| format!("proxy-{n}.example"),
            |name| matches!(name, "localhost" | "http" | "https"),
        ),
        rule("tokens", r"/t/([^/\s]{6,})", |_, _| "removed".into(), never),
        rule(
            "tokens",
            r#"(?i)(?:token|password|passwd|secret|api_?key)["']?\s*[=:]\s*["']?([^\s"',&]+)"#,
            |_, _| "removed".into(),
            never,
        ),
        rule(
            "serial numbers",
            r"(?im)^\s*serial[^:\n]*:[ \t]*(\S+)",
            |n, _| format!("{n:016}"),
            never,
        ),
        rule(
            "UUIDs",
            r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            |n, _| format!("00000000-0000-4000-8000-{n:012}"),
            |text| text.eq_ignore_ascii_case(GLOBAL_VARIABLE),
        ),
        rule("machine ids", r"\b[0-9a-f]{32}\b", |n, _| format!("{n:032}"), never),
        rule("container ids", r"\b[0-9a-f]{64}\b", |n, _| format!("{n:064}"), never),
        rule(
            "MAC addresses",
            r"(?i)\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b",
            |n, _| format!("02:00:00:00:{:02x}:{:02x}", n >> 8 & 0xff, n & 0xff),
            never,
        ),
    ]
}

impl Scrub {
    /// For a machine of this name, used by somebody whom one of these names stands for.
    pub fn new<'a>(users: impl IntoIterator<Item = &'a str>, host: Option<&str>) -> Self {
        let users: Vec<_> = users.into_iter().collect();
        let mut rules = fixed();
        let mut add = |what, pattern: &str, stand_in, spare| {
            rules.push(rule(what, pattern, stand_in, spare));
        };
        // Short names and those of distributions stand in too many places that mean something else.
        let taken = ["debian", "ubuntu", "linux", "localhost", "host", "raspberrypi", "jetson"];
        let short = host.and_then(|host| host.split_once('.')).map(|(short, _)| short);
        for host in
            host.into_iter().chain(short).filter(|host| host.len() >= 4 && !taken.contains(host))
        {
            let pattern = format!(r"\b{}\b", regex::escape(host));
            add("host name", &pattern, |_, _| "host".into(), |name| name == "host");
        }
        for user in &users {
            // As a folder in a path: `/home/jane`, `/run/user`'s are numbers.
            let pattern = format!(r#"/({})(?:$|[/:"\s])"#, regex::escape(user));
            add("user name", &pattern, |_, _| "user".into(), |name| name == "user");
            // As a word: what programs say of whoever runs them.
            let common = [
                "user", "root", "admin", "cuda", "conda", "python", "nvidia", "bin", "lib", "home",
            ];
            if user.len() >= 4 && !common.contains(user) && !taken.contains(user) {
                let pattern = format!(r"\b{}\b", regex::escape(user));
                add("user name", &pattern, |_, _| "user".into(), |name| name == "user");
            }
        }
        // Whether a word is an address is told by taking it for one.
        rules.push(Rule {
            what: "IP addresses",
            pattern: regex(r"[\w.:-]+"),
            part: address,
            stand_in: |n, address| match address.contains(':') {
                true => format!("2001:db8::{n:x}"),
                false => format!("192.0.2.{}", n % 256),
            },
            spare: |address| !is_private(address),
        });
        let users = users.into_iter().map(str::to_owned).collect();
        Self { rules, users, own_folders: Vec::new(), seen: BTreeMap::new() }
    }

    /// Takes out besides how the folders of `PATH` below the home folder are called: what somebody works on. Folders whose
    /// names are the same everywhere keep them.
    pub fn without_folders<'a>(
        mut self,
        homes: impl IntoIterator<Item = &'a Path>,
        path: &str,
    ) -> Self {
        let homes: Vec<_> = homes.into_iter().filter(|home| home.is_absolute()).collect();
        let is_below = |folder: &&Path| homes.iter().any(|home| folder.starts_with(home));
        let below = path.split(':').map(Path::new).filter(is_below);
        self.own_folders = below.map(Path::to_owned).collect();
        let ancestors = |folder: &PathBuf| {
            folder
                .ancestors()
                .take_while(|folder| !homes.contains(folder))
                .map(Path::to_owned)
                .collect::<Vec<_>>()
        };
        let mut named: Vec<_> = self.own_folders.iter().flat_map(ancestors).collect();
        // The deepest first: what is above it must still have its name.
        named.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        named.dedup();
        let rule = |folder: PathBuf| {
            let (above, name) = (folder.parent()?.to_str()?, folder.file_name()?.to_str()?);
            let pattern =
                format!(r#"{}/+({})(?:$|[/:"\s])"#, regex::escape(above), regex::escape(name));
            (!USUAL.contains(&name)).then(|| Rule {
                what: "names of folders",
                pattern: regex(&pattern),
                part: all,
                stand_in: |n, _| format!("folder-{n}"),
                spare: never,
            })
        };
        self.rules.splice(0..0, named.into_iter().filter_map(rule));
        self
    }

    /// Whether a name in a folder is recorded: of the user's own programs it is only Python's.
    pub fn keeps(&self, folder: &Path, name: &str) -> bool {
        !self.own_folders.iter().any(|own| own == folder) || name.starts_with("python")
    }

    /// What it can take out, in English.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().map(|rule| rule.what)
    }

    /// A text of the file at this path of the machine, without what identifies.
    pub fn text(&mut self, path: &str, text: &str) -> String {
        if PUBLIC.iter().any(|public| path.starts_with(public)) {
            return text.to_owned();
        }
        let mut text = match path {
            "/etc/passwd" => self.accounts(text),
            "/etc/group" => self.groups(text),
            _ => text.to_owned(),
        };
        for rule in &self.rules {
            let seen = &mut self.seen;
            text = rule
                .pattern
                .replace_all(&text, |found: &Captures<'_>| replaced(rule, found, seen))
                .into_owned();
        }
        text
    }

    /// What was taken out, and how many different ones.
    pub fn removed(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (what, _) in self.seen.keys() {
            *counts.entry(*what).or_default() += 1;
        }
        counts
    }

    fn remove(&mut self, what: &'static str, text: &str, instead: &str) {
        self.seen.insert((what, text.to_owned()), instead.to_owned());
    }

    /// `passwd(5)` without other people, and without anybody's full name.
    fn accounts(&mut self, text: &str) -> String {
        let mut kept = String::new();
        for line in text.lines() {
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let uid = fields.get(2).and_then(|uid| uid.parse::<u32>().ok());
            let own = self.users.contains(&fields[0]);
            if uid.is_none_or(|uid| PEOPLE.contains(&uid)) && !own {
                self.remove("other accounts", &fields[0], "");
                continue;
            }
            if own && fields[0] != "root" && fields.len() > 4 {
                self.remove("user name", &fields[0].clone(), "user");
                fields[0] = "user".to_owned();
                fields[4].clear();
            }
            kept += &(fields.join(":") + "\n");
        }
        kept
    }

    /// `group(5)` without other people.
    fn groups(&mut self, text: &str) -> String {
        let users = self.users.clone();
        let mut kept = String::new();
        for line in text.lines() {
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let own = |name: &str| users.iter().any(|user| user == name);
            if let Some(members) = fields.get_mut(3) {
                let mine = members.split(',').any(own);
                *members = if mine { "user".to_owned() } else { String::new() };
            }
            if own(&fields[0]) && fields[0] != "root" {
                fields[0] = "user".to_owned();
            } else if fields
                .get(2)
                .and_then(|gid| gid.parse().ok())
                .is_none_or(|gid| PEOPLE.contains(&gid))
            {
                self.remove("other accounts", &fields[0], "");
                continue;
            }
            kept += &(fields.join(":") + "\n");
        }
        kept
    }
}

/// The address in a word, without the port or the full stop behind it.
fn address(word: &str) -> &str {
    let word = word.trim_end_matches(['.', ':']);
    match word.split_once(':') {
        Some((address, port)) if port.parse::<u16>().is_ok() && address.contains('.') => address,
        _ => word,
    }
}

/// Whether a word is an address that could be somebody's. The versions of many things look like IPv4, and words of Rust and
/// C++ like IPv6: what the networks in use cannot be is none.
fn is_private(word: &str) -> bool {
    match word.parse() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.octets()[0] == 0 || address.octets()[0] == 255)
        }
        Ok(IpAddr::V6(address)) => {
            matches!(address.segments()[0], 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf)
        }
        Err(_) => false,
    }
}

fn replaced(
    rule: &Rule,
    found: &Captures<'_>,
    seen: &mut BTreeMap<(&'static str, String), String>,
) -> String {
    let whole = found.get(0).map_or("", |whole| whole.as_str());
    let Some(group) = found.get(1).or_else(|| found.get(0)) else { return whole.to_owned() };
    let secret = (rule.part)(group.as_str());
    let is_own = seen.iter().any(|((what, _), own)| *what == rule.what && own == secret);
    if is_own || (rule.spare)(secret) {
        return whole.to_owned();
    }
    let number = 1 + seen.keys().filter(|(what, _)| *what == rule.what).count();
    let stand_in = seen
        .entry((rule.what, secret.to_owned()))
        .or_insert_with(|| (rule.stand_in)(number, secret))
        .clone();
    let start = group.start() - found.get(0).map_or(0, |whole| whole.start());
    let (before, after) = (&whole[..start], &whole[start + secret.len()..]);
    format!("{before}{stand_in}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str) -> String {
        Scrub::new(Some("jane"), Some("janes-box")).text("/x", text)
    }

    #[test]
    fn what_identifies_is_replaced_and_the_same_by_the_same() {
        let text =
            "192.168.1.7 and 10.0.0.1:3128, 192.168.1.7; fe80::1c2d:3eff:fe4f:5a6b 2a01:4f8:1:2::1";
        assert_eq!(
            scrubbed(text),
            "192.0.2.1 and 192.0.2.2:3128, 192.0.2.1; 2001:db8::3 2001:db8::4"
        );
        let uuid = "UUID=6a1f3c52-9b7e-4d10-8f21-aabbccddeeff";
        assert_eq!(scrubbed(uuid), "UUID=00000000-0000-4000-8000-000000000001");
        assert_eq!(scrubbed("link 52:54:00:12:34:56 up"), "link 02:00:00:00:00:01 up");
        assert_eq!(scrubbed("Serial\t\t: 10000000abcdef12\n"), "Serial\t\t: 0000000000000001\n");
        assert_eq!(scrubbed("http://me:pw@proxy:3128/"), "http://removed@proxy:3128/");
        assert_eq!(scrubbed("https://c.example/t/ab-123456/x"), "https://c.example/t/removed/x");
        assert_eq!(scrubbed("HF_TOKEN=hf_abcdef"), "HF_TOKEN=removed");
        assert_eq!(scrubbed("on janes-box: /home/jane/.local"), "on host: /home/user/.local");
        assert_eq!(scrubbed("\"/home/jane\": 1, /mnt/jane"), "\"/home/user\": 1, /mnt/user");
    }

    #[test]
    fn what_only_looks_so_stays() {
        for text in [
            "6.6.87.2-microsoft-standard-WSL2",
            "libnvidia-ml.so.580.95.05",
            "0000:01:00.0",
            "/sys/bus/pci/devices/0000:00:1f.3/class",
            "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
            "127.0.0.1:8888 0.0.0.0",
            "janet /home/janet/x",
            "12:34:56 std::path a::b",
            "2.36.1.2-3ubuntu4",
        ] {
            assert_eq!(scrubbed(text), text);
        }
        let kernel = "6.6.87.2";
        assert_eq!(Scrub::new(None, None).text("/proc/sys/kernel/osrelease", kernel), kernel);
    }

    #[test]
    fn what_somebody_works_on_is_left_out() {
        let path = "/home/jane/.local/bin:/home/jane/acme/acme/merger/bin:/home/jane/lib:/usr/bin:/home/jane/acme/tools";
        let mut scrub =
            Scrub::new(Some("jane"), None).without_folders([Path::new("/home/jane")], path);
        assert_eq!(
            scrub.text("/x", path),
            "/home/user/.local/bin:/home/user/folder-2/folder-2/folder-1/bin:/home/user/lib:/usr/bin:\
             /home/user/folder-2/folder-3"
        );
        for text in [path, "\"/home/jane/acme/acme/merger/bin/python3\"", "/home/jane/acme/tools\n"]
        {
            let public = scrub.text("/x", text);
            assert!(
                !["acme", "merger", "tools", "jane"].iter().any(|name| public.contains(name)),
                "{public}"
            );
            assert_eq!(public, scrub.text("/x", text), "the same each time");
        }
        let own = Path::new("/home/jane/acme/tools");
        assert!(scrub.keeps(own, "python3.12") && !scrub.keeps(own, "deploy-acme"));
        assert!(scrub.keeps(Path::new("/usr/bin"), "python3"));
    }

    #[test]
    fn tokens_and_proxies_are_taken_out_wherever_they_stand() {
        for (text, public) in [
            (
                "https://i.example/simple?api_key=abc&x=1",
                "https://i.example/simple?api_key=removed&x=1",
            ),
            (
                "X-Amz: https://b.example/f?X-Amz-Signature=00ff",
                "X-Amz: https://b.example/f?X-Amz-Signature=removed",
            ),
            ("remote: glpat-abcdef123456", "remote: removed"),
            (
                "\"https_proxy\": \"http://jane:pw@proxy.corp.example:3128\"",
                "\"https_proxy\": \"http://removed@proxy-1.example:3128\"",
            ),
            (
                "Sorry, user jane may not run sudo on janes-box.",
                "Sorry, user user may not run sudo on host.",
            ),
        ] {
            assert_eq!(scrubbed(text), public);
        }
        let mut scrub = Scrub::new(None, Some("janes-box.corp.example"));
        assert_eq!(scrub.text("/x", "janes-box janes-box.corp.example"), "host host");
    }

    #[test]
    fn other_people_are_left_out() {
        let mut scrub = Scrub::new(Some("jane"), None);
        let passwd = "root:x:0:0:root:/root:/bin/bash\njane:x:1000:1000:Jane Doe,,,:/home/jane:/bin/bash\n\
                      john:x:1001:1001:John:/home/john:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
        assert_eq!(
            scrub.text("/etc/passwd", passwd),
            "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/bash\n\
             nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
        );
        let group = "sudo:x:27:jane,john\nvideo:x:44:john\njane:x:1000:\njohn:x:1001:\n";
        assert_eq!(scrub.text("/etc/group", group), "sudo:x:27:user\nvideo:x:44:\nuser:x:1000:\n");
        assert_eq!(scrub.removed()["other accounts"], 1);
    }
}
