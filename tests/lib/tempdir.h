// A folder of the test's own on a real disk.
#ifndef MLT_TESTS_LIB_TEMPDIR_H
#define MLT_TESTS_LIB_TEMPDIR_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TEMPDIR_MAX 64

// tempdir_make makes /tmp/mlt-<name>-… and puts its path into `out`.
static inline void tempdir_make(char out[static TEMPDIR_MAX], const char *name) {
    int len = snprintf(out, TEMPDIR_MAX, "/tmp/mlt-%s-XXXXXX", name);
    assert(len > 0 && len < TEMPDIR_MAX);
    const char *made = mkdtemp(out);
    assert(made);
}

// tempdir_remove removes it with all that is in it.
static inline void tempdir_remove(const char *path) {
    char command[TEMPDIR_MAX + 16];
    (void)snprintf(command, sizeof(command), "rm -r %s", path);
    int status = system(command); // NOLINT(cert-env33-c): a fixed command on a name of ours
    assert(status == 0);
}

#endif
