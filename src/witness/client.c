#include "witness/client.h"

#include <inttypes.h>
#include <stdio.h>

#include "witness/line.h"

#define URL_MAX 2100 // what mlt_net_url_check takes at most, and the path below it

static const char PATH[] = "/add-checkpoint";

// The text of others goes to logs and terminals: printable ASCII of its first line.
static void quote(char out[static MLT_WITNESS_TEXT_LEN], struct mlt_bytes body) {
    size_t len = 0;
    while (len < body.len && len < 100 && body.ptr[len] >= ' ' && body.ptr[len] < 0x7f) {
        len++;
    }
    (void)snprintf(out, MLT_WITNESS_TEXT_LEN, "%.*s", (int)len, len ? (const char *)body.ptr : "");
}

static void say(struct mlt_witness_reply *out, enum mlt_witness_outcome outcome, const char *fmt, ...) MLT_PRINTF(3, 4);
static void say(struct mlt_witness_reply *out, enum mlt_witness_outcome outcome, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out->text, sizeof(out->text), fmt, args);
    va_end(args);
    for (char *c = out->text; *c; c++) {
        *c = (char)(*c >= ' ' && *c < 0x7f ? *c : '?');
    }
    out->outcome = outcome;
}

static bool plausible(uint64_t time, int64_t now_s) {
    return now_s >= 0 && time <= (uint64_t)now_s + MLT_WITNESS_CLOCK_MAX_S &&
           time + MLT_WITNESS_CLOCK_MAX_S >= (uint64_t)now_s;
}

static void keep_line(struct mlt_witness_reply *out, const struct mlt_witness_question *q,
                      const struct mlt_note *note) {
    struct mlt_buf line = {0};
    uint64_t time;
    for (size_t i = 0; i < note->num_sigs; i++) {
        if (mlt_note_sig_claims(&note->sigs[i], q->vkey) &&
            mlt_cosignature_good(q->vkey, q->note_text, &note->sigs[i], &time) && time == out->time) {
            mlt_witness_put_line(&line, &note->sigs[i]);
            break;
        }
    }
    if (line.failed || line.len == 0 || line.len >= sizeof(out->line)) {
        say(out, MLT_WITNESS_FAILED, "its cosignature cannot be kept");
    } else {
        memcpy(out->line, line.data, line.len);
        out->outcome = MLT_WITNESS_COSIGNED;
    }
    mlt_buf_clear(&line);
}

// Lines of keys that the policy does not have are passed over: a witness may sign with a second one.
static void judge_lines(struct mlt_witness_reply *out, const struct mlt_witness_question *q, struct mlt_bytes body) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_error err = {0};
    const char *why = "";
    if (mlt_note_parse_lines(&note, &arena, q->note_text, body, &err) != MLT_OK) {
        say(out, MLT_WITNESS_FAILED, "its answer is not made of signature lines: %.150s", err.text);
    } else if (!mlt_cosignature_verify(&note, q->vkey, &out->time, &why)) {
        say(out, MLT_WITNESS_FAILED, "its cosignature does not count: %s", why);
    } else if (!plausible(out->time, q->now_s)) {
        say(out, MLT_WITNESS_FAILED, "its cosignature is of %" PRIu64 ", here it is %" PRId64 "; one clock is wrong",
            out->time, q->now_s);
    } else {
        keep_line(out, q, &note);
    }
    mlt_arena_clear(&arena);
}

static void judge_conflict(struct mlt_witness_reply *out, const struct mlt_witness_question *q, struct mlt_bytes body) {
    struct mlt_bytes digits = body;
    digits.len -= digits.len > 0 && digits.ptr[digits.len - 1] == '\n';
    bool has_size = mlt_decimal_decode(&out->size, digits);
    // Earlier versions of the protocol say 409 also for another root at the same size, some without a body.
    if (q->old_size == q->size && q->size > 0 && (!has_size || out->size == q->size)) {
        say(out, MLT_WITNESS_FORK, "it has cosigned another root for size %" PRIu64, q->size);
    } else if (!has_size || out->size == q->old_size) {
        say(out, MLT_WITNESS_FAILED, "it says 409 without naming another size");
    } else {
        say(out, MLT_WITNESS_SIZE, "it stands at size %" PRIu64, out->size);
    }
}

void mlt_witness_judge(struct mlt_witness_reply *out, const struct mlt_witness_question *q, int http_status,
                       struct mlt_bytes body) {
    char said[MLT_WITNESS_TEXT_LEN];
    int64_t retry_after_s = out->retry_after_s;
    memset(out, 0, sizeof(*out));
    quote(said, body);
    switch (http_status) {
    case 200:
        judge_lines(out, q, body);
        break;
    case 409:
        judge_conflict(out, q, body);
        break;
    case 422:
        // Nothing can contradict an empty tree: some witnesses do not take one.
        say(out, q->size > 0 ? MLT_WITNESS_FORK : MLT_WITNESS_REFUSED,
            "it says that the tree of size %" PRIu64 " contradicts its own: %s", q->size, said);
        break;
    case 403:
    case 404:
        say(out, MLT_WITNESS_REFUSED, "it does not know this log or its key (%d), its operator needs trail.json: %s",
            http_status, said);
        break;
    case 400:
        say(out, MLT_WITNESS_REFUSED, "it says that the request is malformed: %s", said);
        break;
    case 429:
    case 503:
        say(out, MLT_WITNESS_LATER, "it asks to come back later (%d)", http_status);
        out->retry_after_s = retry_after_s;
        break;
    default:
        say(out, MLT_WITNESS_FAILED, "it answers with HTTP status %d: %s", http_status, said);
        break;
    }
}

static bool full_url(char out[static URL_MAX], struct mlt_bytes prefix) {
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/') {
        prefix.len--;
    }
    int len = prefix.len < URL_MAX ? snprintf(out, URL_MAX, "%.*s%s", MLT_ARG(prefix), PATH) : URL_MAX;
    return len > 0 && len < URL_MAX;
}

void mlt_witness_ask(struct mlt_witness_reply *out, const struct mlt_witness_question *q,
                     const struct mlt_witness_way *way, struct mlt_bytes request, struct mlt_buf *answer,
                     int *http_status) {
    char full[URL_MAX];
    char type[MLT_NET_TYPE_LEN];
    struct mlt_error err = {0};
    *http_status = 0;
    *out = (struct mlt_witness_reply){0};
    if (!full_url(full, mlt_str(way->url))) {
        say(out, MLT_WITNESS_REFUSED, "its URL is too long");
        return;
    }
    const struct mlt_net_options opt = {.url = full,
                                        .content_type = "text/plain; charset=utf-8",
                                        .body = request,
                                        .timeout_ms = way->timeout_ms,
                                        .max_response = MLT_WITNESS_ANSWER_MAX,
                                        .allow_http_loopback = true,
                                        .cacert = way->cacert,
                                        .stopped = way->stopped,
                                        .session = way->session,
                                        .retry_after_s = &out->retry_after_s};
    if (mlt_net_post(&opt, http_status, answer, type, &err) != MLT_OK) {
        *http_status = 0;
        say(out, MLT_WITNESS_FAILED, "%.200s", err.text);
        return;
    }
    mlt_witness_judge(out, q, *http_status, mlt_buf_bytes(answer));
}

enum mlt_status mlt_witness_url_check(struct mlt_bytes prefix, struct mlt_error *err) {
    char full[URL_MAX];
    if (!full_url(full, prefix)) {
        return mlt_fail(err, MLT_INVALID, "the URL is too long");
    }
    return mlt_net_url_check(full, true, err);
}
