/* A reader in C, linked against the library by NVIDIA's name for it, driven by the script in its environment. */

#include "obs_gpu_fake.h"
#include <stdio.h>

typedef struct nvmlDevice_st *nvmlDevice_t;

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int code);
int nvmlDeviceGetCount_v2(unsigned int *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device);
int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length);
int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *millijoules);

int main(void) {
    unsigned int count = 0;
    unsigned long long energy = 0;
    char name[96] = "", small[4], message[256];
    nvmlDevice_t device = NULL;
    int begun = nvmlInit_v2();
    if (begun != 0) {
        printf("init %d %s\n", begun, nvmlErrorString(begun));
        return 0;
    }
    nvmlDeviceGetCount_v2(&count);
    nvmlDeviceGetHandleByIndex_v2(1, &device);
    nvmlDeviceGetName(device, name, sizeof name);
    printf("%u %s\n", count, name);
    printf("small %d null %d\n", nvmlDeviceGetName(device, small, sizeof small), nvmlDeviceGetTotalEnergyConsumption(device, NULL));
    printf("push %d", obs_gpu_fake_push("+0 1 power=250_000"));
    printf(" wrong %d", obs_gpu_fake_push("+0 1 pover=1"));
    obs_gpu_fake_error(message, sizeof message);
    printf(" %s\n", message);
    obs_gpu_fake_advance_us(4000000);
    nvmlDeviceGetTotalEnergyConsumption(device, &energy);
    printf("energy %llu at %llu calls %llu\n", energy, (unsigned long long)obs_gpu_fake_clock_us(),
           (unsigned long long)obs_gpu_fake_calls("nvmlDeviceGetTotalEnergyConsumption", 1));
    nvmlDevice_t wrong = (nvmlDevice_t)0xDEADBEEF;
    printf("wrong %d", nvmlDeviceGetTotalEnergyConsumption(wrong, &energy));
    printf(" shutdown %d", nvmlShutdown());
    printf(" after %d\n", nvmlDeviceGetTotalEnergyConsumption(device, &energy));
    return 0;
}
