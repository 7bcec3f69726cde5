# shellcheck shell=bash
# A fresh machine, as a user who may use sudo. On trixie with the framework itself: it is some GB.
# On: bookworm trixie; about 81 s

framework=none
if [[ $RELEASE == trixie ]]; then
    framework=pytorch
    need_disk 14
fi
machine fresh "$RELEASE"
whole_way user "$framework"

if [[ $RELEASE == trixie ]]; then
    step "language models: the libraries and the runner come, are proven without a download, and say what computes"
    aitk user -- apply --with llm --yes
    expect_code 0
    expect_said 'Transformers .* learns and writes [0-9]+ tokens a second (ON THE CPU|on )'
    expect_said 'llama.cpp .* writes [0-9]+ tokens a second ON THE CPU'
    SHOW=12 aitk user -- verify
    expect_code 0
    as user aitk run -- python -c 'import transformers, datasets, accelerate, sentencepiece, xllamacpp, gguf'
fi
