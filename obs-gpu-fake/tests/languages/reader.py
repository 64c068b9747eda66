"""A reader in Python, as NVIDIA's own bindings load the library; its threads hang and listen."""

import ctypes
import threading

nvml = ctypes.CDLL("libnvidia-ml.so.1")
nvml.obs_gpu_fake_advance_us.argtypes = [ctypes.c_uint64]


class Event(ctypes.Structure):
    _fields_ = [
        ("device", ctypes.c_void_p),
        ("type", ctypes.c_ulonglong),
        ("data", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


assert nvml.nvmlInit_v2() == 0
device = ctypes.c_void_p()
assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) == 0
events = ctypes.c_void_p()
assert nvml.nvmlEventSetCreate(ctypes.byref(events)) == 0
assert nvml.nvmlDeviceRegisterEvents(device, ctypes.c_ulonglong(8), events) == 0
event = Event()
told = []


def listen():
    code = nvml.nvmlEventSetWait_v2(events, ctypes.byref(event), 10_000)
    told.append((code, event.type, event.data))


def read():
    power = ctypes.c_uint()
    told.append((nvml.nvmlDeviceGetPowerUsage(device, ctypes.byref(power)), power.value))


listener = threading.Thread(target=listen)
listener.start()
assert nvml.obs_gpu_fake_until(1, ctypes.c_uint64(1), 10_000) == 0
nvml.obs_gpu_fake_advance_us(1_000_000)
listener.join()
reader = threading.Thread(target=read)
reader.start()
assert nvml.obs_gpu_fake_until(0, ctypes.c_uint64(1), 10_000) == 0
nvml.obs_gpu_fake_advance_us(1_000_000)
reader.join()
print(told)
