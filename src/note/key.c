// Text forms of verifier keys (C2SP signed-note, "Verifier keys") and of signing keys (the PRIVATE+KEY form of
// golang.org/x/mod/sumdb/note, which other tools read and write).
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "note/format.h"

#define KEY_ID_DIGITS 8
#define KEY_BYTES_LEN (1 + MLT_ED25519_KEY_LEN) // type, then public key or seed
#define KEY_BASE64_LEN 44

static const char SECRET_PREFIX[] = "PRIVATE+KEY+";

uint32_t mlt_key_id(struct mlt_bytes name, uint8_t type, struct mlt_bytes public_key) {
    const uint8_t separator[2] = {'\n', type};
    const struct mlt_bytes parts[] = {name, {separator, sizeof(separator)}, public_key};
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256(hash, parts, 3);
    return mlt_load_u32be(hash);
}

static struct mlt_bytes vkey_name(const struct mlt_vkey *key) {
    return mlt_str(key->name);
}

// The three fields of "name+hex8+base64". The base64 may itself contain '+', so only the first two separate.
static enum mlt_status split_fields(struct mlt_bytes text, struct mlt_bytes fields[static 3], struct mlt_error *err) {
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *plus = text.len > 0 ? memchr(text.ptr, '+', text.len) : NULL;
        if (!plus) {
            return mlt_fail(err, MLT_INVALID, "key has %zu of 3 fields, it should read name+hash+key", i + 1);
        }
        fields[i] = mlt_bytes_of(text.ptr, (size_t)(plus - text.ptr));
        text = mlt_bytes_of(plus + 1, text.len - fields[i].len - 1);
    }
    fields[2] = text;
    return MLT_OK;
}

// Fills everything but whether key id and key belong together, which differs for public and secret keys.
static enum mlt_status parse_fields(struct mlt_vkey *out, uint8_t key_bytes[static KEY_BYTES_LEN],
                                    struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_bytes fields[3];
    enum mlt_status st = split_fields(text, fields, err);
    if (st) {
        return st;
    }
    if (!mlt_note_name_valid(fields[0])) {
        return mlt_fail(err, MLT_INVALID,
                        "key name must be 1..%d bytes of UTF-8 without spaces, control characters and '+'",
                        MLT_NOTE_NAME_MAX);
    }
    uint8_t id[4];
    if (!mlt_hex_decode(id, sizeof(id), fields[1])) {
        return mlt_fail(err, MLT_INVALID, "key id must be %d lower-case hexadecimal digits", KEY_ID_DIGITS);
    }
    // Room for keys longer than ours (ML-DSA-44 has 1,313 bytes), so that they are told apart from bad base64.
    uint8_t decoded[2048];
    size_t len = 0;
    if (!mlt_base64_decode(decoded, sizeof(decoded), &len, fields[2]) || len == 0) {
        mlt_wipe(decoded, sizeof(decoded));
        return mlt_fail(err, MLT_INVALID, "key bytes must be standard base64 with padding, %d characters",
                        KEY_BASE64_LEN);
    }
    if (decoded[0] != MLT_KEY_ED25519 && decoded[0] != MLT_KEY_COSIGNATURE_V1) {
        st = mlt_fail(err, MLT_INVALID, "key type 0x%02x is not known, 0x01 (Ed25519) and 0x04 (cosignature/v1) are",
                      decoded[0]);
    } else if (len != KEY_BYTES_LEN) {
        st = mlt_fail(err, MLT_INVALID, "key has %zu bytes after its type, Ed25519 has %d", len - 1,
                      MLT_ED25519_KEY_LEN);
    } else {
        memset(out, 0, sizeof(*out));
        memcpy(out->name, fields[0].ptr, fields[0].len);
        out->key_id = mlt_load_u32be(id);
        out->type = decoded[0] == MLT_KEY_ED25519 ? MLT_KEY_ED25519 : MLT_KEY_COSIGNATURE_V1;
        memcpy(key_bytes, decoded, KEY_BYTES_LEN);
    }
    mlt_wipe(decoded, sizeof(decoded));
    return st;
}

