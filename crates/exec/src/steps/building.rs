//! How an environment comes to be as its lock says, whichever it is: built aside, or mended in place.

use std::collections::BTreeSet;
use std::path::Path;

use aitk_env::{
    Builder, EnvironmentFault, Environments, Generation, GenerationRecord, Mender, Reason,
    give_back,
};
use aitk_plan::{BASE, EnvironmentPlan, Lock, LockedLayer};
use aitk_system::{Message, message};

use super::{ReceiptEntry, Work, may_download};
use crate::context::{Context, backend_of};
use crate::error::ExecError;
use crate::journal::Journal;

/// What makes an environment of a plan, or mends the one that is there.
pub(super) fn mender<'a>(
    cx: &'a Context<'_>,
    wanted: &'a EnvironmentPlan,
    generation: Generation,
    log: &'a Path,
) -> Mender<'a> {
    let EnvironmentPlan { name, request, .. } = wanted;
    let backend = backend_of(wanted);
    let files = if name == BASE { backend.base_files(cx.settings) } else { Vec::new() };
    Mender { backend, site: cx.site(log), name, request, generation, files }
}

/// An environment with the lock that it was resolved to.
pub(crate) fn with_lock(
    wanted: Option<&EnvironmentPlan>,
) -> Result<(&EnvironmentPlan, &Lock), ExecError> {
    let lock = wanted.and_then(|wanted| Some((wanted, wanted.lock.as_ref()?)));
    lock.ok_or_else(|| ExecError::StillMissing { reason: message!("the plan has no lock") })
}

/// The same with the lock that it is made from, and what is said of it then.
pub(super) fn builder<'a>(
    cx: &'a Context<'_>,
    work: &'a Work<'_>,
    wanted: &'a EnvironmentPlan,
    lock: &'a Lock,
    added: &[String],
) -> Builder<'a> {
    let environments = cx.environments(wanted);
    let digest = &wanted.request.digest;
    let generation = environments.instance(cx.system, &lock.digest());
    let before = environments.current(cx.system);
    let reason = match &before {
        None if cx.system.read_link(&environments.current_path()).is_err() => Reason::First,
        Some((_, record)) if record.request != *digest => Reason::Changed,
        Some(_) if cx.fresh => Reason::Upgraded,
        _ => Reason::Broken,
    };
    let before = before.map(|(before, _)| before).filter(|before| *before != generation);
    let base = name_of_base(cx, work, wanted);
    let record = GenerationRecord {
        wish: cx.request_of(&work.plan.choices.env),
        run: Journal::run_of(&work.log),
        before: before.map(|before| before.folder()),
        base,
        reason: Some(reason),
        ..GenerationRecord::of(lock, digest, added)
    };
    Builder { mender: mender(cx, wanted, generation, &work.log), lock, record }
}

/// The folder of conda's own generation that an environment is built beside, where aitk brings it.
fn name_of_base(cx: &Context<'_>, work: &Work<'_>, wanted: &EnvironmentPlan) -> Option<String> {
    work.plan.base().filter(|base| base.name != wanted.name)?;
    let bases = Environments::new(&cx.settings.data, BASE);
    bases.current(cx.system).map(|(base, _)| base.folder())
}

/// Builds an environment aside, of which at least the layer of this step; mends the one that is there already. What is
/// to come in meanwhile is downloaded.
pub(super) fn ensure(
    cx: &Context<'_>,
    work: &Work<'_>,
    builder: &Builder<'_>,
    wanted: &[LockedLayer],
) -> Result<Vec<ReceiptEntry>, ExecError> {
    let Builder { mender, lock, record } = builder;
    let generation = &mender.generation;
    let id = &work.step.id;
    if let Some(there) = generation.record(cx.system) {
        if let Some(EnvironmentFault::Foreign { path }) = generation.foreign(cx.system) {
            let remedy = give_back(generation.path());
            let why = Message::list([message!("it belongs to another user"), remedy]);
            return Err(ExecError::io(path)(std::io::Error::other(why)));
        }
        builder.keep_lock()?;
        // It is whole: what the user may have added to it stays, and only what is damaged is mended.
        let other = there.request != record.request;
        // The same packages may come from other sources than before, which conda's own environment knows.
        let damaged = mender.itself(other && !mender.files.is_empty())?;
        if damaged {
            // What was proven of it before is to be proven again.
            cx.memo().receipt.proofs.clear();
        }
        if there.layers.contains_key(id) {
            mend(cx, work, mender, id)?;
        }
        if damaged {
            mender.note_itself()?;
        }
        if other {
            builder.finish()?;
        }
        return Ok(Vec::new());
    }
    if Environments::beside(generation).in_use(cx.system, generation) {
        // It has lost what it says of itself. Nothing is taken away: it may be whole, and hold what the user has added.
        mender.itself(true)?;
        builder.keep_lock()?;
        for missing in builder.missing() {
            install_again(cx, work, mender, &missing)?;
        }
        builder.finish()?;
        return Ok(Vec::new());
    }
    let count: usize = wanted.iter().map(|layer| layer.packages.len()).sum();
    if may_download(cx, &message!("download {count} packages"))? {
        cx.downloads.begin(cx.settings, mender.backend, wanted);
    }
    builder.start()?;
    if lock.layer(id).is_some() {
        cx.downloads.wait(id, work.reporter)?;
        builder.layer(id)?;
    }
    cx.memo().built = BTreeSet::from([id.clone()]);
    finish(cx, work, builder)?;
    Ok(vec![ReceiptEntry::path(generation.path(), Some(lock.digest()))])
}

/// Notes that a generation is whole, once every layer is in it: it can be proven now. What a cache that has lost files did
/// not give is installed again from the archives.
pub(super) fn finish(
    cx: &Context<'_>,
    work: &Work<'_>,
    builder: &Builder<'_>,
) -> Result<(), ExecError> {
    let built = cx.memo().built.clone();
    if cx.dry || builder.lock.layers.iter().any(|layer| !built.contains(&layer.step)) {
        return Ok(());
    }
    builder.finish()?;
    cx.memo().built.clear();
    builder.prove()?.iter().try_for_each(|step| mend(cx, work, &builder.mender, step))
}

/// Installs again, in place, just the packages of a step that are damaged in a whole generation.
pub(super) fn mend(
    cx: &Context<'_>,
    work: &Work<'_>,
    mender: &Mender<'_>,
    step: &str,
) -> Result<(), ExecError> {
    let damaged = mender.damaged(step)?;
    if damaged.packages.is_empty() {
        return Ok(());
    }
    install_again(cx, work, mender, &damaged)?;
    // What was proven of the damaged environment is to be proven again.
    cx.memo().receipt.proofs.clear();
    Ok(())
}

/// Downloads what is not there any more of these packages, and installs them again.
pub(super) fn install_again(
    cx: &Context<'_>,
    work: &Work<'_>,
    mender: &Mender<'_>,
    layer: &LockedLayer,
) -> Result<(), ExecError> {
    if may_download(cx, &message!("download {} packages again", layer.packages.len()))? {
        cx.downloads.begin(cx.settings, mender.backend, std::slice::from_ref(layer));
        cx.downloads.wait(&layer.step, work.reporter)?;
    }
    Ok(mender.layer(layer)?)
}
