#!/bin/sh
# Starts `causeway distro`, the helper, in a user's distro, as root:
#
#   wsl.exe -u root -d NAME --exec /bin/sh -c "<this file>" causeway [options of `causeway distro`]
#
# The agent has put a copy of the program below <wsl>, a tmpfs that all distros share and where every
# user may write. So: take it only from directories that are root's and nobody else's to write, and
# copy it, so that what runs here lies in this distro. For any POSIX shell.
#
# Exit codes: those of `causeway distro`; 71: it can't be started, the reason is on standard error.
# shellcheck disable=SC2015 # a && b || fail: also when b fails
set -u
# The last ones: of distros without /usr/bin (NixOS, Guix System, GoboLinux). Not the caller's: it ends with
# folders of Windows, where programs of these names may be anybody's.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin:/run/current-system/profile/sbin
PATH=$PATH:/run/current-system/profile/bin:/nix/var/nix/profiles/system/sw/bin:/nix/var/nix/profiles/default/bin:/System/Index/bin
export PATH
umask 022
cd / || exit 71

fail() {
  echo "causeway: $*" >&2
  exit 71
}

# Named here: what follows takes the failure of a tool for an answer.
for tool in cat chmod ls mkdir mv rm; do
  command -v "$tool" >/dev/null || fail "$tool(1) not found in PATH ($PATH)"
done

# What `ls -n` says of $1 must be of type $2 (d or -), root's, and closed to writers of group and others.
trusted() {
  # shellcheck disable=SC2012 # stat(1) is not in every distro
  listed=$(ls -Ldln "$1" 2>/dev/null) || fail "$1 can't be looked at: $(ls -Ldln "$1" 2>&1)"
  # shellcheck disable=SC2086 # to be split
  set -- "$2" $listed
  case $2 in
    "$1"????-??-?*) ;;
    *) return 1 ;;
  esac
  test "$4" = 0
}

# WSL's tmpfs: /mnt/wsl, or beside wherever automount.root puts the drives.
wsl=
while read -r _ _ _ _ point rest; do
  # The type stands behind the first dash; what comes last may hold anything, also blanks.
  case ${rest#* - } in
    "tmpfs "*) ;;
    *) continue ;;
  esac
  case $point in
    /mnt/wsl)
      wsl=$point
      break
      ;;
    */wsl) test -n "$wsl" && test "${#wsl}" -le "${#point}" || wsl=$point ;;
  esac
done </proc/self/mountinfo
test -n "$wsl" || fail "this is no WSL 2 distro: there is no tmpfs at .../wsl"

place=$wsl/docker-desktop
for directory in "$place" "$place/bin"; do
  test -d "$directory" || fail "$directory isn't there: the engine's distro doesn't run"
  test ! -L "$directory" && trusted "$directory" d ||
    fail "$directory isn't root's alone: somebody else has made it; not used"
done
# From here on only root can change what is in there.
test -f "$place/bin/causeway" && test ! -L "$place/bin/causeway" ||
  fail "$place/bin/causeway isn't there"
exec 3<"$place/bin/causeway"
trusted /proc/self/fd/3 - || fail "$place/bin/causeway isn't root's alone; not used"

program=/run/causeway/causeway
mkdir -p /run/causeway || fail "/run/causeway can't be made"
test ! -L /run/causeway && trusted /run/causeway d ||
  fail "/run/causeway isn't root's alone; not used"
cat <&3 >"$program.new" && chmod 755 "$program.new" && mv -f "$program.new" "$program" || {
  rm -f "$program.new"
  fail "$program can't be written"
}
exec 3<&-
# Where /run allows no programs (noexec), the checked original runs.
"$program" --help >/dev/null 2>&1 || program=$place/bin/causeway

exec "$program" distro "$@"
