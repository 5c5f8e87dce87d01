// Public keys of SSH (RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f) and the signatures they check.
//
// Everything here is a verdict over bytes that somebody else made: decoding is bounded, and only the canonical form is
// a key or a signature. Certificates, DSA, ssh-rsa with SHA-1 and RSA under 2048 bits are none.
#ifndef MLT_CRYPTO_SSH_KEY_H
#define MLT_CRYPTO_SSH_KEY_H

#include "base/bytes.h"

#define MLT_SSH_RSA_BITS_MIN 2048        // NIST SP 800-131A; OpenSSH itself would still take 1024
#define MLT_SSH_RSA_BITS_MAX 16384       // what OpenSSH and OpenSSL take
#define MLT_SSH_RSA_EXPONENT_BYTES_MAX 8 // what OpenSSL takes with long moduli; keeps one check to milliseconds
#define MLT_SSH_KEY_BLOB_MAX 2176        // the longest RSA key: modulus of 2049 bytes, exponent of 9, name and lengths
#define MLT_SSH_FINGERPRINT_LEN 50       // "SHA256:" and 43 characters

enum mlt_ssh_key_type {
    MLT_SSH_ED25519,
    MLT_SSH_ECDSA_P256,
    MLT_SSH_ECDSA_P384,
    MLT_SSH_ECDSA_P521,
    MLT_SSH_RSA,
    MLT_SSH_SK_ED25519, // on a security key: signs a counter and says whether somebody touched it
    MLT_SSH_SK_ECDSA_P256,
    MLT_NUM_SSH_KEY_TYPES,
};

// Borrows the blob that it was read from.
struct mlt_ssh_key {
    enum mlt_ssh_key_type type;
    struct mlt_bytes blob;
    struct mlt_bytes point;             // Ed25519: 32 bytes; ECDSA: the uncompressed point
    struct mlt_bytes exponent, modulus; // RSA: without the leading zero
    struct mlt_bytes application;       // security keys
};

// mlt_ssh_key_type_name is the name at the head of a blob: "ssh-ed25519", …
const char *mlt_ssh_key_type_name(enum mlt_ssh_key_type type);

// mlt_ssh_key_read reads the blob of a public key. False: it is none of ours, and `*why` is a fixed phrase that says
// what is wrong. A point that is not on its curve is found when a signature is checked.
bool mlt_ssh_key_read(struct mlt_ssh_key *out, struct mlt_bytes blob, const char **why);

// mlt_ssh_key_type_why says why keys of this type name are not taken ("certificates are not supported", …).
const char *mlt_ssh_key_type_why(struct mlt_bytes name);

// mlt_ssh_key_fingerprint writes "SHA256:" and the hash of the blob as ssh-keygen -l shows it.
void mlt_ssh_key_fingerprint(char out[static MLT_SSH_FINGERPRINT_LEN + 1], const struct mlt_ssh_key *key);

// mlt_ssh_key_verify: `*good` is true only if `signature` (the blob: algorithm name and what belongs to it) is a good
// one by the key over `message`; otherwise `*why` is a fixed phrase. A security key must say that its user was present.
// MLT_NOMEM: it could not be checked, and `*good` is false.
enum mlt_status mlt_ssh_key_verify(bool *good, const char **why, const struct mlt_ssh_key *key,
                                   struct mlt_bytes message, struct mlt_bytes signature,
                                   struct mlt_error *err) MLT_MUST_USE;

// mlt_ssh_string takes a string (u32 length and bytes) off the cursor.
struct mlt_bytes mlt_ssh_string(struct mlt_cursor *c);

#endif
