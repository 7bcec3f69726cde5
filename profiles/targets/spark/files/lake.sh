# In an environment of its own, which is made the first time (about 1.5 GB); in another that has the packages: PYTHON=python
in_lake() {
  if [[ -z ${PYTHON:-} && ! -e .lake/whole ]]; then
    python3 -m venv --clear .lake
    # Nothing whose hash does not stand there, and nothing built but the one that has no wheel.
    .lake/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement «folder»/build.txt
    .lake/bin/pip install --quiet --require-hashes --only-binary=:all: --no-binary=pyspark-client --no-build-isolation \
      --requirement «folder»/requirements.txt
    touch .lake/whole
  fi
  "${PYTHON:-.lake/bin/python}" "$@"
}
