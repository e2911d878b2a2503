# Still the first process: mounts what programs expect, runs the command, and switches the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
. /run/vm/command.sh
modules=/lib/modules/$(uname -r)
[ -d "$modules" ] || { mkdir -p "$modules" && mount --bind "$MODULES" "$modules"; }
[ -z "$SHARED" ] || mount -t 9p -o rw,trans=virtio,version=9p2000.L,cache=none shared "$SHARED"
port() { echo "/dev/$(basename "$(dirname "$(grep -lx "$1" /sys/class/virtio-ports/*/name)")")"; }
hostname vm
ip link set lo up
(cd "$DIRECTORY" && run) < /dev/null > "$(port output)" 2>&1
echo $? > "$(port code)"
echo o > /proc/sysrq-trigger
sleep 60
