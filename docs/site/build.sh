#!/usr/bin/env bash
# Makes the pages of docs/ a folder of HTML, which needs neither a server nor a network.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: docs/site/build.sh [FOLDER]
       docs/site/build.sh --setup

Installs MkDocs, pinned by SHA-256 (docs/site/requirements.txt), and writes the site into FOLDER, by default build/site.
Open FOLDER/index.html in a browser: pages and search work from the disk.
--setup stops after the installation. The test docs_site_test builds the site with what is then installed.

Environment:
  XKDE_DEPS_DIR  folder for MkDocs, to share among checkouts (default: .deps in the checkout)

Exit codes: 0 done, 64 bad option, 69 MkDocs could not be installed, 70 a page has a mistake.
HELP
}

work=""
trap '[[ -z "$work" ]] || rm -rf "$work"' EXIT
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
deps="$(realpath -m "${XKDE_DEPS_DIR:-$root/.deps}")/site"
list="$root/docs/site/requirements.txt"

# fail CODE TEXT: one line, then the end of the program.
fail() {
  local code="$1"
  shift
  printf 'build.sh: %s\n' "$*" >&2
  exit "$code"
}

# Everything is unpacked beside its final place and then renamed; the stamp comes with it.
install_mkdocs() {
  local wanted
  wanted="$(sha256sum <"$list") $(python3 --version)"
  if [[ "$(cat "$deps/STAMP" 2>/dev/null)" == "$wanted" ]]; then
    return
  fi
  python3 -m pip --version >/dev/null 2>&1 || fail 69 "no Python with pip; run: apt-get install python3-pip"
  mkdir -p "$(dirname "$deps")"
  work="$(mktemp -d "$deps.XXXXXX")"
  printf '%s\n' "$wanted" >"$work/STAMP"
  env TMPDIR="$work" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --target "$work/python" \
    --no-deps --disable-pip-version-check --only-binary=:all: --require-hashes -r "$list" >&2 ||
    fail 69 "MkDocs could not be installed"
  rm -rf "$deps"
  mv "$work" "$deps"
  work=""
}

folder="$root/build/site"
setup_only=no
case "${1:-}" in
  -h | --help)
    usage
    exit 0
    ;;
  --setup) setup_only=yes ;;
  -*) fail 64 "unknown option $1 (see --help)" ;;
  "") ;;
  *) folder="$(realpath -m "$1")" ;;
esac
(($# <= 1)) || fail 64 "expected one folder, found $*"

install_mkdocs
[[ "$setup_only" == no ]] || exit 0
PYTHONPATH="$deps/python" PYTHONDONTWRITEBYTECODE=1 python3 -m mkdocs build --strict --clean \
  --config-file "$root/mkdocs.yml" --site-dir "$folder" || fail 70 "a page has a mistake, see above"
printf '%s\n' "$folder/index.html"
