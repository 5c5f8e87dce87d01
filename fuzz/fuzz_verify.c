// links: mlt_verify
//
// The input is a .tlog-proof for the entry "five" under the keys of a published log and its witness. Without their
// private keys nobody makes one that holds for another place or another tree.
#include <stdlib.h>
#include <string.h>

#include "mltrail/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy[] = "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\n"
                             "witness w Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk\nquorum w\n";

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mltrail_trust *trust;
    struct mltrail_verdict verdict;
    struct mltrail_checkpoint checkpoint;
    struct mltrail_error err;
    uint64_t index;
    if (!trust) {
        require(mltrail_trust_new_policy(&trust, policy, sizeof(policy) - 1, NULL, 0, NULL) == MLTRAIL_OK);
    }
    enum mltrail_status st =
        mltrail_verify_tlog_proof(&verdict, &index, &checkpoint, trust, data, size, "five", 4, &err);
    require(verdict.holds == (verdict.reason == MLTRAIL_HOLDS) && verdict.holds == (verdict.why[0] == '\0'));
    require(err.status == st && (st == MLTRAIL_OK) == (err.text[0] == '\0'));
    require((st == MLTRAIL_OK) == (verdict.reason != MLTRAIL_UNCHECKED));
    if (verdict.holds) {
        require(index == 4 && checkpoint.size == 15 && checkpoint.num_cosigned == 1);
        require(strcmp(checkpoint.origin, "example.com/log/testdata") == 0 && checkpoint.latest == 1700000000);
    } else {
        require(index == 0 && checkpoint.size == 0 && checkpoint.origin[0] == '\0');
    }
    require(mltrail_trust_check(trust));
    return 0;
}
