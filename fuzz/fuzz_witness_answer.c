// links: mlt_witness
//
// Whatever a witness answers: only a good cosignature by its key is kept, as one line that verifies, and every other
// answer comes with a text that can be printed. First line: HTTP status, old size and whether to add a good
// cosignature.
#include <stdlib.h>

#include "lib/small_log.h"
#include "witness/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 5
#define NOW INT64_C(1700000000)

static struct small_log log_of;
static struct mlt_cosigner witness;
static struct mlt_buf note;
static struct mlt_arena arena;
static struct mlt_note parsed;

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void set_up(void) {
    static const uint8_t seed[32] = {7};
    if (witness.key) {
        return;
    }
    small_log_init(&log_of, "log.example.com/a", 1, 0, "a");
    require(mlt_cosigner_init(&witness, mlt_str("w.example.com"), seed, NULL) == MLT_OK);
    small_log_note(&log_of, SIZE, &note);
    require(mlt_note_parse(&parsed, &arena, mlt_buf_bytes(&note), NULL) == MLT_OK);
}

static void check_line(const struct mlt_witness_reply *r) {
    struct mlt_arena own = {0};
    struct mlt_note again;
    uint64_t time = 0;
    require(mlt_note_parse_lines(&again, &own, parsed.text, mlt_str(r->line), NULL) == MLT_OK && again.num_sigs == 1);
    require(mlt_cosignature_verify(&again, &witness.vkey, &time, NULL) && time == r->time);
    mlt_arena_clear(&own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {200, 409, 422, 400, 403, 404, 429, 503, 500, 302};
    struct mlt_buf body = {0};
    struct mlt_witness_reply r = {0};
    set_up();
    if (size < 3) {
        return 0;
    }
    const struct mlt_witness_question q = {
        .vkey = &witness.vkey, .note_text = parsed.text, .old_size = data[1] % (SIZE + 1), .size = SIZE, .now_s = NOW};
    int status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    if (data[2] % 2) {
        require(mlt_cosignature_sign(&body, parsed.text, &witness, (uint64_t)NOW + data[2], NULL) == MLT_OK);
    }
    mlt_buf_put(&body, data + 3, size - 3);
    mlt_witness_judge(&r, &q, status, mlt_buf_bytes(&body));
    require((r.line[0] != '\0') == (r.outcome == MLT_WITNESS_COSIGNED));
    require((r.text[0] == '\0') == (r.outcome == MLT_WITNESS_COSIGNED));
    require(r.outcome != MLT_WITNESS_COSIGNED || status == 200);
    require(r.outcome != MLT_WITNESS_SIZE || (status == 409 && r.size != q.old_size));
    for (const char *c = r.text; *c; c++) {
        require(*c >= ' ' && *c < 0x7f);
    }
    if (r.outcome == MLT_WITNESS_COSIGNED) {
        check_line(&r);
    }
    mlt_buf_clear(&body);
    return 0;
}
