# NVIDIA B200, 180 GB.
#
# Where the numbers come from: `nvidia-smi -q -x` of a node with eight of them, driver 580.105.08, in NVIDIA's k8s-test-infra (August
# 2026): names, PCI, memory in whole MiB, limits, clocks, thresholds, power, temperatures, rows. Multiprocessors, cores, bus and links
# are from NVIDIA's data sheet. Which events and which PCIe counters it has was not seen anywhere: taken from `nvml.h`. NVLink 5 counts
# bytes under other numbers than its elders, by `nvml.h`.

name = NVIDIA B200
architecture = 10
compute = 10.0
pci.device = 0x290110DE
pci.subsystem = 0x199910DE
memory.bus = 8192
cores = 18944
multiprocessors = 148
gpm = 1
nvlink.links = 18
mig.devices = 7
events = 0xFF9F

util = 0
util.memory = 0
util.encoder = 0
util.decoder = 0
util.jpeg = 0
util.ofa = 0

memory.total = 183_359MiB
memory.reserved = 728MiB
memory.used = 0

# Milliwatts; PowerUsage is what it was on average for so many milliseconds.
power = 195_680
power.window = 1000
power.memory = 22_330
power.limit = 1000_000
power.limit.default = 1000_000
power.limit.min = 200_000
power.limit.max = 1000_000
energy = 0

temperature = 39
temperature.memory = 39
# What the margin is counted from: temperature and margin were seen together.
temperature.limit = 88
# T.Limit at shutdown, slowdown, the memory's and the chip's most.
fi:193 = -5
fi:194 = -3
fi:195 = 0
fi:196 = 0

clock.sm = 120
clock.memory = 3996
clock.video = 600
clock.sm.max = 1965
clock.memory.max = 3996
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

pcie.generation = 5
pcie.generation.max = 5
pcie.width = 16
pcie.width.max = 16
pcie.tx = 0
pcie.rx = 0
pcie.replay = 0
pcie.correctable = 0
pcie.nonfatal = 0
pcie.fatal = 0

nvlink.state = 1
nvlink.speed = 53125
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
rows.max = 3840
rows.high = 0
rows.partial = 0
rows.low = 0
rows.none = 0
recovery = 0
mig.mode = 0

# Percent: graphics, SM, occupancy, tensor cores of any and of half precision, DRAM, FP64, FP32, FP16.
gpm:1 = 0
gpm:2 = 0
gpm:3 = 0
gpm:5 = 0
gpm:7 = 0
gpm:10 = 0
gpm:11 = 0
gpm:12 = 0
gpm:13 = 0
