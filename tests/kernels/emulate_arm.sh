#!/usr/bin/env bash
# The kernels' NumPy tests on an emulated 64-bit ARM processor (qemu-user), on an x86-64 Debian or Ubuntu.
#   emulate_arm.sh FOLDER
# FOLDER gets Debian's Python 3.11 for arm64 and the wheels that the kernels need; a second call uses them again.
set -euo pipefail
box=${1:?a folder for the ARM Python}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$box" && box=$(cd "$box" && pwd)
command -v qemu-aarch64-static >/dev/null || { echo "qemu-user-static is not installed: apt-get install qemu-user-static"; exit 1; }

if [ ! -e "$box/ready" ]; then
  mkdir -p "$box"/{partial,lists/partial,debs,root,site}
  apt=(apt-get -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State::Lists="$box/lists" -oDir::Cache="$box" -qq)
  "${apt[@]}" update
  (cd "$box/debs" && "${apt[@]}" download libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5 \
    libssl3 libpython3.11-minimal libpython3.11-stdlib python3.11-minimal python3.11 libuuid1 libsqlite3-0 \
    libreadline8 libncursesw6 libtinfo6 libcrypt1 libdb5.3 libnsl2 libtirpc3)
  for deb in "$box"/debs/*.deb; do dpkg -x "$deb" "$box/root"; done
  python3 -m pip download -q --only-binary=:all: --python-version 3.11 --implementation cp \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64 -d "$box/wheels" 'numpy>=2' llvmlite msgspec platformdirs filelock pytest hypothesis
  for wheel in "$box"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$box/site"; done
  mkdir -p "$box/site/grubench-0.1.0.dist-info" # the cache of compiled code asks for the version
  printf 'Metadata-Version: 2.1\nName: grubench\nVersion: 0.1.0\n' >"$box/site/grubench-0.1.0.dist-info/METADATA"
  touch "$box/ready"
fi

cd "$here/../.."
XDG_CACHE_HOME="$box/cache" PYTHONPATH="$box/site:$PWD:$here" PYTHONDONTWRITEBYTECODE=1 \
  qemu-aarch64-static -L "$box/root" "$box/root/usr/bin/python3.11" -m pytest -q --noconftest -p no:cacheprovider \
  "$here"/test_{reference,dropout,buffers}.py
