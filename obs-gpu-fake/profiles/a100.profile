# NVIDIA A100 SXM4, 40 GB.
#
# Where the numbers come from: `nvidia-smi -q -x` of a rented one, driver 570.148.08, in NVIDIA's k8s-test-infra (August 2026): names,
# PCI, memory in whole MiB, limits, clocks, thresholds, power, temperatures, rows. It has degrees for thresholds and no margin, the
# power of the moment and no average, and no fabric: all "N/A" there. Multiprocessors, cores, bus and links are from NVIDIA's data
# sheet. GPM begins with Hopper. Which events it has was not seen anywhere: taken from `nvml.h` up to driver 570. It is not known
# whether it counts PCIe's bytes: here it does not.

name = NVIDIA A100-SXM4-40GB
architecture = 7
compute = 8.0
pci.device = 0x20B010DE
pci.subsystem = 0x134F10DE
memory.bus = 5120
cores = 6912
multiprocessors = 108
gpm = 0
nvlink.links = 12
mig.devices = 7
events = 0x19F
without = nvmlDeviceGetGpuFabricInfoV

util = 0
util.memory = 0
util.encoder = 0
util.decoder = 0
util.jpeg = 0
util.ofa = 0

memory.total = 40_960MiB
memory.reserved = 518MiB
memory.used = 0

# Milliwatts; PowerUsage is what it was on average for so many milliseconds.
power = 49_680
power.limit = 400_000
power.limit.default = 400_000
power.limit.min = 100_000
power.limit.max = 400_000
energy = 0

temperature = 33
temperature.memory = 34
temperature.slowdown = 89
temperature.shutdown = 92
temperature.memory.max = 95
temperature.gpu.max = 85

clock.sm = 210
clock.memory = 1215
clock.video = 585
clock.sm.max = 1410
clock.memory.max = 1215
clock.video.max = 1290
# Idle.
throttle = 0x1
pstate = 0
throttle.power = 0
throttle.thermal = 0
throttle.thermal.software = 0
throttle.thermal.hardware = 0
throttle.power.brake = 0
throttle.sync = 0

pcie.generation = 4
pcie.generation.max = 4
pcie.width = 16
pcie.width.max = 16
pcie.tx = 0
pcie.rx = 0
pcie.replay = 0
pcie.correctable = 0
pcie.nonfatal = 0
pcie.fatal = 0
fi:185 = !3
fi:197 = !3
fi:198 = !3

nvlink.state = 1
nvlink.speed = 25000
nvlink.tx = 0
nvlink.rx = 0
nvlink.replay = 0
nvlink.recovery = 0
nvlink.crc = 0
nvlink.errors = 0

ecc.mode = 1
ecc.corrected = 0
ecc.uncorrected = 0
sram.corrected = 0
sram.parity = 0
sram.secded = 0
sram.threshold = 0
remap.correctable = 0
remap.uncorrectable = 0
remap.pending = 0
remap.failure = 0
rows.max = 640
rows.high = 0
rows.partial = 0
rows.low = 0
rows.none = 0
recovery = 0
mig.mode = 0
