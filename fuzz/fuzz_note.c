// links: mlt_note
//
// Whatever parses as a note is text, an empty line and lines that are all accounted for; verifying it never crashes,
// and adding a signature of our own to its text gives a note that verifies.
#include <stdlib.h>

#include "note/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Published keys of the seeds, so that mutated notes meet known keys, and a signing key of our own.
static const char *const key_texts[] = {
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN",
};
#define NUM_KEYS (sizeof(key_texts) / sizeof(key_texts[0]))

static struct mlt_vkey keys[NUM_KEYS];
static struct mlt_signer signer;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void set_up(void) {
    static const uint8_t seed[32] = {1};
    if (signer.key) {
        return;
    }
    for (size_t i = 0; i < NUM_KEYS; i++) {
        require(mlt_vkey_parse(&keys[i], mlt_str(key_texts[i]), NULL) == MLT_OK);
    }
    require(mlt_signer_init(&signer, mlt_str("fuzz"), seed, NULL) == MLT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_arena arena = {0};
    struct mlt_buf signed_again = {0};
    struct mlt_note note;
    struct mlt_error err = {0};
    bool good[NUM_KEYS];
    const char *why = NULL;
    set_up();
    if (mlt_note_parse(&note, &arena, mlt_bytes_of(data, size), &err) != MLT_OK) {
        require(err.text[0] != '\0' && note.num_sigs == 0);
        goto out;
    }
    require(note.text.ptr == data && note.text.len < size && note.text.ptr[note.text.len - 1] == '\n');
    require(note.num_sigs >= 1 && note.num_sigs <= MLT_NOTE_SIGNATURES_MAX);
    bool verdict = mlt_note_verify(&note, keys, NUM_KEYS, good, &why);
    require(verdict == (why == NULL));
    require(!verdict || good[0] || good[1] || good[2]);

    require(mlt_note_sign(&signed_again, note.text, &signer, NULL) == MLT_OK);
    struct mlt_note again;
    require(mlt_note_parse(&again, &arena, mlt_buf_bytes(&signed_again), NULL) == MLT_OK);
    require(mlt_bytes_equal(again.text, note.text));
    require(mlt_note_verify(&again, &signer.vkey, 1, NULL, NULL));
out:
    mlt_buf_clear(&signed_again);
    mlt_arena_clear(&arena);
    return 0;
}
