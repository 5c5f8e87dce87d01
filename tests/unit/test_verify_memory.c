// links: mlt_verify -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
//
// The first, second, ... allocation of a verification fails, until it gets through: each time the status says that
// memory ran out, never that a good proof is false, and the verdict does not hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/no_memory.h"
#include "mltrail/verify.h"

#include <cmocka.h>

#define DASH "\xe2\x80\x94"
#define LOG_VKEY "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
#define WITNESS_VKEY "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk"

static const char policy[] = "log " LOG_VKEY "\nwitness w " WITNESS_VKEY "\nquorum w\n";
static const char proof[] =
    "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 4\n"
    "yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=\nnk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=\n"
    "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=\n5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=\n\n"
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n" DASH
    " example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74"
    "ewI=\n" DASH
    " Wit1 mz+y1QAAAABlU/EAYEDMPd8Ge7XzsHcNU+F3AzavfsuzhRT3gC4BORiySViMAWQq5znn5g+ruu+iDztzMS3EeF6xr4ug+O66"
    "ORoSAw==\n";

// One verification from text to verdict, with allocation `n` failing; 0: none.
static enum mltrail_status verify_with(long n, struct mltrail_verdict *verdict) {
    struct mltrail_trust *trust = NULL;
    struct mltrail_error err;
    memset(verdict, 0, sizeof(*verdict));
    no_memory_at(n);
    enum mltrail_status st = mltrail_trust_new_policy(&trust, policy, sizeof(policy) - 1, NULL, 0, &err);
    if (st == MLTRAIL_OK) {
        st = mltrail_verify_tlog_proof(verdict, NULL, NULL, trust, proof, sizeof(proof) - 1, "five", 4, &err);
    } else {
        assert_null(trust);
    }
    (void)no_memory_end();
    assert_int_equal(err.status, st);
    assert_true(st == MLTRAIL_OK || err.text[0] != '\0');
    mltrail_trust_free(trust);
    return st;
}

static void test_no_memory_is_not_a_false_proof(void **state) {
    // Until the whole gets through, the answer is "could not be checked".
    (void)state;
    struct mltrail_verdict verdict;
    assert_int_equal(verify_with(0, &verdict), MLTRAIL_OK);
    assert_true(verdict.holds);
    long n = 1;
    while (verify_with(n, &verdict) != MLTRAIL_OK) {
        assert_int_equal(verdict.reason, MLTRAIL_UNCHECKED);
        assert_false(verdict.holds);
        n++;
    }
    assert_int_equal(verdict.reason, MLTRAIL_HOLDS);
    assert_true(n > 6); // trust, policy, proof, note, cosignature: fewer means that nothing was made to fail
    printf("%ld allocations failed in turn\n", n - 1);

    struct mltrail_tree *tree;
    no_memory_at(1);
    assert_int_equal(mltrail_tree_new(&tree, NULL), MLTRAIL_NOMEM);
    assert_true(no_memory_end());
    assert_null(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_is_not_a_false_proof)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
