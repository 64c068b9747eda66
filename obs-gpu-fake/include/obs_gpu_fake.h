/* Drives the fake of NVIDIA's management library. These are exported beside NVIDIA's own functions, by the same library. */

#ifndef OBS_GPU_FAKE_H
#define OBS_GPU_FAKE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts a new world, made from a script, where the old one was. 0, or -1 where the script is wrong: then the old world stays. */
int obs_gpu_fake_reset(const char *script);

/* Adds steps to the script. 0, or -1 where they are wrong: then none is added. */
int obs_gpu_fake_push(const char *steps);

/* Why the last script was wrong. 0, or -1 where there is no room for it. */
int obs_gpu_fake_error(char *message, unsigned int length);

/* Microseconds since the world began. */
uint64_t obs_gpu_fake_clock_us(void);

/* Moves the clock; all that was due on the way happens, each at its own moment. */
void obs_gpu_fake_advance_us(uint64_t by);

/* How often a call was made ("*": any), of the device in this place of the script, or with -1 of all and of none. */
uint64_t obs_gpu_fake_calls(const char *call, int gpu);

enum {
    OBS_GPU_FAKE_STALLED = 0,     /* threads that a script holds in a call */
    OBS_GPU_FAKE_LISTENING = 1,   /* threads that wait for an event */
    OBS_GPU_FAKE_EVENT_SETS = 2,  /* sets of events that were not freed */
    OBS_GPU_FAKE_GPM_SAMPLES = 3, /* GPM samples that were not freed */
    OBS_GPU_FAKE_INITIALISED = 4  /* initialisations without a shutdown */
};

/* How many there are now. */
uint64_t obs_gpu_fake_count(unsigned int what);

/* Blocks until there are at least so many. 0, or -1 when so many real milliseconds have passed. */
int obs_gpu_fake_until(unsigned int what, uint64_t many, unsigned int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
