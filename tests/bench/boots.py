"""The rows about the boot of a whole machine: our init as PID 1 of a guest under QEMU, see tests/support/qemu.

QEMU emulates the processor, which takes about ten times as long as one does: the rows tell parts from each other, not what a
user waits for, and have no limit.
"""
import statistics

from qemu import guest, product

GROUPS = ["boot"]
FULL, QUICK = 5, 1

# Each part ends with this line on the console.
PARTS = [("firmware and kernel", "initramfs started"), ("the tests' initramfs", "initramfs done"), ("init", r"init info agent\.started"),
         ("agent", r"service\.state service=containerd state=starting"), ("containerd", r"service\.ready service=containerd"),
         ("dockerd", r"service\.ready service=dockerd")]


class Boots:
    def __init__(self, table, options, _bootstrap):
        self.table, self.options = table, options

    def everything(self, _groups):
        reason = guest.missing()
        if reason:
            return self.table.explain([f"no guest, so no rows about the boot: {reason}"])
        product.boot(agent=self.options.agent).close()  # the disks are made and read once
        took = {name: [] for name, _ in PARTS}
        for _ in range(QUICK if self.options.quick else FULL):
            with product.boot(agent=self.options.agent) as machine:
                before = 0
                for name, pattern in PARTS:
                    when, _ = machine.console.wait(pattern)
                    took[name].append(when - before)
                    before = when
        for name, times in took.items():
            self.table.add(f"boot in QEMU: {name}", statistics.median(times), "s")
        self.table.add("boot in QEMU to _ping 200", statistics.median(map(sum, zip(*took.values()))), "s")
