// The allowed-signers file of ssh-keygen(1): whose SSH key may sign, for what, and when.
//
//   principals [option[,option]...] key-type base64-key [comment]
//
// Principals are patterns ("*", "?", "!" in front forbids), separated by commas. Options: namespaces="pattern,…",
// valid-after="TIME", valid-before="TIME"; TIME is YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or without Z. Empty
// lines and lines that begin with '#' say nothing.
//
// Unlike ssh-keygen: a time without Z is UTC, not local time, so that a file means the same everywhere; a file with a
// line that is not understood is refused as a whole, and so are cert-authority lines, since certificates are not
// supported.
#ifndef MLT_NOTE_ALLOWED_SIGNERS_H
#define MLT_NOTE_ALLOWED_SIGNERS_H

#include "crypto/ssh_key.h"

#define MLT_ALLOWED_SIGNERS_TEXT_MAX (64 * 1024) // hundreds of signers; what a trail keeps is shorter
#define MLT_ALLOWED_SIGNERS_MAX 1024             // lines with a key: the shortest one has more than 64 bytes

struct mlt_allowed_signer {
    size_t line;                 // from 1
    struct mlt_bytes principals; // patterns
    struct mlt_bytes namespaces; // patterns; ptr NULL: any
    bool has_after, has_before;
    int64_t after, before; // ns: valid from `after` up to and including `before`
    struct mlt_ssh_key key;
};

struct mlt_allowed_signers {
    struct mlt_allowed_signer *signers;
    size_t num;
};

// mlt_allowed_signers_read reads the whole text, which `out` borrows; the rest is in `arena`. MLT_INVALID, MLT_LIMIT:
// the error names the line, what is wrong with it and what would be right.
enum mlt_status mlt_allowed_signers_read(struct mlt_allowed_signers *out, struct mlt_bytes text,
                                         struct mlt_arena *arena, struct mlt_error *err) MLT_MUST_USE;

// How near the file comes to allowing: the nearest line counts.
enum mlt_signer_verdict {
    MLT_SIGNER_UNKNOWN,         // no line has this key
    MLT_SIGNER_OTHER_PRINCIPAL, // the key is somebody else's
    MLT_SIGNER_OTHER_NAMESPACE, // his, for something else
    MLT_SIGNER_NOT_YET,         // his, from a later time on
    MLT_SIGNER_EXPIRED,         // his, until an earlier time
    MLT_SIGNER_ALLOWED,
};

// mlt_allowed_signers_find says whether `principal` may sign with `key` in `name_space` at `time` (ns). `*signer` is
// the line that the verdict rests on; NULL for MLT_SIGNER_UNKNOWN.
enum mlt_signer_verdict mlt_allowed_signers_find(const struct mlt_allowed_signers *list, struct mlt_bytes principal,
                                                 const struct mlt_ssh_key *key, struct mlt_bytes name_space,
                                                 int64_t time, const struct mlt_allowed_signer **signer);

#endif
