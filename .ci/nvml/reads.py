"""reads.py: NVIDIA's binding loads the fake by its name and sees what the script in the environment says.

Every structure that it passes is its own: sizes and version words are held against ours."""

import ctypes
import threading

import pynvml as nvml

checks = 0


def check(what, got, expect):
    global checks
    checks += 1
    if got != expect:
        raise SystemExit(f"{what}: {got!r}, not {expect!r}")


def refused(code, call, *arguments):
    try:
        got = call(*arguments)
    except nvml.NVMLError as error:
        check(call.__name__, error.value, code)
    else:
        raise SystemExit(f"{call.__name__} gave {got!r}, not code {code}")


def versioned(name, type_name, version, device):
    """A structure that the binding only passes on."""
    value = getattr(nvml, type_name)()
    value.version = version
    code = nvml._nvmlGetFunctionPointer(name)(device, ctypes.byref(value))
    check(name, code, 0)
    return value


control = ctypes.CDLL("libnvidia-ml.so.1")
control.obs_gpu_fake_advance_us.argtypes = [ctypes.c_uint64]

nvml.nvmlInit()
check("driver", nvml.nvmlSystemGetDriverVersion(), "580.95.05")
check("count", nvml.nvmlDeviceGetCount(), 3)
whole, parted, ampere = (nvml.nvmlDeviceGetHandleByIndex(index) for index in range(3))
check("name", nvml.nvmlDeviceGetName(whole), "NVIDIA H100 80GB HBM3")
check("by UUID", nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByUUID(nvml.nvmlDeviceGetUUID(parted))), 1)
check("PCI", nvml.nvmlDeviceGetPciInfo(whole).busId, "00000000:19:00.0")
rates = nvml.nvmlDeviceGetUtilizationRates(whole)
check("rates", (rates.gpu, rates.memory), (93, 41))
memory = nvml.nvmlDeviceGetMemoryInfo(whole, nvml.nvmlMemory_v2)
check("memory", (memory.total, memory.used), (85_520_809_984, 40 << 30))
check("memory adds up", memory.used + memory.free + memory.reserved, memory.total)
older = nvml.nvmlDeviceGetMemoryInfo(whole)
check("older shape", older.used + older.free, older.total)
control.obs_gpu_fake_advance_us(2_000_000)
check("power", nvml.nvmlDeviceGetPowerUsage(whole), 300_000)
check("energy", nvml.nvmlDeviceGetTotalEnergyConsumption(whole), 600_000)
check("limit", nvml.nvmlDeviceGetEnforcedPowerLimit(whole), 700_000)
check("temperature", nvml.nvmlDeviceGetTemperature(whole, nvml.NVML_TEMPERATURE_GPU), 64)
check("the same, in a structure", nvml.nvmlDeviceGetTemperatureV(whole, nvml.NVML_TEMPERATURE_GPU), 64)
check("margin", nvml.nvmlDeviceGetMarginTemperature(whole), 87 - 64)
check("reasons", nvml.nvmlDeviceGetCurrentClocksEventReasons(whole), nvml.nvmlClocksEventReasonSwPowerCap)
check("clock", nvml.nvmlDeviceGetClockInfo(whole, nvml.NVML_CLOCK_MEM), 2619)
check("rows", nvml.nvmlDeviceGetRemappedRows(whole), (1, 0, 1, 0))
check("histogram", nvml.nvmlDeviceGetRowRemapperHistogram(whole).max, 2560)
check("links", [nvml.nvmlDeviceGetNvLinkState(whole, link) for link in (2, 3)], [1, 0])
refused(nvml.NVML_ERROR_NOT_SUPPORTED, nvml.nvmlDeviceGetFanSpeed, whole)
refused(nvml.NVML_ERROR_FUNCTION_NOT_FOUND, nvml.nvmlDeviceGetVbiosVersion, whole)

every = (1 << 32) - 1
values = nvml.nvmlDeviceGetFieldValues(whole, [186, 82, 193, (138, 2), (138, 3), (138, every), 230, 74, 270, 999])
numbers = [value.value.siVal if value.valueType == nvml.NVML_VALUE_TYPE_SIGNED_INT else value.value.ullVal for value in values]
check("fields", numbers[:9], [300_000, 48, -8, 2000, 0, 17 * 2000, 1, 2_000_000_000, 0])
check("codes", [value.nvmlReturn for value in values], [0] * 9 + [nvml.NVML_ERROR_INVALID_ARGUMENT])

