# NVIDIA L40S, 48 GB.
#
# Where the numbers come from: `nvidia-smi -q -x` of one in a cloud, driver 595.91.07, in NVIDIA's k8s-test-infra (names, PCI, limits,
# thresholds, power and temperatures when idle), and one with driver 595.80 in utkuozdemir/nvidia_gpu_exporter (bytes), both of summer
# 2026. Its memory has no sensor, it has no MIG and no fan of its own: all "N/A" there. It has no NVLink, and GPM begins with Hopper.
# Multiprocessors, cores and bus are from NVIDIA's data sheet. Which events it has was not seen anywhere: taken from `nvml.h`, without
# those of MIG. It is not known whether it counts PCIe's bytes: here it does not.

name = NVIDIA L40S
architecture = 8
compute = 8.9
pci.device = 0x26B910DE
pci.subsystem = 0x185110DE
memory.bus = 384
cores = 18176
multiprocessors = 142
gpm = 0
nvlink.links = 0
mig.devices = 0
events = 0xFE9F

util = 0
util.memory = 0
util.encoder = 0
util.decoder = 0
util.jpeg = 0
util.ofa = 0

memory.total = 48_305_799_168
memory.reserved = 638_582_784
memory.used = 0

# Milliwatts; PowerUsage is what it was on average for so many milliseconds.
power = 65_640
power.window = 1000
power.limit = 350_000
power.limit.default = 350_000
power.limit.min = 100_000
power.limit.max = 350_000
energy = 0

temperature = 29
# What the margin is counted from: temperature and margin were seen together.
temperature.limit = 88
# T.Limit at shutdown, slowdown, the memory's and the chip's most.
fi:193 = -5
fi:194 = -2
fi:196 = 0

clock.sm = 2040
clock.memory = 9001
clock.video = 1725
clock.sm.max = 2520
clock.memory.max = 9001
clock.video.max = 1965
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
fi:197 = !3
fi:198 = !3

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
rows.max = 192
rows.high = 0
rows.partial = 0
rows.low = 0
rows.none = 0
recovery = 0
