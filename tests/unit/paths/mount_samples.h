// mountinfo texts of distros, after what WSL 2 machines show: for the tests of what is shared.
#pragma once

#include <string_view>

#include "support/machine_samples.h"

namespace samples {

// Ubuntu with systemd, WSLg, snapd and a dockerd of its own; drives C: and D: on 9p, a folder of
// C: bound elsewhere, a network share, an USB disk, a tmpfs over a directory that had a mount.
inline constexpr std::string_view kUbuntu =
    R"(74 80 0:28 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
75 80 0:30 / /usr/lib/wsl/drivers ro,nosuid,nodev,noatime shared:2 - 9p drivers ro,dirsync,aname=drivers;fmask=222;dmask=222,mmap,access=client,msize=65536,trans=fd,rfd=7,wfd=7
80 61 8:32 / / rw,relatime shared:3 - ext4 /dev/sdc rw,discard,errors=remount-ro,data=ordered
81 80 0:33 / /mnt/wslg rw,relatime shared:4 - tmpfs none rw
82 81 8:32 / /mnt/wslg/distro ro,relatime shared:5 - ext4 /dev/sdc rw,discard,errors=remount-ro,data=ordered
83 80 0:35 / /usr/lib/wsl/lib rw,relatime shared:6 - overlay none rw,lowerdir=/gpu_lib_packaged:/gpu_lib_inbox,upperdir=/gpu_lib/rw/upper,workdir=/gpu_lib/rw/work
84 80 0:2 /init /init ro shared:7 - rootfs rootfs rw,size=8045468k,nr_inodes=2011367
85 80 0:5 / /dev rw,nosuid,relatime shared:8 - devtmpfs none rw,size=8045468k,nr_inodes=2011367,mode=755
86 80 0:21 / /sys rw,nosuid,nodev,noexec,noatime shared:9 - sysfs sysfs rw
87 80 0:37 / /proc rw,nosuid,nodev,noexec,noatime shared:10 - proc proc rw
88 85 0:38 / /dev/pts rw,nosuid,noexec,noatime shared:11 - devpts devpts rw,gid=5,mode=620,ptmxmode=000
89 80 0:39 / /run rw,nosuid,nodev shared:12 - tmpfs none rw,mode=755
90 89 0:40 / /run/lock rw,nosuid,nodev,noexec,noatime shared:13 - tmpfs none rw
91 89 0:41 / /run/shm rw,nosuid,nodev,noatime shared:14 - tmpfs none rw
92 85 0:41 / /dev/shm rw,nosuid,nodev,noatime shared:14 - tmpfs none rw
93 89 0:42 / /run/user rw,nosuid,nodev,noexec,noatime shared:15 - tmpfs none rw,mode=755
94 87 0:36 / /proc/sys/fs/binfmt_misc rw,relatime shared:16 - binfmt_misc binfmt_misc rw
95 86 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:17 - cgroup2 cgroup2 rw,nsdelegate
96 81 0:34 /etc/versions.txt /mnt/wslg/versions.txt rw,relatime shared:18 - overlay none rw,lowerdir=/systemvhd,upperdir=/system/rw/upper,workdir=/system/rw/work
97 80 0:33 /.X11-unix /tmp/.X11-unix ro,relatime shared:19 - tmpfs none rw
98 80 0:60 / /mnt/c rw,noatime shared:20 - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
99 80 0:61 / /mnt/d rw,noatime shared:21 - 9p drvfs rw,dirsync,aname=drvfs;path=D:\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,access=client,msize=262144,trans=virtio
100 80 0:60 /Music/old\040ones /home/me/my\040music rw,noatime shared:20 - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
101 80 0:62 / /srv/games rw,relatime shared:22 - 9p D:\134Games rw,dirsync,aname=drvfs;path=D:\Games;symlinkroot=/mnt/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
102 80 0:63 / /mnt/nas rw,relatime shared:23 - 9p \134\134nas\134data rw,dirsync,aname=drvfs;path=UNC\nas\data;symlinkroot=/mnt/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
103 86 0:26 / /sys/kernel/debug rw,nosuid,nodev,noexec,relatime shared:24 - debugfs debugfs rw
104 85 0:64 / /dev/hugepages rw,relatime shared:25 - hugetlbfs hugetlbfs rw,pagesize=2M
105 85 0:65 / /dev/mqueue rw,nosuid,nodev,noexec,relatime shared:26 - mqueue mqueue rw
106 80 7:0 / /snap/bare/5 ro,nodev,relatime shared:27 - squashfs /dev/loop0 ro,errors=continue
107 93 0:66 / /run/user/1000 rw,nosuid,nodev,relatime shared:28 - tmpfs tmpfs rw,size=1609092k,mode=700,uid=1000,gid=1000
108 107 0:67 / /run/user/1000/doc rw,nosuid,nodev,relatime shared:29 - fuse.portal portal rw,user_id=1000,group_id=1000
109 80 8:48 / /mnt/usb\040disk rw,relatime shared:30 - ext4 /dev/sdd rw
110 80 8:64 /home/me /var/lib/docker/volumes/mine/_data rw,relatime shared:31 - ext4 /dev/sde rw
111 80 0:70 / /var/lib/docker/overlay2/0a1b/merged rw,relatime shared:32 - overlay overlay rw,lowerdir=l/A,upperdir=0a1b/diff,workdir=0a1b/work
112 80 0:71 / /var/lib/docker/containers/77/mounts/shm rw,nosuid,nodev,noexec,relatime shared:33 - tmpfs shm rw,size=65536k
113 89 0:4 net:[4026532313] /run/docker/netns/0c22 rw shared:34 - nsfs nsfs rw
114 80 8:32 /var/lib/kubelet/x /var/lib/kubelet/pods/1/volume-subpaths/x rw,relatime shared:3 - ext4 /dev/sdc rw
115 80 0:72 / /data/cache rw,relatime shared:35 - ext4 /dev/sdf rw
116 80 0:73 / /data rw,relatime shared:36 - tmpfs tmpfs rw
117 116 0:74 / /data rw,relatime shared:37 - xfs /dev/sdg rw
118 117 0:75 / /data/top rw,relatime shared:38 - btrfs /dev/sdh rw
119 80 0:76 / /net rw,relatime shared:39 - autofs systemd-1 rw,fd=50,pgrp=1,timeout=0,direct
120 80 0:77 / /usr/local/lib/causeway ro,nosuid,nodev,relatime - ext4 /dev/sdb rw
121 74 0:78 / /mnt/wsl/instances rw,relatime shared:40 - ext4 /dev/sdi rw
122 80 8:80 /gone//deleted /srv/kept rw,relatime shared:41 - ext4 /dev/sdj rw
123 80 8:96 / /srv/gone//deleted rw,relatime shared:42 - ext4 /dev/sdk rw
124 98 8:112 / /mnt/c/build rw,relatime shared:43 - ext4 /dev/sdl rw
)";

