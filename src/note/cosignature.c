// The bytes of a cosignature/v1 in a signature line, after the key id:
//
//   0   8  time, seconds since 1970, big-endian, at most 2^63 - 1
//   8  64  Ed25519 signature of "cosignature/v1\n" "time <decimal>\n" <note text>
#include "note/cosignature.h"

#include <assert.h>

#include "note/format.h"

#define TIMESTAMP_LEN 8
#define COSIGNATURE_LEN (TIMESTAMP_LEN + MLT_ED25519_SIG_LEN)

static void put_message(struct mlt_buf *out, uint64_t unix_seconds, struct mlt_bytes note_text) {
    mlt_buf_put_str(out, "cosignature/v1\ntime ");
    mlt_buf_put_u64_decimal(out, unix_seconds);
    mlt_buf_put_u8(out, '\n');
    mlt_buf_put_bytes(out, note_text);
}

enum mlt_status mlt_cosigner_init(struct mlt_cosigner *out, struct mlt_bytes name, const uint8_t seed[static 32],
                                  struct mlt_error *err) {
    return mlt_key_init(&out->vkey, &out->key, MLT_KEY_COSIGNATURE_V1, name, seed, err);
}

enum mlt_status mlt_cosigner_parse(struct mlt_cosigner *out, struct mlt_bytes secret_text, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    struct mlt_vkey found;
    uint8_t seed[MLT_ED25519_SEED_LEN];
    enum mlt_status st = mlt_key_parse_secret(&found, seed, MLT_KEY_COSIGNATURE_V1, secret_text, err);
    if (!st) {
        st = mlt_cosigner_init(out, mlt_str(found.name), seed, err);
    }
    mlt_wipe(seed, sizeof(seed));
    return st;
}

enum mlt_status mlt_cosigner_format_secret(char out[static MLT_SKEY_TEXT_MAX], struct mlt_bytes name,
                                           const uint8_t seed[static 32], struct mlt_error *err) {
    return mlt_key_format_secret(out, MLT_KEY_COSIGNATURE_V1, name, seed, err);
}

void mlt_cosigner_clear(struct mlt_cosigner *c) {
    if (c) {
        mlt_signing_key_free(c->key);
        mlt_wipe(c, sizeof(*c));
    }
}

enum mlt_status mlt_cosignature_sign(struct mlt_buf *out, struct mlt_bytes note_text, const struct mlt_cosigner *c,
                                     uint64_t unix_seconds, struct mlt_error *err) {
    assert(c->key && c->vkey.type == MLT_KEY_COSIGNATURE_V1);
    if (unix_seconds > INT64_MAX) {
        return mlt_fail(err, MLT_INVALID, "cosignature time must be at most 2^63 - 1 seconds");
    }
    enum mlt_status st = mlt_note_check_text(note_text, err);
    if (st) {
        return st;
    }
    uint8_t sig[COSIGNATURE_LEN];
    struct mlt_buf message = {0};
    mlt_store_u64be(sig, unix_seconds);
    put_message(&message, unix_seconds, note_text);
    st = message.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a cosignature")
                        : mlt_ed25519_sign(c->key, sig + TIMESTAMP_LEN, mlt_buf_bytes(&message), err);
    mlt_buf_clear(&message);
    return st ? st : mlt_note_put_signature(out, &c->vkey, mlt_bytes_of(sig, sizeof(sig)), err);
}

enum mlt_status mlt_cosignature_check(bool *good, const struct mlt_vkey *key, struct mlt_bytes note_text,
                                      const struct mlt_note_sig *sig, uint64_t *timestamp, struct mlt_error *err) {
    *good = false;
    *timestamp = 0;
    if (key->type != MLT_KEY_COSIGNATURE_V1 || sig->sig_len != COSIGNATURE_LEN) {
        return MLT_OK;
    }
    uint64_t claimed = mlt_load_u64be(sig->sig);
    if (claimed > INT64_MAX) {
        return MLT_OK;
    }
    struct mlt_buf message = {0};
    put_message(&message, claimed, note_text);
    if (message.failed) {
        mlt_buf_clear(&message);
        return mlt_fail(err, MLT_NOMEM, "no memory to check a cosignature");
    }
    *good = mlt_ed25519_verify(key->key, mlt_buf_bytes(&message), sig->sig + TIMESTAMP_LEN);
    mlt_buf_clear(&message);
    if (*good) {
        *timestamp = claimed;
    }
    return MLT_OK;
}

bool mlt_cosignature_good(const struct mlt_vkey *key, struct mlt_bytes note_text, const struct mlt_note_sig *sig,
                          uint64_t *timestamp) {
    bool good;
    return mlt_cosignature_check(&good, key, note_text, sig, timestamp, NULL) == MLT_OK && good;
}

enum mlt_status mlt_cosignature_find(const char **why, uint64_t *timestamp, const struct mlt_note *note,
                                     const struct mlt_vkey *key, struct mlt_error *err) {
    bool found = false;
    *timestamp = 0;
    *why = "this key is not a witness's";
    if (key->type != MLT_KEY_COSIGNATURE_V1) {
        return MLT_OK;
    }
    *why = "a signature under this witness's key does not verify";
    uint64_t latest = 0;
    for (size_t i = 0; i < note->num_sigs; i++) {
        const struct mlt_note_sig *sig = &note->sigs[i];
        bool good;
        uint64_t time;
        if (!mlt_note_sig_claims(sig, key)) {
            continue;
        }
        enum mlt_status st = mlt_cosignature_check(&good, key, note->text, sig, &time, err);
        if (st || !good) {
            return st;
        }
        found = true;
        latest = time > latest ? time : latest;
    }
    *why = found ? NULL : "no signature by this witness";
    *timestamp = latest;
    return MLT_OK;
}

bool mlt_cosignature_verify(const struct mlt_note *note, const struct mlt_vkey *key, uint64_t *timestamp,
                            const char **why) {
    uint64_t latest;
    const char *phrase;
    if (mlt_cosignature_find(&phrase, &latest, note, key, NULL)) {
        phrase = "memory ran out before the signature could be checked";
    }
    if (timestamp) {
        *timestamp = latest;
    }
    if (why) {
        *why = phrase;
    }
    return phrase == NULL;
}
