#!/bin/sh
# Links header-only libraries of this machine into a directory of their own: MinGW must not see the rest of /usr/include.
#
#   windows_headers.sh DIRECTORY NAME...
set -eu
directory=$1
shift
mkdir -p "$directory"
for name in "$@"; do
  test -d "/usr/include/$name" || { echo "$0: /usr/include/$name is missing (packaging/install build)" >&2; exit 1; }
  ln -sfn "/usr/include/$name" "$directory/$name"
done
