// links: mlt_segment mlt_testlib
//
// Whatever bytes a file of links has, it is refused, or searched and proved from without harm; and a proof that
// verifies against its root shows leaves as they stand in the file. The header's checksum is put right first: it
// finds rot, and would keep the fuzzer out.
#include <stdlib.h>

#include "lib/simdisk.h"
#include "segment/file.h"
#include "store/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CRC_OFF (MLT_SEGMENT_HEADER_LEN - 4)
#define FILE_MAX ((size_t)1 << 20)

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void put_file(struct mlt_env *env, const char *path, const uint8_t *data, size_t size) {
    struct mlt_file *file;
    uint8_t header[MLT_SEGMENT_HEADER_LEN];
    require(env->open(env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, NULL) == MLT_OK);
    require(env->write(env, file, data, size, 0, NULL) == MLT_OK);
    if (size >= sizeof(header)) {
        memcpy(header, data, sizeof(header));
        mlt_store_u32be(header + CRC_OFF, mlt_crc32c(mlt_bytes_of(header, CRC_OFF)));
        require(env->write(env, file, header, sizeof(header), 0, NULL) == MLT_OK);
    }
    env->close(env, file);
}

static void try_link(const struct mlt_segment_file *f, const struct mlt_link_access *tree, const uint8_t *data,
                     const struct mlt_link *link) {
    struct mlt_link_proof p;
    struct mlt_arena arena = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_link_prove(tree, link, 64, &arena, &p, &err);
    require(status == MLT_OK || err.text[0] != '\0');
    if (status == MLT_OK && mlt_link_proof_verify(&f->segment, link, &p, NULL)) {
        const uint8_t *leaves = data + MLT_SEGMENT_HEADER_LEN;
        for (size_t i = 0; i < p.num_shown; i++) {
            uint8_t bytes[MLT_LINK_LEAF_LEN];
            mlt_link_leaf_encode(bytes, &p.shown[i].leaf);
            require(memcmp(leaves + p.shown[i].at * MLT_LINK_LEAF_LEN, bytes, sizeof(bytes)) == 0);
        }
    }
    mlt_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > FILE_MAX) {
        return 0;
    }
    uint64_t first = size >= 24 ? mlt_load_u64be(data + 8) : 0;
    uint64_t end = size >= 24 ? mlt_load_u64be(data + 16) : 1;
    char path[MLT_SEGMENT_PATH_MAX];
    struct simdisk *disk = simdisk_new(1);
    struct mlt_env *env = simdisk_env(disk);
    struct mlt_segment_file f;
    struct mlt_error err = {0};
    require(env->mkdir(env, "t", false, NULL) == MLT_OK && env->mkdir(env, "t/links", false, NULL) == MLT_OK);
    mlt_segment_path(path, "t", first, end, "");
    put_file(env, path, data, size);
    enum mlt_status status = mlt_segment_file_open(&f, env, "t", first, end, &err);
    require(status == MLT_OK || (status == MLT_CORRUPT && err.text[0] != '\0'));
    if (status == MLT_OK) {
        require(f.segment.first == first && f.segment.end == end && first < end);
        const struct mlt_link_access tree = mlt_segment_file_access(&f);
        for (uint64_t i = 0; i < f.segment.num_leaves && i < 8; i++) {
            struct mlt_link link;
            memcpy(link.hash, data + MLT_SEGMENT_HEADER_LEN + i * 3 % f.segment.num_leaves * MLT_LINK_LEAF_LEN,
                   sizeof(link.hash));
            try_link(&f, &tree, data, &link);
            link.hash[i] ^= 0x40;
            try_link(&f, &tree, data, &link);
        }
        mlt_segment_file_close(&f);
    }
    simdisk_free(disk);
    return 0;
}
