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

static enum mlt_status read_at(const char *location, size_t *num) {
    const struct mlt_artifact_options opt = {.max_bytes = 1000, .local_files = true};
    struct mlt_manifest m = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_artifact_read(NULL, mlt_str(location), &opt, &m, &err);
    *num = m.num;
    mlt_manifest_clear(&m);
    return status;
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
    FILE *file = fopen("elsewhere/model", "w");
    assert_non_null(file);
    assert_true(fputs("weights", file) >= 0);
    assert_int_equal(fclose(file), 0);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_local_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
