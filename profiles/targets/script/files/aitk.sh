#!/usr/bin/env bash
# The plan of aitk for the budget `«budget|comment»`, as a script: brings a machine of this kind («machine.system|comment») to what the plan says.
# Run it as the user who will work in the environment; sudo is asked where root is needed. It stops at the first
# thing that fails, and does what is missing when it is run again.
set -euo pipefail

readonly ENVIRONMENT=«environment.name»
readonly GENERATION=«environment.generation»
readonly PYTHON=«environment.python»
readonly INTERPRETER=«environment.interpreter»
readonly ARCHITECTURE=«machine.arch»
readonly GLIBC=«machine.libc.version if machine.libc and machine.libc.family == "glibc" else ""»
readonly UV_VERSION=«sources.uv_version»
readonly KERNEL=«environment.kernel»
readonly KERNEL_DISPLAY=«environment.display|shell»
readonly VARIABLES=«surroundings.set|join(" ")»
readonly CLEARED=«surroundings.cleared|join(" ")»
readonly ACCELERATOR=«accelerator.kind»
«% include "script/machine.sh" %»
«% for name, content in [("lock", locks.plan), ("generation", locks.record), ("receipt", locks.receipt)] %»

«name|word»() {
«content|here_document("    cat")»
}
«% endfor %»

# --- what is done, in this order --------------------------------------------------------------------------------

only_one
fits_here
«% for group in groups %»

  «% for step in group if step.why %»
# «step.why|comment»
  «% endfor %»
  «% for step in group %»
step «step.title|shell»
  «% endfor %»
  «% set step = group[0] %»
  «% if step.kind == "apt-repair" %»
repair_packages
  «% elif step.kind == "apt-lists" %»
refresh_lists «step.spec.max_age_hours»
  «% elif step.kind == "apt-upgrade" %»
upgrade_packages
  «% elif step.kind == "apt-packages" %»
«(["install_packages"] + step.spec.packages)|words»
  «% elif step.kind == "swap-file" %»
add_swap «step.spec.path» «step.spec.size»
  «% elif step.kind == "uv" %»
get_uv «sources.uv_sha256»
  «% elif step.kind == "environment" %»
create_environment
  «% elif step.kind == "layer" %»
install_libraries
  «% elif step.kind == "activate" %»
activate
  «% elif step.kind == "kernelspec" %»
register_kernel «step.spec.name»
  «% elif step.kind == "check" %»
«step.program|here_document("prove")»
  «% endif %»
«% endfor %»

printf '\nEverything is there, and works. To begin: %s\n' "$ENVS/current/bin/jupyter lab"
