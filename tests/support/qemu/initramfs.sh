#!/bin/busybox sh
# The first process of the guest: loads what the disks need, starts the tests' driver in a mount namespace of its own,
# and becomes what /command says, an argument a line: the product's PID 1.
export PATH=/bin
echo "initramfs started"
fail() {
  echo "initramfs: $*"
  poweroff -f
}
disk() {
  for entry in /sys/block/vd*; do
    if [ "$(cat "$entry/serial")" = "$1" ]; then echo "/dev/${entry##*/}"; fi
  done
}
mount -t devtmpfs dev /dev && mount -t proc proc /proc && mount -t sysfs sys /sys || fail "mount"
for module in /modules/*.ko; do
  insmod "$module" || fail "insmod $module"
done
mount -t ext4 -o ro "$(disk tools)" /tools || fail "mount the disk tools"
mkfifo /entered
unshare -m /bin/sh -c '
  cd /tools && mount -t proc proc proc && mount -t sysfs sys sys && mount -t devtmpfs dev dev && mount -t tmpfs tmp tmp &&
    mount -t tmpfs run run
  echo >/entered
  exec chroot . /usr/bin/python3 /inside/driver.py' </dev/null &
mount -t ext4 "$(disk root)" /root || fail "mount the disk root"
if [ -d /overlay ]; then cp -a /overlay/. /root/ || fail "copy the overlay"; fi
mkdir -p /root/lib/modules && mount --bind /tools/lib/modules /root/lib/modules || fail "mount the modules"
for hierarchy in $(cat /hierarchies); do
  mkdir -p "/hierarchies.d/$hierarchy" && mount -t cgroup -o "$hierarchy" cgroup "/hierarchies.d/$hierarchy" || fail "mount $hierarchy"
done
set --
while read -r argument; do set -- "$@" "$argument"; done </command
read -r _ </entered  # the driver has its own view of the disk by now
# Init finds nothing mounted, as when the kernel starts it without an initramfs.
umount /tools /sys /proc && umount -l /dev || fail "unmount"
echo "initramfs done"
# The environment is the one that the kernel gives.
exec env -i HOME=/ TERM=linux switch_root /root "$@"
