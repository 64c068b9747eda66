# NVIDIA H100 SXM5, 80 GB.
#
# Where the numbers come from: `nvidia-smi -q -x` of a node with eight of them, driver 580.105.08, in NVIDIA's k8s-test-infra (names,
# PCI, limits, clocks, thresholds, rows), and an idle one with driver 590.48.01 in utkuozdemir/nvidia_gpu_exporter (bytes, power and
# temperatures), both of summer 2026. Multiprocessors, cores, bus and links are from NVIDIA's data sheet, the links' speed is what
# `nvidia-smi nvlink --status` prints. Thresholds in degrees are what NVML gave with driver 580.159.04 (`gpu_check`, 2026-11-26), although
# `nvidia-smi` shows none. Which events and which PCIe counters it has was not seen anywhere: taken from `nvml.h`.

name = NVIDIA H100 80GB HBM3
architecture = 9
compute = 9.0
pci.device = 0x233010DE
pci.subsystem = 0x16C110DE
memory.bus = 5120
cores = 16896
multiprocessors = 132
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

memory.total = 85_520_809_984
memory.reserved = 502_267_904
memory.used = 0

# Milliwatts; PowerUsage is what it was on average for so many milliseconds.
power = 69_850
power.window = 1000
power.memory = 32_980
power.limit = 700_000
power.limit.default = 700_000
power.limit.min = 200_000
power.limit.max = 700_000
energy = 0

temperature = 41
temperature.memory = 48
# What the margin is counted from: temperature and margin were seen together.
temperature.limit = 87
temperature.slowdown = 89
temperature.shutdown = 95
# T.Limit at shutdown, slowdown, the memory's and the chip's most.
fi:193 = -8
fi:194 = -2
fi:195 = 0
fi:196 = 0

clock.sm = 345
clock.memory = 2619
clock.video = 765
clock.sm.max = 1980
clock.memory.max = 2619
clock.video.max = 1545
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
nvlink.speed = 26562
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
rows.max = 2560
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
