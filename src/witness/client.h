// The other side of C2SP tlog-witness: asking a witness to cosign, and judging what it answers.
//
// A witness is trusted with nothing but its key. What it answers is bounded, and counts only as far as a signature
// under the policy's key says so. Its word about a size is unsigned: it decides what is asked next, and whether the log
// stops.
#ifndef MLT_WITNESS_CLIENT_H
#define MLT_WITNESS_CLIENT_H

#include "net/post.h"
#include "note/add_checkpoint.h"
#include "note/cosignature.h"

#define MLT_WITNESS_ANSWER_MAX ((size_t)32 * 1024) // some ML-DSA cosignatures of 3.3 KiB beside the one that we want
#define MLT_WITNESS_LINE_MAX 512                   // an Ed25519 cosignature line: a name of 255 and 104 characters
#define MLT_WITNESS_TEXT_LEN 256
// A cosignature's time is what makes it worth something: one that is far from now is not kept. Ten minutes is more than
// clocks of machines that ask the time of anybody differ.
#define MLT_WITNESS_CLOCK_MAX_S 600

enum mlt_witness_outcome {
    MLT_WITNESS_COSIGNED, // a good cosignature
    MLT_WITNESS_SIZE,     // 409: it stands at another size
    MLT_WITNESS_FORK,     // it says that this tree contradicts what it has cosigned
    MLT_WITNESS_REFUSED,  // 400, 403, 404: it will not, until somebody changes something
    MLT_WITNESS_LATER,    // 429, 503
    MLT_WITNESS_FAILED,   // no answer, or none that the protocol knows
};

struct mlt_witness_reply {
    enum mlt_witness_outcome outcome;
    uint64_t size;                   // MLT_WITNESS_SIZE: the witness's
    uint64_t time;                   // MLT_WITNESS_COSIGNED: seconds since 1970
    char line[MLT_WITNESS_LINE_MAX]; // … and its line, with the newline
    int64_t retry_after_s;           // 0: not said
    char text[MLT_WITNESS_TEXT_LEN]; // otherwise: what was wrong, one line of printable ASCII
};

// What was asked: decides what an answer means.
struct mlt_witness_question {
    const struct mlt_vkey *vkey; // of the witness
    struct mlt_bytes note_text;  // what the log signed
    uint64_t old_size, size;
    int64_t now_s;
};

// mlt_witness_judge judges a complete answer.
void mlt_witness_judge(struct mlt_witness_reply *out, const struct mlt_witness_question *q, int http_status,
                       struct mlt_bytes body);

// How to reach a witness.
struct mlt_witness_way {
    const char *url; // the submission prefix
    int64_t timeout_ms;
    const char *cacert;              // NULL: the system's authorities
    struct mlt_net_session *session; // NULL: a connection for each question
    const atomic_bool *stopped;      // as mlt_net_post takes it
};

// mlt_witness_ask posts `request` (an add-checkpoint body) and judges the answer. `answer` gets the raw answer for
// evidence, `*http_status` its status, 0 when there was none.
void mlt_witness_ask(struct mlt_witness_reply *out, const struct mlt_witness_question *q,
                     const struct mlt_witness_way *way, struct mlt_bytes request, struct mlt_buf *answer,
                     int *http_status);

// mlt_witness_url_check says whether `prefix` is one that mlt_witness_ask would send to.
enum mlt_status mlt_witness_url_check(struct mlt_bytes prefix, struct mlt_error *err) MLT_MUST_USE;

#endif
