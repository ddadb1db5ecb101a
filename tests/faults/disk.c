/* A disk that does not sync, for one process: preloaded (LD_PRELOAD), it stands in front of the C
 * library's fsync and fdatasync. What it does is said by files in the directory that
 * POSTBACK_DISK_FAULTS names, looked for at every call:
 *
 *   hang     wait until the file is gone, then sync
 *   eio      fail with EIO
 *   enospc   fail with ENOSPC
 *
 * Each call that met one of them leaves a file met-NAME behind, so that a test can tell that the
 * fault was there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int meets(const char *name) {
    const char *directory = getenv("POSTBACK_DISK_FAULTS");
    char path[4096];
    if (!directory) return 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (access(path, F_OK) != 0) return 0;
    snprintf(path, sizeof path, "%s/met-%s", directory, name);
    int met = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (met >= 0) close(met);
    return 1;
}

static int synced(const char *function, int file) {
    while (meets("hang")) usleep(5000);
    if (meets("eio")) return errno = EIO, -1;
    if (meets("enospc")) return errno = ENOSPC, -1;
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    return next(file);
}

int fsync(int file) { return synced("fsync", file); }

int fdatasync(int file) { return synced("fdatasync", file); }
