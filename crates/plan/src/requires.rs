//! What a machine must have for a step.

use aitk_detect::{Distro, Machine};
use aitk_system::{Message, message};

use crate::catalog::Catalog;
use crate::names::version_pair;
use crate::profile::Requirements;
use crate::size::Bytes;

/// Whether a release gets no security fixes any more, from its own project or a long-term team that serves everybody.
pub(crate) fn past_support(machine: &Machine, catalog: &Catalog) -> bool {
    let os = &machine.os;
    let own = catalog.distro(&os.id, os.version.as_deref().unwrap_or_default());
    // What has its day from a release that it derives from has that one's packages, and its long-term team.
    let is_base = |row: &&Distro| {
        os.like.contains(&row.id) && os.end_of_support.as_ref() == Some(&row.end_of_support)
    };
    let base = || catalog.tables.distros().iter().find(is_base);
    let lts = own.or_else(base).and_then(|row| row.lts_until.as_ref());
    // ISO dates compare as text.
    let end = os.end_of_support.as_ref().max(lts);
    end.is_some_and(|end| !machine.date.is_empty() && *end < machine.date)
}

/// Memory within a tenth of what is asked: firmware and kernel keep some to themselves.
pub(crate) fn at_least(memory: u64, wanted: Bytes) -> bool {
    memory >= wanted.0 / 10 * 9
}

/// The first requirement that the machine does not meet, with the remedy.
pub(crate) fn unmet(machine: &Machine, requires: &Requirements) -> Option<(Message, Message)> {
    if let (Some(wanted), Some(memory)) = (requires.memory, machine.memory.usable())
        && !at_least(memory, wanted)
    {
        return Some((
            message!(
                "it needs {} of memory and there are {}",
                wanted.binary(),
                Bytes(memory).binary()
            ),
            message!("use a machine with more memory, or a hosted notebook"),
        ));
    }
    if let (Some(wanted), Some(level)) = (&requires.cpu_level, &machine.cpu.level)
        && machine.arch == "x86_64"
        && level < wanted
    {
        return Some((
            message!("the processor is {level} and today's NumPy needs {wanted}"),
            message!(
                "on a VPS choose the CPU type `host` in its panel; an older computer needs older packages"
            ),
        ));
    }
    if let Some(flag) =
        requires.cpu_features.iter().find(|flag| !machine.cpu.features.contains(flag))
        && machine.arch == "x86_64"
        && !machine.cpu.features.is_empty()
    {
        return Some((
            message!("the processor has no {}", flag.to_uppercase()),
            message!(
                "on a VPS choose the CPU type `host` in its panel, or choose another --framework"
            ),
        ));
    }
    if let (Some(_), Some(userland)) = (&requires.glibc, &machine.userland) {
        return Some((
            message!(
                "the packages are for {}, and the system's programs for {userland}",
                machine.arch
            ),
            message!("install the 64-bit edition of the system"),
        ));
    }
    old_libc(machine, requires)
}

/// What is so of the C library.
fn old_libc(machine: &Machine, requires: &Requirements) -> Option<(Message, Message)> {
    let libc = machine.libc.as_ref();
    if let (Some(wanted), Some(libc)) = (&requires.glibc, libc) {
        let version = libc.version.as_deref().and_then(version_pair);
        if libc.family != "glibc" || version.is_some_and(|have| Some(have) < version_pair(wanted)) {
            return Some((
                message!(
                    "the packages need glibc {wanted} and this system has {} {}",
                    libc.family,
                    libc.version
                        .as_ref()
                        .map_or_else(|| message!("of unknown version"), Message::plain)
                ),
                message!("use a newer release of the system, or a container with Debian or Ubuntu"),
            ));
        }
    }
    None
}
