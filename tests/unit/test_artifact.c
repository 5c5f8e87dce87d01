// links: mlt_mlflow mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mlflow/artifact.h"
#include "mlflow/folder.h"

static enum mlt_status read_at(const char *location, size_t *num) {
    const struct mlt_artifact_options opt = {.max_bytes = 1000, .local_files = true};
    struct mlt_manifest m = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_artifact_read(NULL, mlt_str(location), &opt, &m, &err);
    *num = m.num;
    mlt_manifest_clear(&m);
    return status;
}

static void put_file(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_local_files(void **state) {
    // Files of this machine are read where an absolute path says; the files of another machine are not looked for below
    // the place where the program happens to run.
    char dir[] = "/tmp/mltrail-artifact-XXXXXX", location[128];
    size_t num = 0;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    put_file("elsewhere/model", "weights");
    (void)snprintf(location, sizeof location, "file://%s/elsewhere", dir);
    assert_int_equal(read_at(location, &num), MLT_OK);
    assert_int_equal(num, 1);
    assert_int_equal(read_at(location + sizeof "file://" - 1, &num), MLT_OK);
    assert_int_equal(num, 1);
    assert_int_equal(read_at("file://elsewhere/model", &num), MLT_INVALID);
    assert_int_equal(num, 0);
    assert_int_equal(read_at("file://", &num), MLT_INVALID);
    assert_int_equal(unlink("elsewhere/model"), 0);
    assert_int_equal(rmdir("elsewhere"), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_what_a_digest_would_not_bind(void **state) {
    // What a digest passed over, or could not express, would pass for a part of the model.
    char dir[] = "/tmp/mltrail-artifact-XXXXXX";
    size_t num = 0;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    put_file("model", "weights");
    assert_int_equal(read_at(dir, &num), MLT_OK);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(read_at(dir, &num), MLT_INVALID);
    assert_int_equal(unlink("pipe"), 0);
    assert_int_equal(symlink("model", "link"), 0);
    assert_int_equal(read_at(dir, &num), MLT_INVALID);
    assert_int_equal(unlink("link"), 0);
    put_file("two\nlines", "");
    assert_int_equal(read_at(dir, &num), MLT_INVALID);
    assert_int_equal(unlink("two\nlines"), 0);
    put_file("\xff", "");
    assert_int_equal(read_at(dir, &num), MLT_INVALID);
    assert_int_equal(unlink("\xff"), 0);
    assert_int_equal(truncate("model", 1001), 0);
    assert_int_equal(read_at(dir, &num), MLT_LIMIT);
    assert_int_equal(unlink("model"), 0);
    assert_int_equal(read_at(dir, &num), MLT_INVALID);
    assert_int_equal(rmdir(dir), 0);
}

static void lengthen(void *arg, uint64_t done, uint64_t total) {
    (void)total;
    if (done == 7) {
        put_file(arg, "other weights");
    }
}

static void test_a_file_that_changes(void **state) {
    char dir[] = "/tmp/mltrail-artifact-XXXXXX", model[64];
    struct mlt_manifest m = {0};
    struct mlt_error err = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(model, sizeof model, "%s/model", dir);
    put_file(model, "weights");
    const struct mlt_folder_options opt = {.progress = lengthen, .progress_arg = model};
    assert_int_equal(mlt_folder_read(dir, &opt, &m, &err), MLT_CONFLICT);
    mlt_manifest_clear(&m);
    assert_int_equal(unlink(model), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_what_version_control_keeps(void **state) {
    // Model Signing leaves it out, dirHash does not.
    uint8_t hash[MLT_HASH_LEN] = {1}, oms[2][MLT_HASH_LEN], dir_hash[2][MLT_HASH_LEN];
    struct mlt_manifest m = {0};
    struct mlt_error err = {0};
    (void)state;
    assert_int_equal(mlt_manifest_add(&m, mlt_str("model"), hash, 1, &err), MLT_OK);
    assert_int_equal(mlt_manifest_roots(&m, oms[0], dir_hash[0], &err), MLT_OK);
    assert_int_equal(mlt_manifest_add(&m, mlt_str(".gitattributes"), hash, 1, &err), MLT_OK);
    assert_int_equal(mlt_manifest_roots(&m, oms[1], dir_hash[1], &err), MLT_OK);
    assert_memory_equal(oms[0], oms[1], MLT_HASH_LEN);
    assert_memory_not_equal(dir_hash[0], dir_hash[1], MLT_HASH_LEN);
    mlt_manifest_clear(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_files),
        cmocka_unit_test(test_what_a_digest_would_not_bind),
        cmocka_unit_test(test_a_file_that_changes),
        cmocka_unit_test(test_what_version_control_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
