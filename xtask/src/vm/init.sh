#!/bin/busybox sh
# The first process: the host's files, below a layer in memory that takes what is written.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/modules/$module" || echo "vm: insmod $module ended with $?"
done < /modules/order
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o "ro,$options,cache=loose" root /host || echo "vm: the host's files are missing"
mount -t tmpfs -o size=75% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work new /new || echo "vm: no overlay"
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
mount -t tmpfs run /new/run
mkdir /new/run/vm /new/dev/shm
cp /start.sh /command.sh /new/run/vm
exec switch_root /new /bin/sh /run/vm/start.sh
