// links: mlt_verify mlt_testlib jansson
//
// The JSON vectors of transparency-dev/merkle (417fb0c): proofs, and mutations of them with "wantErr".
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <dirent.h>
#include <jansson.h>

#include "lib/vectors.h"
#include "merkle/merkle.h"
#include "mltrail/verify.h"

#include <cmocka.h>

#define H MLT_HASH_LEN

// A few vectors have short words where the value of a hash does not matter: they are filled up with zeros.
static bool get_hash(const json_t *object, const char *name, uint8_t out[H]) {
    size_t len = 0;
    const char *text = json_string_value(json_object_get(object, name));
    memset(out, 0, H);
    return text && mlt_base64_decode(out, H, &len, mlt_str(text)) && len > 0;
}

// Numbers are read as doubles, since one vector has 2^64 - 1, which jansson takes no other way.
static uint64_t get_number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_real(value));
    double v = json_real_value(value);
    return v >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)v;
}

static bool get_proof(const json_t *object, struct mlt_proof *out) {
    const json_t *array = json_object_get(object, "proof");
    out->num_hashes = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        size_t len = 0;
        const char *text = json_string_value(json_array_get(array, i));
        if (i >= MLT_PROOF_MAX || !text || !mlt_base64_decode(out->hash[i], H, &len, mlt_str(text)) || len != H) {
            return false;
        }
        out->num_hashes++;
    }
    return true;
}

// A vector with hashes over 32 bytes, or others in its proof, cannot be put to our functions at all: it is refused.
static bool inclusion_verdict(const json_t *v) {
    struct mlt_proof proof;
    uint8_t root[H];
    uint8_t leaf[H];
    if (!get_hash(v, "root", root) || !get_hash(v, "leafHash", leaf) || !get_proof(v, &proof)) {
        return false;
    }
    struct mltrail_verdict verdict;
    uint64_t index = get_number(v, "leafIdx");
    uint64_t size = get_number(v, "treeSize");
    assert_int_equal(mltrail_verify_inclusion(&verdict, index, size, root, leaf, proof.hash[0], proof.num_hashes, NULL),
                     MLTRAIL_OK);
    bool holds = mlt_merkle_verify_inclusion(index, size, leaf, &proof, root);
    assert_int_equal(verdict.holds, holds); // the ladder of the public verifier refuses neither more nor less
    return holds;
}

static bool consistency_verdict(const json_t *v) {
    struct mlt_proof proof;
    uint8_t root1[H];
    uint8_t root2[H];
    if (!get_hash(v, "root1", root1) || !get_hash(v, "root2", root2) || !get_proof(v, &proof)) {
        return false;
    }
    struct mltrail_verdict verdict;
    uint64_t size1 = get_number(v, "size1");
    uint64_t size2 = get_number(v, "size2");
    assert_int_equal(
        mltrail_verify_consistency(&verdict, size1, root1, size2, root2, proof.hash[0], proof.num_hashes, NULL),
        MLTRAIL_OK);
    bool holds = mlt_merkle_verify_consistency(size1, size2, &proof, root1, root2);
    assert_int_equal(verdict.holds, holds);
    return holds;
}

struct tally {
    size_t num_files;
    size_t num_true;
};

static void check_file(const char *path, bool (*verdict)(const json_t *v), struct tally *tally) {
    json_error_t json_err;
    json_t *v = json_load_file(path, JSON_DECODE_INT_AS_REAL, &json_err);
    assert_non_null(v);
    bool want = !json_is_true(json_object_get(v, "wantErr"));
    if (verdict(v) != want) {
        fail_msg("%s: want %d", path, want);
    }
    tally->num_files++;
    tally->num_true += want;
    json_decref(v);
}

static void check_folder(const char *path, bool (*verdict)(const json_t *v), struct tally *tally) {
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char inner[2048];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (strstr(entry->d_name, ".json")) {
            check_file(inner, verdict, tally);
        } else {
            check_folder(inner, verdict, tally);
        }
    }
    (void)closedir(dir);
}

static void test_published_inclusion_vectors(void **state) {
    // All 98 published inclusion vectors get the verdict that they ask for.
    (void)state;
    char path[1024];
    struct tally tally = {0};
    if (!test_shared_path(path, sizeof(path), "vectors/merkle/testdata/inclusion")) {
        skip();
    }
    check_folder(path, inclusion_verdict, &tally);
    assert_int_equal(tally.num_files, 98);
    assert_in_range(tally.num_true, 1, 97);
}

static void test_published_consistency_vectors(void **state) {
    // All 98 published consistency vectors get the verdict that they ask for.
    (void)state;
    char path[1024];
    struct tally tally = {0};
    if (!test_shared_path(path, sizeof(path), "vectors/merkle/testdata/consistency")) {
        skip();
    }
    check_folder(path, consistency_verdict, &tally);
    assert_int_equal(tally.num_files, 98);
    assert_in_range(tally.num_true, 1, 97);
}

static void test_vector_harness_sees_a_flip(void **state) {
    // The harness itself fails a good vector as soon as one character of its proof is changed.
    (void)state;
    static const char text[] =
        "{\"leafIdx\": 0, \"treeSize\": 8, \"root\": \"XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\","
        "\"leafHash\": \"bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\", \"proof\": ["
        "\"lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=\","
        "\"Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=\","
        "\"a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=\"], \"wantErr\": false}";
    char changed[sizeof(text)];
    memcpy(changed, text, sizeof(text));
    *strstr(changed, "lqKW") = 'm';
    json_t *good = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *bad = json_loads(changed, JSON_DECODE_INT_AS_REAL, NULL);
    assert_true(inclusion_verdict(good));
    assert_false(inclusion_verdict(bad));
    json_decref(good);
    json_decref(bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_inclusion_vectors),
        cmocka_unit_test(test_published_consistency_vectors),
        cmocka_unit_test(test_vector_harness_sees_a_flip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
