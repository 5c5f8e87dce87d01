#include "record/json_sum.h"

#include <stdio.h>

#include "crypto/sha256.h"

#define SUM_NAME ",\"sha256\":\""
#define SUM_LEN (sizeof(SUM_NAME) - 1 + (size_t)2 * MLT_HASH_LEN + 2) // up to and with "}

void mlt_json_sum_end(struct mlt_json_writer *w) {
    uint8_t sum[MLT_HASH_LEN];
    mlt_sha256_one(sum, mlt_buf_bytes(w->out));
    mlt_jw_name(w, "sha256");
    mlt_jw_hex(w, mlt_bytes_of(sum, sizeof(sum)));
    mlt_jw_end_object(w);
    mlt_buf_put_u8(w->out, '\n');
}

static bool sum_fits(struct mlt_bytes text) {
    uint8_t sum[MLT_HASH_LEN];
    char end[SUM_LEN + 1];
    char hex[2 * MLT_HASH_LEN + 1];
    if (text.len < SUM_LEN) {
        return false;
    }
    mlt_sha256_one(sum, mlt_bytes_of(text.ptr, text.len - SUM_LEN));
    mlt_hex_encode(hex, mlt_bytes_of(sum, sizeof(sum)));
    (void)snprintf(end, sizeof(end), SUM_NAME "%s\"}", hex);
    return memcmp(text.ptr + text.len - SUM_LEN, end, SUM_LEN) == 0;
}

bool mlt_json_sum_scan(struct mlt_json *json, struct mlt_bytes text) {
    if (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    return sum_fits(text) && mlt_json_scan(json, text, NULL) == MLT_OK && mlt_json_is(json, 0, MLT_JSON_OBJECT);
}