// A distro with little in it: no systemd, private mounts, no drives.
inline constexpr std::string_view kMinimal =
    R"(60 49 8:48 / / rw,relatime - ext4 /dev/sdd rw,discard,errors=remount-ro,data=ordered
61 60 0:28 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
62 60 0:2 /init /init ro - rootfs rootfs rw,size=8045468k,nr_inodes=2011367
63 60 0:5 / /dev rw,nosuid,relatime - devtmpfs none rw,size=8045468k,nr_inodes=2011367,mode=755
64 60 0:21 / /sys rw,nosuid,nodev,noexec,noatime - sysfs sysfs rw
65 60 0:50 / /proc rw,nosuid,nodev,noexec,noatime - proc proc rw
66 63 0:51 / /dev/pts rw,nosuid,noexec,noatime - devpts devpts rw,gid=5,mode=620,ptmxmode=000
67 60 0:52 / /run rw,nosuid,nodev - tmpfs none rw,mode=755
)";

// The same with automount.root=/ in /etc/wsl.conf: <wsl> and the drives lie at the top. A tmpfs of
// the user's is called wsl too, and has a file system on a single letter beside it.
inline constexpr std::string_view kRootAutomount =
    R"(60 49 8:48 / / rw,relatime - ext4 /dev/sdd rw,discard,errors=remount-ro,data=ordered
61 60 0:28 / /wsl rw,relatime shared:1 - tmpfs none rw
62 60 0:60 / /c rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=0;gid=0;symlinkroot=/,mmap,access=client,msize=65536,trans=fd,rfd=5,wfd=5
63 60 0:61 / /srv/lab/wsl rw,relatime - tmpfs tmpfs rw
64 60 8:64 / /x rw,relatime - ext4 /dev/sde rw
65 60 0:62 / /h rw,relatime - fuse.sshfs h:/export rw,user_id=0,group_id=0
)";

// .wslconfig's virtiofs=true, WSL 2.7.0: the tag names the drive.
inline constexpr std::string_view kVirtiofsTags =
    R"(60 49 8:48 / / rw,relatime - ext4 /dev/sdd rw
61 60 0:28 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
62 60 0:60 / /mnt/c rw,noatime - virtiofs drvfsC0 rw
63 60 0:61 / /mnt/d rw,noatime - virtiofs drvfsaD1 rw
64 60 0:60 /Music /home/me/music rw,noatime - virtiofs drvfsC0 rw
65 60 0:62 / /srv/other rw,noatime - virtiofs drvfsC2 rw
)";

// Later: a GUID, which tells nothing.
inline constexpr std::string_view kVirtiofsGuids =
    R"(60 49 8:48 / / rw,relatime - ext4 /dev/sdd rw
61 60 0:28 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
62 60 0:60 / /mnt/c rw,noatime - virtiofs f8407c95-93b2-4b6e-9d0f-2a1f4cbb0c11 rw
63 60 0:60 /Music /home/me/music rw,noatime - virtiofs f8407c95-93b2-4b6e-9d0f-2a1f4cbb0c11 rw
)";

// Later still: one device with a folder for each drive.
inline constexpr std::string_view kVirtiofsAggregate =
    R"(60 49 8:48 / / rw,relatime - ext4 /dev/sdd rw
61 60 0:28 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
62 60 0:52 / /run rw,nosuid,nodev - tmpfs none rw,mode=755
63 62 0:60 / /run/wsl/virtiofs-mounts/drvfsa rw,noatime - virtiofs drvfsa rw
64 60 0:60 /f8407c95-93b2 /mnt/c rw,noatime - virtiofs drvfsa rw
65 60 0:60 /0b17aa10-11d0 /mnt/d rw,noatime - virtiofs drvfsa rw
66 60 0:60 /0b17aa10-11d0/Music/old /home/me/music rw,noatime - virtiofs drvfsa rw
67 60 0:60 /77777777-0000 /srv/share rw,noatime - virtiofs drvfsa rw
)";

}  // namespace samples
