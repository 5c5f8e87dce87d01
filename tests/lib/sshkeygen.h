// The real ssh-keygen, as a second opinion. Works in a directory of its own under /tmp.
#ifndef TEST_SSHKEYGEN_H
#define TEST_SSHKEYGEN_H

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "lib/tempdir.h"

#include <cmocka.h>

struct sshkeygen {
    char dir[TEMPDIR_MAX];
};

static inline const char *sshkeygen_path(const struct sshkeygen *k, const char *name) {
    static char paths[16][128];
    static unsigned next;
    char *out = paths[next++ % 16];
    (void)snprintf(out, sizeof(paths[0]), "%s/%s", k->dir, name);
    return out;
}

static inline void sshkeygen_write(const struct sshkeygen *k, const char *name, struct mlt_bytes content) {
    FILE *f = fopen(sshkeygen_path(k, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content.ptr, 1, content.len, f), content.len);
    assert_int_equal(fclose(f), 0);
}

static inline void sshkeygen_read(const struct sshkeygen *k, const char *name, struct mlt_buf *out) {
    uint8_t some[4096];
    size_t got;
    FILE *f = fopen(sshkeygen_path(k, name), "rb");
    assert_non_null(f);
    mlt_buf_reset(out);
    while ((got = fread(some, 1, sizeof(some), f)) > 0) {
        mlt_buf_put(out, some, got);
    }
    (void)fclose(f);
}

// Runs it with standard input from the file `in`; returns its exit status. -1: there is no ssh-keygen.
static inline int sshkeygen_run(const char *in, const char *const *argv) {
    char tz[] = "TZ=UTC", path[1024];
    char *env[] = {tz, path, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status;
    (void)snprintf(path, sizeof(path), "PATH=%s", getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in != NULL ? in : "/dev/null", 0, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", 1, 0);
    int failed = posix_spawnp(&pid, "ssh-keygen", &files, NULL, (char *const *)argv, env);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        return -1;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// False: ssh-keygen is not installed.
static inline bool sshkeygen_begin(struct sshkeygen *k) {
    const char *const argv[] = {"ssh-keygen", "-l", "-f", "/dev/null", NULL};
    int status = sshkeygen_run(NULL, argv);
    if (status == -1 || status == 127) {
        return false;
    }
    tempdir_make(k->dir, "ssh");
    return true;
}

static inline void sshkeygen_end(struct sshkeygen *k) {
    tempdir_remove(k->dir);
}

// Makes the key pair `name`, `name`.pub.
static inline void sshkeygen_make(const struct sshkeygen *k, const char *name, const char *type, const char *bits) {
    const char *const argv[] = {
        "ssh-keygen",       "-q", "-t", type, "-N", "", "-C", "test", "-f", sshkeygen_path(k, name),
        bits ? "-b" : NULL, bits, NULL};
    assert_int_equal(sshkeygen_run(NULL, argv), 0);
}

// Signs `message`; the signature is in `out`.
static inline void sshkeygen_sign(const struct sshkeygen *k, const char *name, const char *name_space, const char *hash,
                                  struct mlt_bytes message, struct mlt_buf *out) {
    char option[32];
    (void)snprintf(option, sizeof(option), "hashalg=%s", hash);
    const char *const argv[] = {"ssh-keygen",
                                "-Y",
                                "sign",
                                "-q",
                                "-O",
                                option,
                                "-n",
                                name_space,
                                "-f",
                                sshkeygen_path(k, name),
                                sshkeygen_path(k, "message"),
                                NULL};
    sshkeygen_write(k, "message", message);
    (void)unlink(sshkeygen_path(k, "message.sig"));
    assert_int_equal(sshkeygen_run(NULL, argv), 0);
    sshkeygen_read(k, "message.sig", out);
}

// What ssh-keygen -Y verify says. `time`: YYYYMMDDHHMMSS, UTC.
static inline bool sshkeygen_verify(const struct sshkeygen *k, struct mlt_bytes message, struct mlt_bytes signature,
                                    struct mlt_bytes allowed, const char *principal, const char *name_space,
                                    const char *time) {
    char option[64];
    (void)snprintf(option, sizeof(option), "verify-time=%s", time);
    const char *const argv[] = {"ssh-keygen", "-Y",
                                "verify",     "-q",
                                "-O",         option,
                                "-n",         name_space,
                                "-I",         principal,
                                "-f",         sshkeygen_path(k, "allowed"),
                                "-s",         sshkeygen_path(k, "signature"),
                                NULL};
    sshkeygen_write(k, "allowed", allowed);
    sshkeygen_write(k, "signature", signature);
    sshkeygen_write(k, "given", message);
    return sshkeygen_run(sshkeygen_path(k, "given"), argv) == 0;
}

#endif
