// Signed notes (C2SP signed-note v1.0.0): text, an empty line, signature lines.
#include "note/note.h"

#include <assert.h>

#include "note/cosignature.h"
#include "note/format.h"

// "— " in UTF-8: what a signature line begins with.
static const char SIG_PREFIX[] = "\xe2\x80\x94 ";
#define SIG_PREFIX_LEN (sizeof(SIG_PREFIX) - 1)
#define KEY_ID_LEN 4

// Splits at the last empty line, since the text may have empty lines of its own.
static bool split_at_last_empty_line(struct mlt_bytes bytes, struct mlt_bytes *text, struct mlt_bytes *lines) {
    for (size_t i = bytes.len; i >= 2; i--) {
        if (bytes.ptr[i - 1] == '\n' && bytes.ptr[i - 2] == '\n') {
            *text = mlt_bytes_of(bytes.ptr, i - 1);
            *lines = mlt_bytes_of(bytes.ptr + i, bytes.len - i);
            return true;
        }
    }
    return false;
}

static size_t count_lines(struct mlt_bytes lines) {
    size_t n = 0;
    for (size_t i = 0; i < lines.len; i++) {
        n += lines.ptr[i] == '\n';
    }
    return n;
}

// Whether all of `base64` is canonical, for texts longer than we have room for.
static bool base64_valid(struct mlt_bytes base64) {
    uint8_t bytes[MLT_NOTE_SIG_BYTES_MAX];
    const size_t chunk_len = sizeof(bytes) / 3 * 4;
    while (base64.len > chunk_len) {
        size_t len = 0;
        // Padding may only be at the very end.
        if (!mlt_base64_decode(bytes, sizeof(bytes), &len, mlt_bytes_of(base64.ptr, chunk_len)) ||
            len != chunk_len / 4 * 3) {
            return false;
        }
        base64 = mlt_bytes_of(base64.ptr + chunk_len, base64.len - chunk_len);
    }
    size_t len = 0;
    return mlt_base64_decode(bytes, sizeof(bytes), &len, base64);
}

// Decodes key id and signature. A signature longer than any that we know how to check is of a foreign type: the line is
// kept, so that the rest of the note counts, with sig_len 0, so that it can never verify.
static bool decode_signature(struct mlt_note_sig *out, struct mlt_bytes base64) {
    uint8_t bytes[KEY_ID_LEN + MLT_NOTE_SIG_BYTES_MAX];
    static_assert(sizeof(bytes) % 3 == 0, "else the longest text would not fit to the byte");
    size_t len = 0;
    bool whole = base64.len <= mlt_base64_encoded_len(sizeof(bytes));
    if (!whole && !base64_valid(base64)) {
        return false;
    }
    // Eight characters are six bytes: enough to see the key id.
    struct mlt_bytes decoded = whole ? base64 : mlt_bytes_of(base64.ptr, 8);
    if (!mlt_base64_decode(bytes, sizeof(bytes), &len, decoded) || len <= KEY_ID_LEN) {
        return false;
    }
    out->key_id = mlt_load_u32be(bytes);
    out->sig_len = whole ? len - KEY_ID_LEN : 0;
    memcpy(out->sig, bytes + KEY_ID_LEN, out->sig_len);
    return true;
}

static enum mlt_status parse_sig_line(struct mlt_note_sig *out, struct mlt_bytes line, size_t number,
                                      struct mlt_error *err) {
    if (line.len < SIG_PREFIX_LEN || memcmp(line.ptr, SIG_PREFIX, SIG_PREFIX_LEN) != 0) {
        return mlt_fail(err, MLT_INVALID, "signature line %zu does not begin with an em dash and a space", number);
    }
    struct mlt_bytes rest = {line.ptr + SIG_PREFIX_LEN, line.len - SIG_PREFIX_LEN};
    const uint8_t *space = rest.len > 0 ? memchr(rest.ptr, ' ', rest.len) : NULL;
    if (!space) {
        return mlt_fail(err, MLT_INVALID, "signature line %zu has no signature after the key name", number);
    }
    out->name = mlt_bytes_of(rest.ptr, (size_t)(space - rest.ptr));
    if (!mlt_note_name_form(out->name)) {
        return mlt_fail(err, MLT_INVALID, "signature line %zu has no valid key name", number);
    }
    if (!decode_signature(out, mlt_bytes_of(space + 1, rest.len - out->name.len - 1))) {
        return mlt_fail(err, MLT_INVALID, "signature line %zu: want standard base64 of a 4-byte key id and a signature",
                        number);
    }
    return MLT_OK;
}

static enum mlt_status parse_lines(struct mlt_note *out, struct mlt_arena *arena, struct mlt_bytes text,
                                   struct mlt_bytes lines, struct mlt_error *err) {
    if (lines.len == 0 || lines.ptr[lines.len - 1] != '\n') {
        return mlt_fail(err, MLT_INVALID, "note must end with at least one signature line and its newline");
    }
    size_t num_sigs = count_lines(lines);
    if (num_sigs > MLT_NOTE_SIGNATURES_MAX) {
        return mlt_fail(err, MLT_LIMIT, "note has %zu signatures, at most %d are allowed", num_sigs,
                        MLT_NOTE_SIGNATURES_MAX);
    }
    struct mlt_note_sig *sigs = mlt_arena_take(arena, num_sigs * sizeof(*sigs));
    if (!sigs) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %zu signatures", num_sigs);
    }
    struct mlt_cursor c = mlt_cursor_of(lines);
    for (size_t i = 0; i < num_sigs; i++) {
        enum mlt_status st = parse_sig_line(&sigs[i], mlt_cursor_line(&c), i + 1, err);
        if (st) {
            return st;
        }
    }
    *out = (struct mlt_note){text, sigs, num_sigs};
    return MLT_OK;
}

