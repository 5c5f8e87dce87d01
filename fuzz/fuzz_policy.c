// links: mlt_note
//
// Whatever parses as a policy keeps its invariant, and more signatures never make a verdict worse: what holds for a
// checkpoint with one cosignature holds with both.
#include <stdlib.h>

#include "note/cosignature.h"
#include "note/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A checkpoint with up to two cosignatures. Its log and its witnesses are in the seed policies.
#define TEXT "fuzz.example/log\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n"
static struct mlt_buf notes[3]; // none, one, two cosignatures

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void set_up(void) {
    static const uint8_t log_seed[32] = {1};
    struct mlt_signer log;
    if (notes[0].len > 0) {
        return;
    }
    require(mlt_signer_init(&log, mlt_str("fuzz.example/log"), log_seed, NULL) == MLT_OK);
    for (size_t i = 0; i < 3; i++) {
        require(mlt_note_sign(&notes[i], mlt_str(TEXT), &log, NULL) == MLT_OK);
        for (size_t w = 0; w < i; w++) {
            struct mlt_cosigner cosigner;
            const uint8_t seed[32] = {(uint8_t)(2 + w)};
            const char *name = w == 0 ? "fuzz.example/w1" : "fuzz.example/w2";
            require(mlt_cosigner_init(&cosigner, mlt_str(name), seed, NULL) == MLT_OK);
            require(mlt_cosignature_sign(&notes[i], mlt_str(TEXT), &cosigner, 1700000000 + w, NULL) == MLT_OK);
            mlt_cosigner_clear(&cosigner);
        }
    }
    mlt_signer_clear(&log);
}

static bool judge(const struct mlt_policy *policy, size_t num_cosignatures) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_policy_verdict verdict;
    require(mlt_note_parse(&note, &arena, mlt_buf_bytes(&notes[num_cosignatures]), NULL) == MLT_OK);
    require(mlt_policy_judge(&verdict, policy, NULL, &note, NULL) == MLT_OK);
    require(verdict.holds == (verdict.why[0] == '\0'));
    require(!verdict.holds || verdict.log_key);
    require(verdict.num_cosigned <= num_cosignatures && verdict.num_cosigned <= verdict.num_witnesses);
    require(verdict.earliest <= verdict.latest);
    mlt_arena_clear(&arena);
    return verdict.holds;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_policy policy;
    struct mlt_error err = {0};
    set_up();
    if (mlt_policy_parse(&policy, mlt_bytes_of(data, size), &err) != MLT_OK) {
        require(err.text[0] != '\0' && policy.logs == NULL);
        return 0;
    }
    require(mlt_policy_check(&policy));
    bool held = false;
    for (size_t i = 0; i < 3; i++) {
        bool holds = judge(&policy, i);
        require(!held || holds);
        held = holds;
    }
    mlt_policy_clear(&policy);
    return 0;
}