static enum mlt_status check_key_id(const struct mlt_vkey *key, struct mlt_error *err) {
    uint32_t want = mlt_key_id(vkey_name(key), (uint8_t)key->type, mlt_bytes_of(key->key, sizeof(key->key)));
    if (key->key_id != want) {
        return mlt_fail(err, MLT_INVALID, "key id %08x does not belong to this name and key, %08x does",
                        (unsigned)key->key_id, (unsigned)want);
    }
    return MLT_OK;
}

enum mlt_status mlt_vkey_parse(struct mlt_vkey *out, struct mlt_bytes text, struct mlt_error *err) {
    uint8_t bytes[KEY_BYTES_LEN];
    enum mlt_status st = parse_fields(out, bytes, text, err);
    if (st) {
        return st;
    }
    memcpy(out->key, bytes + 1, sizeof(out->key));
    st = check_key_id(out, err);
    if (st) {
        memset(out, 0, sizeof(*out));
    }
    return st;
}

bool mlt_vkey_equal(const struct mlt_vkey *a, const struct mlt_vkey *b) {
    return a->type == b->type && strcmp(a->name, b->name) == 0 && memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

static void format_fields(char *out, size_t cap, const char *prefix, const struct mlt_vkey *key,
                          const uint8_t key_bytes[static 32]) {
    uint8_t bytes[KEY_BYTES_LEN];
    char base64[KEY_BASE64_LEN + 1];
    bytes[0] = (uint8_t)key->type;
    memcpy(bytes + 1, key_bytes, sizeof(bytes) - 1);
    mlt_base64_encode(base64, mlt_bytes_of(bytes, sizeof(bytes)));
    int len = snprintf(out, cap, "%s%s+%08x+%s", prefix, key->name, (unsigned)key->key_id, base64);
    assert(len > 0 && (size_t)len < cap);
    (void)len;
    mlt_wipe(bytes, sizeof(bytes));
    mlt_wipe(base64, sizeof(base64));
}

void mlt_vkey_format(char out[static MLT_VKEY_TEXT_MAX], const struct mlt_vkey *key) {
    format_fields(out, MLT_VKEY_TEXT_MAX, "", key, key->key);
}

static enum mlt_status check_name(struct mlt_bytes name, struct mlt_error *err) {
    if (!mlt_note_name_valid(name)) {
        return mlt_fail(err, MLT_INVALID,
                        "key name must be 1..%d bytes of UTF-8 without spaces, control characters and '+'",
                        MLT_NOTE_NAME_MAX);
    }
    return MLT_OK;
}

static void describe_key(struct mlt_vkey *vkey, const struct mlt_signing_key *key, enum mlt_key_type type,
                         struct mlt_bytes name) {
    memcpy(vkey->name, name.ptr, name.len);
    vkey->type = type;
    mlt_signing_key_public(key, vkey->key);
    vkey->key_id = mlt_key_id(name, (uint8_t)type, mlt_bytes_of(vkey->key, sizeof(vkey->key)));
}

enum mlt_status mlt_key_init(struct mlt_vkey *vkey, struct mlt_signing_key **key, enum mlt_key_type type,
                             struct mlt_bytes name, const uint8_t seed[static 32], struct mlt_error *err) {
    memset(vkey, 0, sizeof(*vkey));
    *key = NULL;
    enum mlt_status st = check_name(name, err);
    st = st ? st : mlt_signing_key_new(key, seed, err);
    if (!st) {
        describe_key(vkey, *key, type, name);
    }
    return st;
}

enum mlt_status mlt_signer_take(struct mlt_signer *out, struct mlt_bytes name, struct mlt_signing_key *key,
                                struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    enum mlt_status st = check_name(name, err);
    if (st) {
        mlt_signing_key_free(key);
        return st;
    }
    out->key = key;
    describe_key(&out->vkey, key, MLT_KEY_ED25519, name);
    return MLT_OK;
}

// The id in a secret text is that of the public key, which only the seed gives.
static enum mlt_status check_secret_id(const struct mlt_vkey *found, const uint8_t seed[static 32],
                                       struct mlt_error *err) {
    struct mlt_vkey want;
    struct mlt_signing_key *key;
    enum mlt_status st = mlt_key_init(&want, &key, found->type, vkey_name(found), seed, err);
    mlt_signing_key_free(key);
    if (!st && found->key_id != want.key_id) {
        st = mlt_fail(err, MLT_INVALID, "key id %08x does not belong to this name and key, %08x does",
                      (unsigned)found->key_id, (unsigned)want.key_id);
    }
    return st;
}

enum mlt_status mlt_key_parse_secret(struct mlt_vkey *found, uint8_t seed[static 32], enum mlt_key_type type,
                                     struct mlt_bytes secret_text, struct mlt_error *err) {
    size_t prefix_len = sizeof(SECRET_PREFIX) - 1;
    memset(found, 0, sizeof(*found));
    memset(seed, 0, MLT_ED25519_SEED_LEN);
    if (secret_text.len < prefix_len || memcmp(secret_text.ptr, SECRET_PREFIX, prefix_len) != 0) {
        return mlt_fail(err, MLT_INVALID, "a signing key begins with %s", SECRET_PREFIX);
    }
    uint8_t bytes[KEY_BYTES_LEN];
    enum mlt_status st =
        parse_fields(found, bytes, mlt_bytes_of(secret_text.ptr + prefix_len, secret_text.len - prefix_len), err);
    if (st) {
        return st;
    }
    if (found->type != type && found->type != MLT_KEY_ED25519) {
        st = mlt_fail(err, MLT_INVALID, "signing key is of type 0x%02x, want 0x%02x", found->type, type);
    } else {
        st = check_secret_id(found, bytes + 1, err);
    }
    if (!st) {
        memcpy(seed, bytes + 1, MLT_ED25519_SEED_LEN);
    }
    mlt_wipe(bytes, sizeof(bytes));
    return st;
}

enum mlt_status mlt_key_format_secret(char out[static MLT_SKEY_TEXT_MAX], enum mlt_key_type type, struct mlt_bytes name,
                                      const uint8_t seed[static 32], struct mlt_error *err) {
    struct mlt_vkey vkey;
    struct mlt_signing_key *key;
    enum mlt_status st = mlt_key_init(&vkey, &key, type, name, seed, err);
    if (!st) {
        format_fields(out, MLT_SKEY_TEXT_MAX, SECRET_PREFIX, &vkey, seed);
        mlt_signing_key_free(key);
    }
    return st;
}

enum mlt_status mlt_signer_init(struct mlt_signer *out, struct mlt_bytes name, const uint8_t seed[static 32],
                                struct mlt_error *err) {
    return mlt_key_init(&out->vkey, &out->key, MLT_KEY_ED25519, name, seed, err);
}

enum mlt_status mlt_signer_parse(struct mlt_signer *out, struct mlt_bytes secret_text, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    struct mlt_vkey found;
    uint8_t seed[MLT_ED25519_SEED_LEN];
    enum mlt_status st = mlt_key_parse_secret(&found, seed, MLT_KEY_ED25519, secret_text, err);
    if (!st) {
        st = mlt_signer_init(out, vkey_name(&found), seed, err);
    }
    mlt_wipe(seed, sizeof(seed));
    return st;
}

enum mlt_status mlt_signer_format_secret(char out[static MLT_SKEY_TEXT_MAX], struct mlt_bytes name,
                                         const uint8_t seed[static 32], struct mlt_error *err) {
    return mlt_key_format_secret(out, MLT_KEY_ED25519, name, seed, err);
}

void mlt_signer_clear(struct mlt_signer *s) {
    if (s) {
        mlt_signing_key_free(s->key);
        mlt_wipe(s, sizeof(*s));
    }
}