check("samples", len(nvml.nvmlDeviceGetSamples(whole, nvml.NVML_GPU_UTILIZATION_SAMPLES, 0)[1]), 100)
processes = nvml.nvmlDeviceGetComputeRunningProcesses(whole)
check("processes", [(one.pid, one.usedGpuMemory) for one in processes], [(4711, 40 << 30), (4712, None)])
shares = nvml.nvmlDeviceGetProcessUtilization(whole, 0)
check("shares", [(one.pid, one.smUtil) for one in shares], [(4711, 90)])
shares = nvml.nvmlDeviceGetProcessesUtilizationInfo(whole, 0)
check("shares in a structure", [(one.pid, one.smUtil) for one in shares], [(4711, 90)])
sram = versioned("nvmlDeviceGetSramEccErrorStatus", "c_nvmlEccSramErrorStatus_v1_t", nvml.nvmlEccSramErrorStatus_v1, whole)
check("SRAM", (sram.volatileCor, sram.aggregateUncParity), (3, 0))
fabric = versioned("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v3_t", nvml.nvmlGpuFabricInfo_v3, whole)
check("fabric", fabric.state, nvml.NVML_GPU_FABRIC_STATE_COMPLETED)

check("GPM", nvml.nvmlGpmQueryDeviceSupport(whole).isSupportedDevice, 1)
check("no GPM", nvml.nvmlGpmQueryDeviceSupport(ampere).isSupportedDevice, 0)
request = nvml.c_nvmlGpmMetricsGet_t()
request.version = nvml.NVML_GPM_METRICS_GET_VERSION
request.numMetrics = 2
request.sample1, request.sample2 = nvml.nvmlGpmSampleAlloc(), nvml.nvmlGpmSampleAlloc()
request.metrics[0].metricId, request.metrics[1].metricId = nvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL, nvml.NVML_GPM_METRIC_DRAM_BW_UTIL
nvml.nvmlGpmSampleGet(whole, request.sample1)
control.obs_gpu_fake_advance_us(1_000_000)
nvml.nvmlGpmSampleGet(whole, request.sample2)
nvml.nvmlGpmMetricsGet(request)
check("GPM metrics", [request.metrics[one].value for one in (0, 1)], [30.0, 55.5])
nvml.nvmlGpmSampleFree(request.sample1)
nvml.nvmlGpmSampleFree(request.sample2)

check("MIG", nvml.nvmlDeviceGetMigMode(parted), [1, 1])
part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(parted, 0)
check("its name", nvml.nvmlDeviceGetName(part), "NVIDIA H100 80GB HBM3 MIG 3g.40gb")
check("its memory", nvml.nvmlDeviceGetMemoryInfo(part).used, 5 << 30)
check("its instance", (nvml.nvmlDeviceGetGpuInstanceId(part), nvml.nvmlDeviceGetComputeInstanceId(part)), (1, 0))
check("its slices", nvml.nvmlDeviceGetAttributes(part).gpuInstanceSliceCount, 3)
refused(nvml.NVML_ERROR_NOT_SUPPORTED, nvml.nvmlDeviceGetUtilizationRates, parted)

events = nvml.nvmlEventSetCreate()
nvml.nvmlDeviceRegisterEvents(whole, nvml.nvmlEventTypeXidCriticalError, events)
refused(nvml.NVML_ERROR_TIMEOUT, nvml.nvmlEventSetWait_v2, events, 10)
told = []
listener = threading.Thread(target=lambda: told.append(nvml.nvmlEventSetWait_v2(events, 20_000)))
listener.start()
check("somebody listens", control.obs_gpu_fake_until(1, ctypes.c_uint64(1), 20_000), 0)
control.obs_gpu_fake_advance_us(2_000_000)
listener.join()
check("event", (told[0].eventType, told[0].eventData, told[0].gpuInstanceId), (8, 79, every))
refused(nvml.NVML_ERROR_GPU_IS_LOST, nvml.nvmlEventSetWait_v2, events, 10)
refused(nvml.NVML_ERROR_GPU_IS_LOST, nvml.nvmlDeviceGetName, whole)
check("the others", nvml.nvmlDeviceGetPowerUsage(ampere), 49_680)
nvml.nvmlEventSetFree(events)
nvml.nvmlShutdown()
refused(nvml.NVML_ERROR_UNINITIALIZED, nvml.nvmlDeviceGetCount)
print(f"{checks} readings as scripted")
