#include "crypto/sshsig.h"

#include <openssl/evp.h>

#include "crypto/provider.h"

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define MAGIC "SSHSIG"
#define MAGIC_LEN 6
#define VERSION 1
#define DIGEST_MAX 64   // SHA-512
#define HASH_NAME_MAX 8 // of the hash algorithm

static bool no(const char **why, const char *phrase) {
    *why = phrase;
    return false;
}

// The next line without its end ("\n" or "\r\n"); the last one may lack it.
static struct mlt_bytes next_line(struct mlt_bytes *rest) {
    const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct mlt_bytes line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t taken = line.len + (end ? 1 : 0);
    *rest = mlt_bytes_of(rest->ptr + taken, rest->len - taken);
    if (end && line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

// Takes the armour off: the base64 between the two lines, put together again.
static bool remove_armour(uint8_t *blob, size_t *len, struct mlt_bytes rest, const char **why) {
    char base64[MLT_SSHSIG_ARMOURED_MAX];
    size_t num = 0;
    if (rest.len == 0 || rest.len > sizeof(base64)) {
        return no(why, rest.len == 0 ? "it is empty" : "it is longer than any signature");
    }
    if (!mlt_bytes_is(next_line(&rest), BEGIN)) {
        return no(why, "it does not begin with the line " BEGIN);
    }
    for (;;) {
        if (rest.len == 0) {
            return no(why, "it does not end with the line " END);
        }
        struct mlt_bytes line = next_line(&rest);
        if (mlt_bytes_is(line, END)) {
            break;
        }
        if (line.len == 0) {
            return no(why, "there is an empty line within it");
        }
        memcpy(base64 + num, line.ptr, line.len); // all lines together are shorter than the text
        num += line.len;
    }
    if (rest.len > 0) {
        return no(why, "something follows its last line");
    }
    return mlt_base64_decode(blob, MLT_SSHSIG_BLOB_MAX, len, mlt_bytes_of(base64, num))
               ? true
               : no(why, "what stands between its first and last line is not base64, or is too long");
}

bool mlt_sshsig_read(struct mlt_sshsig *out, struct mlt_bytes armoured, const char **why) {
    size_t len = 0;
    if (!remove_armour(out->blob, &len, armoured, why)) {
        return false;
    }
    struct mlt_cursor c = mlt_cursor_of(mlt_bytes_of(out->blob, len));
    bool magic = mlt_bytes_is(mlt_cursor_take(&c, MAGIC_LEN), MAGIC);
    uint32_t version = mlt_cursor_u32be(&c);
    struct mlt_bytes key = mlt_ssh_string(&c);
    out->name_space = mlt_ssh_string(&c);
    struct mlt_bytes reserved = mlt_ssh_string(&c);
    out->hash_algorithm = mlt_ssh_string(&c);
    out->signature = mlt_ssh_string(&c);
    if (!magic) {
        return no(why, "it does not begin with SSHSIG inside");
    }
    if (version != VERSION) {
        return no(why, "its version is not 1");
    }
    if (c.failed || mlt_cursor_left(&c) > 0) {
        return no(why, "it is cut off inside, or something follows it there");
    }
    if (out->name_space.len == 0 || out->name_space.len > MLT_SSHSIG_NAMESPACE_MAX) {
        return no(why, "its namespace is empty or longer than 255 bytes");
    }
    if (reserved.len > 0) {
        return no(why, "its reserved field is not empty");
    }
    if (!mlt_bytes_is(out->hash_algorithm, "sha256") && !mlt_bytes_is(out->hash_algorithm, "sha512")) {
        return no(why, "its hash algorithm is neither sha256 nor sha512");
    }
    return mlt_ssh_key_read(&out->key, key, why);
}

// H(message) by the algorithm that the signature names; 0: the library does not work.
static size_t hash(uint8_t out[static DIGEST_MAX], struct mlt_bytes algorithm, struct mlt_bytes message) {
    static const uint8_t nothing[1];
    const char *name = mlt_bytes_is(algorithm, "sha256") ? "SHA2-256" : "SHA2-512";
    size_t len = 0;
    const void *data = message.len > 0 ? message.ptr : nothing;
    return EVP_Q_digest(NULL, name, NULL, data, message.len, out, &len) == 1 ? len : 0;
}

// What is signed, on the stack: every part is bounded by mlt_sshsig_read.
struct to_sign {
    uint8_t bytes[MAGIC_LEN + 4 * 4 + MLT_SSHSIG_NAMESPACE_MAX + HASH_NAME_MAX + DIGEST_MAX];
    size_t len;
};

static void put_string(struct to_sign *t, struct mlt_bytes s) {
    mlt_store_u32be(t->bytes + t->len, (uint32_t)s.len);
    if (s.len > 0) {
        memcpy(t->bytes + t->len + 4, s.ptr, s.len);
    }
    t->len += 4 + s.len;
}

enum mlt_status mlt_sshsig_verify(bool *good, const char **why, const struct mlt_sshsig *sig, struct mlt_bytes message,
                                  const char *name_space, struct mlt_error *err) {
    uint8_t digest[DIGEST_MAX];
    struct to_sign t = {.len = MAGIC_LEN};
    *good = false;
    *why = "the signature was made in another namespace";
    if (!mlt_bytes_is(sig->name_space, name_space)) {
        return MLT_OK;
    }
    size_t digest_len = hash(digest, sig->hash_algorithm, message);
    if (digest_len == 0) {
        *why = "it was not checked";
        return mlt_provider_fail(err, MLT_NOMEM, "hash what is signed"); // these algorithms lack nothing but memory
    }
    memcpy(t.bytes, MAGIC, MAGIC_LEN);
    put_string(&t, sig->name_space);
    put_string(&t, (struct mlt_bytes){0});
    put_string(&t, sig->hash_algorithm);
    put_string(&t, mlt_bytes_of(digest, digest_len));
    return mlt_ssh_key_verify(good, why, &sig->key, mlt_bytes_of(t.bytes, t.len), sig->signature, err);
}
