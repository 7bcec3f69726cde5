//! `cloud-init`: user-data that set up a server, a virtual machine or WSL at its first start, with the script inside.

use std::io::Write;

use aitk_detect::VirtualizationKind;
use aitk_plan::SWAP_FILE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};

use crate::quote::{comment, quoted, yaml};
use crate::{Export, ExportError, File, Source, script};

const SERVER: &str = include_str!("../../../profiles/export/cloud-init/server.yml");
const WSL: &str = include_str!("../../../profiles/export/cloud-init/wsl.yml");
/// Who works in the environment there.
const USER: &str = "ai";
/// Where the script lies there.
const SCRIPT: &str = "/opt/aitk/aitk.sh";
/// What most clouds take at most, in bytes: OpenStack documents it so, DigitalOcean's and Linode's is about the same. The
/// script of a usual plan takes half of it, thanks to compression, and that of one with everything seven eighths.
const LIMIT: usize = 65_535;
/// Bytes of compressed script in a line. Nobody reads base64, and short lines cost a tenth in indentation.
const LINE: usize = 1200;

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    use VirtualizationKind::{Wsl1, Wsl2};
    let is_wsl = matches!(source.machine.virtualization.kind, Wsl1 | Wsl2);
    let swap_size = source.memory.swap_size.0.to_string();
    let script = indented(&compressed(&script::text(source)));
    let jupyter = comment(&jupyter(source));
    let mut words = vec![
        ("USER", USER),
        ("JUPYTER", &jupyter),
        ("SCRIPT_PATH", SCRIPT),
        ("SWAP_FILE", SWAP_FILE),
        ("SWAP_SIZE", &swap_size),
        ("SCRIPT", &script),
    ];
    let key = source.ssh_key.map(|key| quoted(key.line()));
    let form = match &key {
        _ if is_wsl => WSL,
        Some(key) => {
            words.push(("KEY", key));
            SERVER
        }
        None => return Err(ExportError::NoKey),
    };
    let user_data = source.fill(form, &words);
    if !is_wsl {
        fits(&user_data)?;
    }
    let readme = if is_wsl { "cloud-init-wsl" } else { "cloud-init" };
    let size = user_data.len().to_string();
    let wsl = source.guest().and_then(|guest| guest.wsl.as_deref()).unwrap_or("Ubuntu-24.04");
    let readme = source.readme(
        readme,
        &[("USER", USER), ("JUPYTER", &jupyter), ("SIZE", &size), ("DISTRIBUTION", wsl)],
    );
    let mut files = vec![File::new("README.md", readme), File::new("user-data", user_data)];
    if !is_wsl {
        files.push(File::new("meta-data", meta_data(source)));
        files.push(File::new("ssh_config", ssh_config()));
    }
    Ok(Export { files, without: script::without(source) })
}

fn fits(user_data: &str) -> Result<(), ExportError> {
    match user_data.len() {
        size if size > LIMIT => Err(ExportError::TooLarge { size, limit: LIMIT }),
        _ => Ok(()),
    }
}

/// What runs JupyterLab, as the user there types it.
fn jupyter(source: &Source<'_>) -> String {
    format!("~/.local/share/aitk/envs/{}/current/bin/jupyter", source.name())
}

/// What a seed for a virtual machine needs besides: another plan is another machine.
fn meta_data(source: &Source<'_>) -> String {
    format!(
        "instance-id: {}\nlocal-hostname: aitk\n",
        yaml(&format!("aitk-{}", source.generation()))
    )
}

fn ssh_config() -> String {
    format!(
        "# ssh -F ssh_config aitk\n\
         Host aitk\n    \
         HostName ADDRESS\n    \
         User {USER}\n    \
         LocalForward 127.0.0.1:8888 127.0.0.1:8888\n    \
         ExitOnForwardFailure yes\n    \
         ServerAliveInterval 60\n"
    )
}

/// The bytes depend on the text alone: no time and no name is kept in them.
fn compressed(text: &str) -> Vec<u8> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    // Nothing fails that writes to memory.
    let done = writer.write_all(text.as_bytes()).and_then(|()| writer.finish());
    done.unwrap_or_default()
}

/// As a block of YAML below `content: |`.
fn indented(bytes: &[u8]) -> String {
    let lines = bytes.chunks(LINE).map(|line| format!("      {}", STANDARD.encode(line)));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_clouds_take_is_refused() {
        assert!(fits(&"x".repeat(LIMIT)).is_ok());
        let error = fits(&"x".repeat(LIMIT + 1)).unwrap_err();
        assert!(error.to_string().contains("65536 bytes"), "{error}");
    }

    #[test]
    fn the_script_is_compressed_without_time_or_name() {
        let bytes = compressed("echo hello\n");
        assert_eq!(bytes, compressed("echo hello\n"));
        assert_eq!(&bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn lines_of_base64_are_joined_to_the_same_bytes() {
        let bytes: Vec<_> = (0..=255).cycle().take(5000).collect();
        let text = indented(&bytes);
        assert!(text.lines().count() == 5 && text.lines().all(|line| line.starts_with("      ")));
        assert_eq!(STANDARD.decode(text.replace([' ', '\n'], "")).unwrap(), bytes);
    }
}
