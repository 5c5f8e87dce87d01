// The setting of allowed signers, for a source in memory.
#ifndef TEST_ALLOWED_H
#define TEST_ALLOWED_H

#include "lib/memsource.h"
#include "lib/sshsigner.h"
#include "record/json.h"

// Adds the setting with the public key of `number` for each '%' of `text`.
static inline void allowed_set(struct mlt_memsource *m, uint8_t number, const char *text) {
    struct mlt_buf value = {0}, record = {0};
    struct mlt_json_writer w;
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            sshsigner_public(&value, number);
        } else {
            mlt_buf_put_u8(&value, (uint8_t)*text);
        }
    }
    mlt_jw_init(&w, &record);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "control");
    mlt_jw_member(&w, "control", "setting");
    mlt_jw_member(&w, "name", "allowed_signers");
    mlt_jw_member_bytes(&w, "value", mlt_buf_bytes(&value));
    mlt_jw_end_object(&w);
    mlt_memsource_add(m, "admin", "2026-01-04T12:00:00Z", mlt_buf_cstr(&record));
    mlt_buf_clear(&value);
    mlt_buf_clear(&record);
}

#endif
