/* A library with the names of NVIDIA's (nvml.h) and one made-up device: it proves how aitk finds and asks a library,
 * nothing about NVIDIA's. INIT is what nvmlInit_v2 returns; SLEEP seconds pass before. With CRASH it ends in a fault when
 * it is asked for a device's memory. */
#include <string.h>
#include <unistd.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef SLEEP
#define SLEEP 0
#endif
#ifndef CRASH
#define CRASH 0
#endif

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} pci_t;
typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} memory_t;

int nvmlInit_v2(void) { sleep(SLEEP); return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "580.95.05", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)1; return 0; }
int nvmlDeviceGetName(void *device, char *text, unsigned size) { strncpy(text, "NVIDIA Stand-in", size); return 0; }
int nvmlDeviceGetPciInfo_v3(void *device, pci_t *pci) {
    pci->id = 0x250410de;
    strcpy(pci->bus_id, "00000000:01:00.0");
    return 0;
}
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_t *memory) {
    if (CRASH) *(volatile int *)0 = 1;
    memory->total = device == (void *)1 ? 12ull << 30 : 3ull << 30;
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) { *major = 8; *minor = 6; return 0; }
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) { *current = *pending = 1; return 0; }
/* Two parts can be made, and one is. */
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **part) {
    *part = (void *)2;
    return index == 0 ? 0 : 6;
}
