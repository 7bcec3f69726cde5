# What a shell sources to know `conda activate`. The wheel that conda comes from has its Python alone, so this part is
# written anew: conda says in shell code what is to change, and the function carries it out in the shell itself.
export CONDA_EXE="PLACEHOLDER/bin/conda"
export _CE_M=""
export _CE_CONDA=""
export CONDA_PYTHON_EXE="PLACEHOLDER/bin/python"

__conda_eval() {
    __conda_code="$("$CONDA_EXE" shell.posix "$@")" || return
    eval "$__conda_code"
    unset __conda_code
    # Shells remember where they found a program.
    hash -r
}

conda() {
    case "${1-}" in
        activate | deactivate) __conda_eval "$@" ;;
        install | update | upgrade | remove | uninstall)
            "$CONDA_EXE" "$@" && __conda_eval reactivate
            ;;
        *) "$CONDA_EXE" "$@" ;;
    esac
}

if [ -z "${CONDA_SHLVL+x}" ]; then
    export CONDA_SHLVL=0
    # So that `conda` is found by programs, too, also in an environment without one.
    export PATH="PLACEHOLDER/condabin:$PATH"
    # conda changes the prompt, which a shell that nobody sees has none of.
    : "${PS1=}"
fi
