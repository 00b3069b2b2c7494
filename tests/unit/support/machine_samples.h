// mountinfo and cgroup texts as real machines give them, shared by the tests of the planners.
#pragma once

#include <string_view>

namespace samples {

// A WSL 2 distro without systemd (kernel 5.15, WSL 2.x), shortened: <wsl> shared, drive c on 9p.
inline constexpr std::string_view kWsl =
    R"(85 72 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard,errors=remount-ro,data=ordered
86 85 0:31 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
87 85 0:32 / /usr/lib/wsl/drivers ro,nosuid,nodev,noatime - 9p none ro,dirsync,aname=drivers;fmask=222;dmask=222,mmap,access=client,msize=65536,trans=fd,rfd=7,wfd=7
88 85 0:36 / /usr/lib/wsl/lib rw,relatime - overlay none rw,lowerdir=/gpu_lib_packaged:/gpu_lib_inbox,upperdir=/gpu_lib/rw/upper
89 85 0:2 /init /init ro - rootfs rootfs rw,size=8153932k,nr_inodes=2038483
90 85 0:5 / /dev rw,nosuid,relatime - devtmpfs none rw,size=8153932k,nr_inodes=2038483,mode=755
91 85 0:20 / /sys rw,nosuid,nodev,noexec,noatime - sysfs sysfs rw
92 85 0:38 / /proc rw,nosuid,nodev,noexec,noatime - proc proc rw
93 90 0:39 / /dev/pts rw,nosuid,noexec,noatime - devpts devpts rw,gid=5,mode=620,ptmxmode=000
94 85 0:40 / /run rw,nosuid,nodev - tmpfs none rw,mode=755
95 94 0:41 / /run/lock rw,nosuid,nodev,noexec,noatime - tmpfs none rw
96 94 0:42 / /run/shm rw,nosuid,nodev,noatime - tmpfs none rw
97 90 0:42 / /dev/shm rw,nosuid,nodev,noatime - tmpfs none rw
98 92 0:34 / /proc/sys/fs/binfmt_misc rw,relatime - binfmt_misc binfmt_misc rw
99 91 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate
100 85 0:45 / /mnt/c rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
101 85 0:46 / /mnt/my\040disk rw,noatime - 9p D:\134 rw,dirsync,aname=drvfs;path=D:\;uid=1000
)";
inline constexpr std::string_view kWslGroup = "0::/\n";

// Debian 12 with systemd: everything shared, cgroup v2, a session's own group.
inline constexpr std::string_view kDebian =
    R"(22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
23 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
24 28 0:5 / /dev rw,nosuid,relatime shared:2 - devtmpfs udev rw,size=8122596k,nr_inodes=2030649,mode=755,inode64
25 24 0:22 / /dev/pts rw,nosuid,noexec,relatime shared:3 - devpts devpts rw,gid=5,mode=620,ptmxmode=000
26 28 0:23 / /run rw,nosuid,nodev,noexec,relatime shared:5 - tmpfs tmpfs rw,size=1628504k,mode=755,inode64
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
29 22 0:6 / /sys/kernel/security rw,nosuid,nodev,noexec,relatime shared:8 - securityfs securityfs rw
30 24 0:24 / /dev/shm rw,nosuid,nodev shared:4 - tmpfs tmpfs rw,inode64
31 26 0:25 / /run/lock rw,nosuid,nodev,noexec,relatime shared:6 - tmpfs tmpfs rw,size=5120k,inode64
32 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
33 22 0:27 / /sys/fs/pstore rw,nosuid,nodev,noexec,relatime shared:10 - pstore pstore rw
34 22 0:28 / /sys/fs/bpf rw,nosuid,nodev,noexec,relatime shared:11 - bpf bpf rw,mode=700
35 23 0:29 / /proc/sys/fs/binfmt_misc rw,relatime shared:15 - autofs systemd-1 rw,fd=29,pgrp=1
36 24 0:19 / /dev/mqueue rw,nosuid,nodev,noexec,relatime shared:16 - mqueue mqueue rw
)";
inline constexpr std::string_view kDebianGroup = "0::/user.slice/user-0.slice/session-3.scope\n";

// QEMU with an initramfs: the kernel has mounted only its rootfs.
inline constexpr std::string_view kInitramfs = "1 1 0:2 / / rw - rootfs none rw\n";
inline constexpr std::string_view kInitramfsGroup = "0::/\n";

// A VM with every v1 controller mounted by itself, name=systemd, and an empty unified (hybrid).
inline constexpr std::string_view kV1 =
    R"(22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334460k,mode=755
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k
26 24 0:24 / /dev/pts rw,relatime - devpts devpts rw,mode=600,ptmxmode=000
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
34 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
35 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
36 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
)";
inline constexpr std::string_view kV1Group =
    "4:name=systemd:/\n3:memory:/process_api/a935\n2:cpuset:/\n1:cpu:/\n0::/\n";

// systemd's hybrid: joined controllers, and a bind of a part of the tree as in a container.
inline constexpr std::string_view kContainerV1 =
    R"(600 500 0:50 / / rw,relatime - overlay overlay rw
601 600 0:51 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
602 601 0:52 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
603 602 0:30 /docker/c1 /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw,cpu,cpuacct
604 602 0:33 /docker/other /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:12 - cgroup cgroup rw,memory
)";
inline constexpr std::string_view kContainerV1Group =
    "5:cpu,cpuacct:/docker/c1/inner\n4:memory:/docker/c1\n";

}  // namespace samples
