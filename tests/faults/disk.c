/* A disk that does not sync, for one process: preloaded (LD_PRELOAD), it stands in front of the C
 * library's fsync and fdatasync. What it does is said by files in the directory that
 * POSTBACK_DISK_FAULTS names, looked for at every call:
 *
 *   hang     wait until the file is gone, then sync
 *   eio      fail with EIO
 *
 * Each call that met one of them leaves a file met-NAME behind, so that a test can tell that the
 * fault was there. How long the real disk took is written down too: a line "BEGIN END", in ns of
 * CLOCK_MONOTONIC, in the file syncs for each sync that took longer than 5 ms. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int create(const char *name, int flags) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("POSTBACK_DISK_FAULTS"), name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static int meets(const char *name, const char *met) {
    int control = create(name, O_RDONLY);
    if (control < 0) return 0;
    close(control);
    close(create(met, O_CREAT | O_WRONLY));
    return 1;
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int synced(const char *function, int file) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    if (!getenv("POSTBACK_DISK_FAULTS")) return next(file);
    while (meets("hang", "met-hang")) usleep(5000);
    if (meets("eio", "met-eio")) return errno = EIO, -1;
    long long begin = now();
    int result = next(file), error = errno;
    long long end = now();
    if (end - begin > 5000000) {
        int syncs = create("syncs", O_CREAT | O_WRONLY | O_APPEND);
        dprintf(syncs, "%lld %lld\n", begin, end);
        close(syncs);
    }
    errno = error;
    return result;
}

int fsync(int file) { return synced("fsync", file); }

int fdatasync(int file) { return synced("fdatasync", file); }
