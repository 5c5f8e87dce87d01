// links: mlt_record mlt_base_posix
//
// Bytes that somebody hands us as an entry are refused or can be read, redrafted and tried with a payload that is not
// theirs, without more coming of it than MLT_CORRUPT.
#include <stdlib.h>

#include "record/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds) {
        abort();
    }
}

static void redraft(const struct mlt_entry *e, struct mlt_arena *arena) {
    static const struct mlt_record_keys keys = {.index_key = {2}};
    struct mlt_json facts = {0};
    struct mlt_json payload = {0};
    struct mlt_draft d;
    check(mlt_json_scan(&facts, mlt_json_raw(&e->json, e->facts), NULL) == MLT_OK);
    enum mlt_status status = mlt_entry_redraft(&d, arena, e, &facts, NULL, &keys, NULL);
    check(status == MLT_OK || status == MLT_CORRUPT);
    if (e->payload != MLT_JSON_NONE) {
        check(mlt_json_scan(&payload, mlt_json_raw(&e->json, e->payload), NULL) == MLT_OK);
        status = mlt_entry_redraft(&d, arena, e, &facts, &payload, &keys, NULL);
        check(status == MLT_OK || status == MLT_CORRUPT);
    }
    mlt_json_clear(&facts);
    mlt_json_clear(&payload);
}

// A payload that opens, and that the entry hardly can commit to.
static void open_payload(const struct mlt_entry *e, struct mlt_arena *arena) {
    static const uint8_t kek[MLT_KEK_LEN] = {1};
    static struct mlt_sealer *sealer;
    static uint8_t wrapped[MLT_WRAPPED_LEN];
    static uint8_t sealed[64];
    static const char plain[] = "\0{\"prediction\":1,\"~1\":2}";
    struct mlt_bytes out;
    if (!sealer) {
        static const uint8_t secret[MLT_SECRET_LEN] = {3};
        check(mlt_sealer_new(&sealer, kek, NULL) == MLT_OK);
        check(mlt_seal_wrap(sealer, wrapped, secret, NULL) == MLT_OK);
        check(mlt_seal_payload(sealer, sealed, secret, mlt_bytes_of(plain, sizeof(plain) - 1), NULL) == MLT_OK);
    }
    struct mlt_bytes whole = mlt_bytes_of(sealed, sizeof(plain) - 1 + MLT_SEAL_TAG_LEN);
    check(mlt_entry_open_payload(e, sealer, wrapped, whole, arena, &out, NULL) == MLT_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_arena arena = {0};
    struct mlt_entry e;
    enum mlt_status status = mlt_entry_parse(&e, &arena, mlt_bytes_of(data, size), NULL);
    check(status == MLT_OK || status == MLT_CORRUPT);
    if (status == MLT_OK) {
        check(mlt_json_is(&e.json, e.facts, MLT_JSON_OBJECT));
        redraft(&e, &arena);
        open_payload(&e, &arena);
        mlt_entry_clear(&e);
    }
    mlt_arena_clear(&arena);
    return 0;
}
