// links: mlt_base_posix mlt_testlib
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "lib/vectors.h"

#include <cmocka.h>

struct fixture {
    struct mlt_env *env;
    char dir[64];
    char path[96];
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->env = mlt_env_posix();
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/mlt-env-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/file", f->dir);
    *state = f;
    return 0;
}

struct removal {
    struct mlt_env *env;
    const char *dir;
};

static bool remove_each(void *arg, const char *name) {
    const struct removal *r = arg;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    if (r->env->unlink(r->env, path, NULL) != MLT_OK) {
        (void)rmdir(path);
    }
    return true;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    struct removal r = {f->env, f->dir};
    assert_int_equal(f->env->list(f->env, f->dir, remove_each, &r, NULL), MLT_OK);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static struct mlt_file *open_file(struct fixture *f, unsigned flags) {
    struct mlt_file *file = NULL;
    struct mlt_error err;
    if (f->env->open(f->env, &file, f->path, flags, &err)) {
        fail_msg("%s", err.text);
    }
    return file;
}

static void test_writes_and_reads_at_offsets(void **state) {
    // What is written at an offset is read there; reading at the end gives less, and a hole gives zeros.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_file *file = open_file(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE);
    uint8_t buf[16] = {0xff, 0xff};
    size_t got = 0;
    uint64_t size = 0;
    assert_int_equal(env->write(env, file, "hello", 5, 3, NULL), MLT_OK);
    assert_int_equal(env->sync(env, file, NULL), MLT_OK);
    assert_int_equal(env->size(env, file, &size, NULL), MLT_OK);
    assert_int_equal(size, 8);
    assert_int_equal(env->drop_cache(env, file, 0, 0, NULL), MLT_OK);
    assert_int_equal(env->read(env, file, buf, sizeof(buf), 0, &got, NULL), MLT_OK);
    assert_int_equal(got, 8);
    assert_memory_equal(buf, "\0\0\0hello", 8);
    assert_int_equal(env->read(env, file, buf, sizeof(buf), 8, &got, NULL), MLT_OK);
    assert_int_equal(got, 0);
    assert_int_equal(env->truncate(env, file, 4, NULL), MLT_OK);
    assert_int_equal(env->allocate(env, file, 10000, NULL), MLT_OK);
    assert_int_equal(env->size(env, file, &size, NULL), MLT_OK);
    assert_int_equal(size, 10000);
    env->close(env, file);
    env->close(env, NULL);
}

static void write_synced_once(struct fixture *f, unsigned flags) {
    struct mlt_env *env = f->env;
    struct mlt_file *file = open_file(f, flags);
    uint8_t *block = NULL;
    size_t got = 0;
    assert_int_equal(posix_memalign((void **)&block, MLT_IO_ALIGN, (size_t)2 * MLT_IO_ALIGN), 0);
    memset(block, 0x5a, MLT_IO_ALIGN);
    assert_int_equal(env->write_synced(env, file, block, MLT_IO_ALIGN, MLT_IO_ALIGN, NULL), MLT_OK);
    assert_int_equal(env->read(env, file, block + MLT_IO_ALIGN, MLT_IO_ALIGN, MLT_IO_ALIGN, &got, NULL), MLT_OK);
    assert_int_equal(got, MLT_IO_ALIGN);
    assert_memory_equal(block, block + MLT_IO_ALIGN, MLT_IO_ALIGN);
    free(block);
    env->close(env, file);
}

static void test_synced_writes(void **state) {
    // A synced write reads back, with the page cache and, where the file system can, past it.
    struct fixture *f = *state;
    write_synced_once(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE);
    write_synced_once(f, MLT_OPEN_WRITE | MLT_OPEN_DIRECT);
}

static void test_open_classes(void **state) {
    // Absent files, existing files and directories without permission are told apart, and modes are as asked.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_file *file = NULL;
    struct mlt_error err;
    struct stat st;
    assert_int_equal(env->open(env, &file, f->path, MLT_OPEN_READ, &err), MLT_NOTFOUND);
    assert_null(file);
    assert_non_null(strstr(err.text, f->path));
    assert_int_equal(err.os_errno, ENOENT);
    file = open_file(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE | MLT_OPEN_PRIVATE);
    env->close(env, file);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(env->open(env, &file, f->path, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE, &err),
                     MLT_CONFLICT);
    assert_int_equal(err.status, MLT_CONFLICT);
    assert_int_equal(env->mkdir(env, f->path, false, &err), MLT_CONFLICT);
    assert_int_equal(env->unlink(env, f->path, NULL), MLT_OK);
    assert_int_equal(env->unlink(env, f->path, NULL), MLT_NOTFOUND);
    assert_int_equal(env->mkdir(env, f->path, true, NULL), MLT_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(env->sync_dir(env, f->path, NULL), MLT_OK);
}

static void test_failed_write_is_reported(void **state) {
    // Writing to a file that was opened for reading fails with class, path and offset; nothing is pretended.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_error err;
    env->close(env, open_file(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE));
    struct mlt_file *file = open_file(f, MLT_OPEN_READ);
    assert_int_equal(env->write(env, file, "x", 1, 7, &err), MLT_IO);
    assert_true(err.has_offset);
    assert_int_equal(err.offset, 7);
    assert_string_equal(err.file, f->path);
    assert_int_equal(err.os_errno, EBADF);
    env->close(env, file);
}

static void test_full_device_is_no_space(void **state) {
    // A device that takes nothing is reported as full, so that the caller may try again later.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_file *file = NULL;
    struct mlt_error err;
    if (env->open(env, &file, "/dev/full", MLT_OPEN_WRITE, NULL) != MLT_OK) {
        print_message("skipped: no /dev/full\n");
        skip();
    }
    assert_int_equal(env->write(env, file, "x", 1, 0, &err), MLT_NOSPACE);
    assert_int_equal(err.status, MLT_NOSPACE);
    env->close(env, file);
}

// Opening a pipe would wait for whoever is at its other end.
static void test_pipe_is_refused(void **state) {
    struct fixture *f = *state;
    struct mlt_file *file = NULL;
    struct mlt_error err = {0};
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(f->env->open(f->env, &file, f->path, MLT_OPEN_READ, &err), MLT_INVALID);
    assert_int_equal(f->env->open(f->env, &file, f->path, MLT_OPEN_WRITE, &err), MLT_INVALID);
    assert_null(file);
}

static void test_lock_excludes(void **state) {
    // A lock is held as long as its file is open; a second taker is told that it is busy.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_file *first = NULL;
    struct mlt_file *second = NULL;
    struct mlt_error err;
    assert_int_equal(env->lock(env, &first, f->path, NULL), MLT_OK);
    assert_int_equal(env->lock(env, &second, f->path, &err), MLT_BUSY);
    assert_null(second);
    assert_non_null(strstr(err.text, "another process"));
    env->close(env, first);
    assert_int_equal(env->lock(env, &second, f->path, NULL), MLT_OK);
    env->close(env, second);
}

static bool count_name(void *arg, const char *name) {
    size_t *count = arg;
    assert_true(strcmp(name, "file") == 0 || strcmp(name, "file.2") == 0);
    (*count)++;
    return true;
}

static bool count_and_stop(void *arg, const char *name) {
    (void)count_name(arg, name);
    return false;
}

static void test_list_names(void **state) {
    // Listing gives every name once without the dots, and stops when told.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    size_t count = 0;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s.2", f->path);
    env->close(env, open_file(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE));
    assert_int_equal(env->list(env, f->dir, count_name, &count, NULL), MLT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(env->rename(env, f->path, other, NULL), MLT_OK);
    env->close(env, open_file(f, MLT_OPEN_WRITE | MLT_OPEN_CREATE));
    count = 0;
    assert_int_equal(env->list(env, f->dir, count_name, &count, NULL), MLT_OK);
    assert_int_equal(count, 2);
    count = 0;
    assert_int_equal(env->list(env, f->dir, count_and_stop, &count, NULL), MLT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(env->list(env, other, count_name, &count, NULL), MLT_IO);
}

static void test_replace_and_read_file(void **state) {
    // Replacing leaves the new content and no temporary file, over leftovers of a crash too; reading has a limit.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    struct mlt_buf buf = {0};
    struct mlt_error err;
    struct stat st;
    char temporary[128];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", f->path);
    FILE *leftover = fopen(temporary, "w");
    assert_non_null(leftover);
    assert_true(fputs("longer than what comes", leftover) >= 0);
    assert_int_equal(fclose(leftover), 0);

    assert_int_equal(mlt_env_replace_file(env, f->path, mlt_str("one"), true, NULL), MLT_OK);
    assert_int_equal(mlt_env_read_file(env, f->path, 3, &buf, NULL), MLT_OK);
    assert_true(mlt_bytes_is(mlt_buf_bytes(&buf), "one"));
    assert_int_not_equal(stat(temporary, &st), 0);
    assert_int_equal(mlt_env_replace_file(env, f->path, mlt_bytes_of(NULL, 0), true, NULL), MLT_OK);
    assert_int_equal(mlt_env_read_file(env, f->path, 3, &buf, NULL), MLT_OK);
    assert_int_equal(buf.len, 0);
    assert_int_equal(mlt_env_replace_file(env, f->path, mlt_str("four"), true, NULL), MLT_OK);
    assert_int_equal(mlt_env_read_file(env, f->path, 3, &buf, &err), MLT_LIMIT);
    assert_non_null(strstr(err.text, "4 bytes"));
    assert_int_equal(mlt_env_read_file(env, temporary, 3, &buf, &err), MLT_NOTFOUND);
    (void)snprintf(temporary, sizeof(temporary), "%s/absent/file", f->dir);
    assert_int_equal(mlt_env_replace_file(env, temporary, mlt_str("x"), false, &err), MLT_NOTFOUND);
    mlt_buf_clear(&buf);
}

static void test_private_replacement_is_never_readable(void **state) {
    // A private file is not readable by others even when a leftover of a crash, under the temporary name, was.
    struct fixture *f = *state;
    struct stat st;
    char temporary[128];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", f->path);
    int fd = open(temporary, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(mlt_env_replace_file(f->env, f->path, mlt_str("secret"), true, NULL), MLT_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_made_directories(void **state) {
    // A directory that is there is as good as a new one, a trailing slash says nothing, and a missing parent is told.
    struct fixture *f = *state;
    struct mlt_error err = {0};
    struct stat st;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/made//", f->dir);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mlt_env_make_dir(f->env, path, true, &err), MLT_OK);
        assert_int_equal(err.status, MLT_OK);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof(path), "%s/absent/made", f->dir);
    assert_int_equal(mlt_env_make_dir(f->env, path, true, &err), MLT_NOTFOUND);
}

static void test_clocks_and_randomness(void **state) {
    // The wall clock is in this century, the other never goes back, and two random draws differ.
    struct fixture *f = *state;
    struct mlt_env *env = f->env;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    uint64_t space = 0;
    assert_true(env->now(env) > INT64_C(1577836800000000000));
    int64_t first = env->monotonic(env);
    assert_true(env->monotonic(env) >= first);
    assert_int_equal(env->random(env, a, sizeof(a), NULL), MLT_OK);
    assert_int_equal(env->random(env, b, sizeof(b), NULL), MLT_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(env->free_space(env, f->dir, &space, NULL), MLT_OK);
    assert_true(space > 0);
    assert_int_equal(env->free_space(env, "/does/not/exist", &space, NULL), MLT_NOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writes_and_reads_at_offsets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_synced_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_write_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_device_is_no_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipe_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_excludes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replace_and_read_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_private_replacement_is_never_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_made_directories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clocks_and_randomness, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
