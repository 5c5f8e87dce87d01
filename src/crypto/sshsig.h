// Signatures by SSH keys over files (OpenSSH PROTOCOL.sshsig), as ssh-keygen -Y sign makes them.
//
//   -----BEGIN SSH SIGNATURE-----
//   base64 of: "SSHSIG" || u32 version (1) || string public key || string namespace || string reserved ||
//              string hash algorithm ("sha256" or "sha512") || string signature
//   -----END SSH SIGNATURE-----
//
// The signature is over "SSHSIG" || string namespace || string reserved || string hash algorithm || string H(message).
//
// Narrower than ssh-keygen where two texts would stand for one signature: `reserved` is empty, base64 is canonical
// without white space inside its lines, and nothing stands before or after the armour but one line end.
#ifndef MLT_CRYPTO_SSHSIG_H
#define MLT_CRYPTO_SSHSIG_H

#include "crypto/ssh_key.h"

#define MLT_SSHSIG_BLOB_MAX 4608     // the longest key (2176), as long a signature, names and lengths
#define MLT_SSHSIG_ARMOURED_MAX 8192 // that in base64 with line ends: 6.3 KiB
#define MLT_SSHSIG_NAMESPACE_MAX 255 // OpenSSH knows "file" and "git"; applications use name@domain

// A signature as decoded. Its slices point into `blob`: it is not to be copied or moved.
struct mlt_sshsig {
    uint8_t blob[MLT_SSHSIG_BLOB_MAX];
    struct mlt_ssh_key key;
    struct mlt_bytes name_space;
    struct mlt_bytes hash_algorithm;
    struct mlt_bytes signature;
};

// mlt_sshsig_read decodes the armoured text. False: it is no signature, and `*why` is a fixed phrase that says why.
bool mlt_sshsig_read(struct mlt_sshsig *out, struct mlt_bytes armoured, const char **why);

// mlt_sshsig_verify: `*good` is true only for a good signature by its own key, over `message`, in `name_space`;
// otherwise `*why` is a fixed phrase. Whose key that is, is another question (note/allowed_signers.h). MLT_NOMEM: it
// could not be checked, and `*good` is false.
enum mlt_status mlt_sshsig_verify(bool *good, const char **why, const struct mlt_sshsig *sig, struct mlt_bytes message,
                                  const char *name_space, struct mlt_error *err) MLT_MUST_USE;

#endif
