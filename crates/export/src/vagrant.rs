//! `vagrant`: a virtual machine of VirtualBox or VMware, and the script that sets it up.

use aitk_plan::Guest;

use crate::quote::ruby;
use crate::{Export, ExportError, File, Source, script};

const VAGRANTFILE: &str = include_str!("../../../profiles/export/vagrant/Vagrantfile");

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    if source.plan.accelerator.kind != "none" {
        return Err(ExportError::NoGpu { target: "vagrant" });
    }
    let name_of = |guest: &Guest| guest.vagrant.clone();
    let name = source.guest().and_then(name_of);
    let name = name.ok_or_else(|| source.no_guest("vagrant", name_of))?;
    let memory = (source.memory.minimum.0 >> 20).to_string();
    let words = [("BOX", &*ruby(&name)), ("MEMORY", &memory)];
    let files = vec![
        File::new(
            "README.md",
            source.readme("vagrant", &[("MEMORY", &memory), ("ENVIRONMENT", source.name())]),
        ),
        File::new("Vagrantfile", source.fill(VAGRANTFILE, &words)),
        File::program("aitk.sh", script::text(source)),
    ];
    Ok(Export { files, without: script::without(source) })
}
