// links: mlt_note
//
// The first eight bytes are a time, the rest is a note. Both ways to verify a cosignature agree on it, and a
// cosignature that is made over its text verifies, says its time, and does not verify over another text.
#include <stdlib.h>

#include "note/cosignature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIME_LEN 8

static struct mlt_vkey published;
static struct mlt_cosigner cosigner;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void set_up(void) {
    static const uint8_t seed[32] = {3};
    if (cosigner.key) {
        return;
    }
    require(mlt_vkey_parse(&published,
                           mlt_str("witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"),
                           NULL) == MLT_OK);
    require(mlt_cosigner_init(&cosigner, mlt_str("fuzz"), seed, NULL) == MLT_OK);
}

static void check_agreement(const struct mlt_note *note) {
    uint64_t timestamp = 1;
    const char *why = NULL;
    bool good = mlt_cosignature_verify(note, &published, &timestamp, &why);
    require(good == mlt_note_verify(note, &published, 1, NULL, NULL));
    require(good == (why == NULL) && (good || timestamp == 0) && timestamp <= INT64_MAX);
}

static void check_signing(struct mlt_bytes text, uint64_t unix_seconds) {
    struct mlt_arena arena = {0};
    struct mlt_buf line = {0};
    struct mlt_note note;
    uint64_t timestamp = 0;
    enum mlt_status st = mlt_cosignature_sign(&line, text, &cosigner, unix_seconds, NULL);
    require((st == MLT_OK) == (unix_seconds <= INT64_MAX));
    if (st == MLT_OK) {
        require(mlt_note_parse_lines(&note, &arena, text, mlt_buf_bytes(&line), NULL) == MLT_OK);
        require(mlt_cosignature_verify(&note, &cosigner.vkey, &timestamp, NULL) && timestamp == unix_seconds);
        note.text = mlt_bytes_of(text.ptr, text.len - 1);
        require(!mlt_cosignature_verify(&note, &cosigner.vkey, &timestamp, NULL) && timestamp == 0);
    }
    mlt_buf_clear(&line);
    mlt_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    set_up();
    if (size < TIME_LEN) {
        return 0;
    }
    if (mlt_note_parse(&note, &arena, mlt_bytes_of(data + TIME_LEN, size - TIME_LEN), NULL) == MLT_OK) {
        check_agreement(&note);
        check_signing(note.text, mlt_load_u64be(data));
    }
    mlt_arena_clear(&arena);
    return 0;
}