enum mlt_status mlt_note_parse(struct mlt_note *out, struct mlt_arena *arena, struct mlt_bytes bytes,
                               struct mlt_error *err) {
    *out = (struct mlt_note){0};
    if (bytes.len > MLT_NOTE_MAX) {
        return mlt_fail(err, MLT_LIMIT, "note has %zu bytes, at most %d are allowed", bytes.len, MLT_NOTE_MAX);
    }
    enum mlt_status st = mlt_note_check_characters(bytes, err);
    if (st) {
        return st;
    }
    struct mlt_bytes text;
    struct mlt_bytes lines;
    if (!split_at_last_empty_line(bytes, &text, &lines)) {
        return mlt_fail(err, MLT_INVALID, "note has no empty line between text and signatures");
    }
    return parse_lines(out, arena, text, lines, err);
}

enum mlt_status mlt_note_parse_lines(struct mlt_note *out, struct mlt_arena *arena, struct mlt_bytes text,
                                     struct mlt_bytes lines, struct mlt_error *err) {
    *out = (struct mlt_note){0};
    if (lines.len > MLT_NOTE_MAX) {
        return mlt_fail(err, MLT_LIMIT, "signature lines have %zu bytes, at most %d are allowed", lines.len,
                        MLT_NOTE_MAX);
    }
    enum mlt_status st = mlt_note_check_text(text, err);
    if (!st) {
        st = mlt_note_check_characters(lines, err);
    }
    return st ? st : parse_lines(out, arena, text, lines, err);
}

bool mlt_note_sig_claims(const struct mlt_note_sig *sig, const struct mlt_vkey *key) {
    return sig->key_id == key->key_id && mlt_bytes_is(sig->name, key->name);
}

static bool verify_one(const struct mlt_vkey *key, struct mlt_bytes text, const struct mlt_note_sig *sig) {
    switch (key->type) {
    case MLT_KEY_ED25519:
        return sig->sig_len == MLT_ED25519_SIG_LEN && mlt_ed25519_verify(key->key, text, sig->sig);
    case MLT_KEY_COSIGNATURE_V1: {
        uint64_t timestamp;
        return mlt_cosignature_good(key, text, sig, &timestamp);
    }
    }
    return false;
}

static bool verdict(const char **why, const char *phrase) {
    if (why) {
        *why = phrase;
    }
    return phrase == NULL;
}

bool mlt_note_verify(const struct mlt_note *note, const struct mlt_vkey *keys, size_t num_keys, bool *good,
                     const char **why) {
    size_t num_good = 0;
    for (size_t k = 0; good && k < num_keys; k++) {
        good[k] = false;
    }
    for (size_t i = 0; i < note->num_sigs; i++) {
        const struct mlt_note_sig *sig = &note->sigs[i];
        for (size_t k = 0; k < num_keys; k++) {
            if (!mlt_note_sig_claims(sig, &keys[k])) {
                continue;
            }
            if (!verify_one(&keys[k], note->text, sig)) {
                return verdict(why, "a signature under a known key does not verify");
            }
            num_good++;
            if (good) {
                good[k] = true;
            }
        }
    }
    return verdict(why, num_good > 0 ? NULL : "no signature by a known key");
}

enum mlt_status mlt_note_put_signature(struct mlt_buf *out, const struct mlt_vkey *key, struct mlt_bytes sig,
                                       struct mlt_error *err) {
    struct mlt_buf bytes = {0};
    mlt_buf_put_u32be(&bytes, key->key_id);
    mlt_buf_put_bytes(&bytes, sig);
    mlt_buf_put(out, SIG_PREFIX, SIG_PREFIX_LEN);
    mlt_buf_put_str(out, key->name);
    mlt_buf_put_u8(out, ' ');
    mlt_buf_put_base64(out, mlt_buf_bytes(&bytes));
    mlt_buf_put_u8(out, '\n');
    bool failed = bytes.failed || out->failed;
    mlt_buf_clear(&bytes);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory for a signature line") : MLT_OK;
}

enum mlt_status mlt_note_sign(struct mlt_buf *out, struct mlt_bytes text, const struct mlt_signer *signer,
                              struct mlt_error *err) {
    assert(signer->key && signer->vkey.type == MLT_KEY_ED25519);
    uint8_t sig[MLT_ED25519_SIG_LEN];
    enum mlt_status st = mlt_note_check_text(text, err);
    if (!st) {
        st = mlt_ed25519_sign(signer->key, sig, text, err);
    }
    if (st) {
        return st;
    }
    mlt_buf_put_bytes(out, text);
    mlt_buf_put_u8(out, '\n');
    return mlt_note_put_signature(out, &signer->vkey, mlt_bytes_of(sig, sizeof(sig)), err);
}
