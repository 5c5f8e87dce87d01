// links: mlt_note mlt_testlib
//
// The chain of keys: what leads from one to the next, and which heads each may sign.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "note/chain.h"

#include <cmocka.h>

#define NUM_KEYS 4

struct fixture {
    struct mlt_signer signer[NUM_KEYS]; // of "example.org/log", the last one of "example.org/log/2"
    struct mlt_key_chain chain;         // of the first three: 0 until size 10, 1 until 20, 2 in use
};

static struct mlt_key_link link_of(const struct mlt_signer *from, const struct mlt_signer *to, uint64_t size,
                                   uint64_t kept) {
    struct mlt_key_link link = {.size = size, .kept = kept};
    memset(link.root, (int)size, MLT_HASH_LEN);
    memset(link.kept_root, (int)kept, MLT_HASH_LEN);
    assert_int_equal(mlt_key_link_sign(&link, from, to, NULL), MLT_OK);
    return link;
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    for (size_t i = 0; i < NUM_KEYS; i++) {
        uint8_t seed[MLT_ED25519_SEED_LEN] = {(uint8_t)(i + 1)};
        const char *name = i + 1 < NUM_KEYS ? "example.org/log" : "example.org/log/2";
        assert_int_equal(mlt_signer_init(&f->signer[i], mlt_str(name), seed, NULL), MLT_OK);
    }
    mlt_key_chain_init(&f->chain, &f->signer[0].vkey);
    for (size_t i = 1; i < 3; i++) {
        struct mlt_key_link link = link_of(&f->signer[i - 1], &f->signer[i], 10 * i, 10 * i);
        assert_int_equal(mlt_key_chain_push(&f->chain, &f->signer[i].vkey, &link, NULL), MLT_OK);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < NUM_KEYS; i++) {
        mlt_signer_clear(&f->signer[i]);
    }
    free(f);
    return 0;
}

// A head of that size, signed by one of the keys; true when the chain takes it.
static bool takes(const struct fixture *f, const struct mlt_key_chain *chain, size_t signer, uint64_t size,
                  struct mlt_error *err) {
    struct mlt_buf note = {0};
    struct mlt_checkpoint c = {.size = size};
    struct mlt_checkpoint out;
    (void)snprintf(c.origin, sizeof(c.origin), "%s", f->signer[signer].vkey.name);
    assert_int_equal(mlt_checkpoint_sign(&note, &c, &f->signer[signer], NULL), MLT_OK);
    enum mlt_status st = mlt_key_chain_open(chain, &out, mlt_buf_bytes(&note), err);
    mlt_buf_clear(&note);
    assert_true(st == MLT_OK || st == MLT_DENIED);
    assert_true(st != MLT_OK || out.size == size);
    return st == MLT_OK;
}

// Whoever trusts any key of a chain is led to all of them, and nobody else is.
static void test_any_key_leads(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(mlt_key_chain_leads(&f->chain, &f->signer[i].vkey));
    }
    assert_false(mlt_key_chain_leads(&f->chain, &f->signer[3].vkey));
}

// A link needs both signatures over exactly what it says.
static void test_link_needs_both_signatures(void **state) {
    struct fixture *f = *state;
    const struct mlt_vkey *from = &f->signer[0].vkey;
    const struct mlt_vkey *to = &f->signer[1].vkey;
    struct mlt_key_link good = link_of(&f->signer[0], &f->signer[1], 10, 10);
    struct mlt_key_link bad;
    assert_true(mlt_key_link_verify(&good, from, to));
    assert_false(mlt_key_link_verify(&good, to, from));
    assert_false(mlt_key_link_verify(&good, from, &f->signer[2].vkey));
    bad = good;
    bad.old_signature[0] ^= 1;
    assert_false(mlt_key_link_verify(&bad, from, to));
    bad = good;
    bad.new_signature[63] ^= 1;
    assert_false(mlt_key_link_verify(&bad, from, to));
    bad = good;
    bad.size++;
    bad.kept++;
    assert_false(mlt_key_link_verify(&bad, from, to));
    bad = good;
    bad.root[31] ^= 1;
    assert_false(mlt_key_link_verify(&bad, from, to));
    f->chain.links[1].old_signature[5] ^= 1;
    assert_false(mlt_key_chain_leads(&f->chain, &f->signer[2].vkey)); // an older link counts as well
}

// A rotation loses nothing, and a succession does not invent entries.
static void test_sizes_make_sense(void **state) {
    struct fixture *f = *state;
    struct mlt_key_link link = link_of(&f->signer[0], &f->signer[3], 10, 7);
    assert_true(mlt_key_link_verify(&link, &f->signer[0].vkey, &f->signer[3].vkey));
    link = link_of(&f->signer[0], &f->signer[3], 10, 11);
    assert_false(mlt_key_link_verify(&link, &f->signer[0].vkey, &f->signer[3].vkey));
    link = link_of(&f->signer[0], &f->signer[1], 10, 7);
    assert_false(mlt_key_link_verify(&link, &f->signer[0].vkey, &f->signer[1].vkey));
}

// A key signs up to the size at which it was replaced; the one in use signs any.
static void test_replaced_key_signs_no_more(void **state) {
    struct fixture *f = *state;
    struct mlt_error err = {0};
    assert_true(takes(f, &f->chain, 0, 10, &err));
    assert_false(takes(f, &f->chain, 0, 11, &err));
    assert_non_null(strstr(err.text, "replaced at size 10"));
    assert_true(takes(f, &f->chain, 1, 20, &err));
    assert_true(takes(f, &f->chain, 1, 5, &err)); // earlier heads are signed again with the key in use
    assert_false(takes(f, &f->chain, 1, 21, &err));
    assert_true(takes(f, &f->chain, 2, 1000, &err));
    assert_false(takes(f, &f->chain, 3, 1, &err));
}

// Heads of a predecessor hold up to what its successor kept; those above say what was lost.
static void test_successor(void **state) {
    struct fixture *f = *state;
    struct mlt_error err = {0};
    struct mlt_key_link link = link_of(&f->signer[2], &f->signer[3], 30, 25);
    assert_int_equal(mlt_key_chain_push(&f->chain, &f->signer[3].vkey, &link, NULL), MLT_OK);
    assert_true(mlt_key_chain_leads(&f->chain, &f->signer[0].vkey));
    assert_true(takes(f, &f->chain, 2, 25, &err));
    assert_false(takes(f, &f->chain, 2, 26, &err));
    assert_non_null(strstr(err.text, "entries 25 to 29 were lost"));
    assert_false(takes(f, &f->chain, 2, 31, &err));
    assert_non_null(strstr(err.text, "replaced at size 30"));
    assert_true(takes(f, &f->chain, 3, 26, &err));
    // the name before is the log's up to what was kept, the one in use without end, and any other is not
    const struct mlt_bytes before = mlt_str(f->signer[2].vkey.name), now = mlt_str(f->signer[3].vkey.name);
    assert_true(mlt_key_chain_names(&f->chain, before, 25));
    assert_false(mlt_key_chain_names(&f->chain, before, 26));
    assert_true(mlt_key_chain_names(&f->chain, now, 26));
    assert_false(mlt_key_chain_names(&f->chain, mlt_str("example.com/other"), 1));
}

// A key that was replaced does not come back, neither by a push nor in a chain that somebody else made.
static void test_no_key_twice(void **state) {
    struct fixture *f = *state;
    struct mlt_key_link link = link_of(&f->signer[2], &f->signer[0], 30, 30);
    assert_int_equal(mlt_key_chain_push(&f->chain, &f->signer[0].vkey, &link, NULL), MLT_INVALID);
    memmove(&f->chain.keys[1], &f->chain.keys[0], 3 * sizeof(f->chain.keys[0]));
    memmove(&f->chain.links[1], &f->chain.links[0], 2 * sizeof(f->chain.links[0]));
    f->chain.keys[0] = f->signer[0].vkey;
    f->chain.links[0] = link;
    f->chain.num_keys = 4;
    assert_false(mlt_key_chain_leads(&f->chain, &f->signer[1].vkey));
}

// A chain is full at 32 keys, and says so.
static void test_limit(void **state) {
    struct fixture *f = *state;
    struct mlt_error err = {0};
    struct mlt_key_link link = {0};
    struct mlt_vkey key = f->signer[0].vkey;
    for (size_t i = 3; i < MLT_CHAIN_KEYS_MAX; i++) {
        key.key[31] = (uint8_t)i;
        assert_int_equal(mlt_key_chain_push(&f->chain, &key, &link, &err), MLT_OK);
    }
    key.key[31] = 200;
    assert_int_equal(mlt_key_chain_push(&f->chain, &key, &link, &err), MLT_LIMIT);
    assert_int_equal(f->chain.num_keys, MLT_CHAIN_KEYS_MAX);
}

// An older trail.json is the end of a newer chain, and no other chain is.
static void test_ends_with(void **state) {
    struct fixture *f = *state;
    struct mlt_key_chain older;
    struct mlt_key_chain other;
    mlt_key_chain_init(&older, &f->signer[0].vkey);
    assert_true(mlt_key_chain_ends_with(&f->chain, &older));
    assert_true(mlt_key_chain_ends_with(&f->chain, &f->chain));
    assert_false(mlt_key_chain_ends_with(&older, &f->chain));
    mlt_key_chain_init(&other, &f->signer[1].vkey);
    assert_false(mlt_key_chain_ends_with(&f->chain, &other));
    other = f->chain;
    other.links[1].size++;
    assert_false(mlt_key_chain_ends_with(&f->chain, &other));
}

static enum mlt_status parse(const char *text, size_t len, struct mlt_error *err) {
    struct mlt_key_link link;
    struct mlt_vkey from;
    struct mlt_vkey to;
    return mlt_key_link_parse(&link, &from, &to, mlt_bytes_of(text, len), err);
}

// A link reads as it was written, and as nothing else: cut at any byte, or with any byte changed, it is refused or says
// something that was not signed.
static void test_text(void **state) {
    struct fixture *f = *state;
    struct mlt_error err = {0};
    for (int succession = 0; succession < 2; succession++) {
        const struct mlt_signer *to = &f->signer[succession ? 3 : 1];
        struct mlt_key_link link = link_of(&f->signer[0], to, 12, succession ? 9 : 12);
        struct mlt_key_link back;
        struct mlt_vkey old_key;
        struct mlt_vkey new_key;
        struct mlt_buf text = {0};
        mlt_key_link_format(&text, &link, &f->signer[0].vkey, &to->vkey);
        assert_int_equal(mlt_key_link_parse(&back, &old_key, &new_key, mlt_buf_bytes(&text), &err), MLT_OK);
        assert_memory_equal(back.old_signature, link.old_signature, sizeof(link.old_signature));
        assert_memory_equal(back.new_signature, link.new_signature, sizeof(link.new_signature));
        assert_int_equal(back.size, 12);
        assert_int_equal(back.kept, link.kept);
        assert_true(mlt_key_link_verify(&back, &old_key, &new_key));
        for (size_t len = 0; len < text.len; len++) {
            assert_int_equal(parse((const char *)text.data, len, &err), MLT_INVALID);
        }
        for (size_t at = 0; at < text.len; at++) {
            text.data[at] ^= 1;
            if (mlt_key_link_parse(&back, &old_key, &new_key, mlt_buf_bytes(&text), &err) == MLT_OK) {
                assert_false(mlt_key_link_verify(&back, &old_key, &new_key));
            }
            text.data[at] ^= 1;
        }
        mlt_buf_clear(&text);
    }
}

// Both signatures verify as those of any signed note: other tools can check a change of keys.
static void test_link_is_a_signed_note(void **state) {
    struct fixture *f = *state;
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_buf text = {0};
    bool good[2];
    const struct mlt_vkey keys[] = {f->signer[0].vkey, f->signer[1].vkey};
    struct mlt_key_link link = link_of(&f->signer[0], &f->signer[1], 10, 10);
    mlt_key_link_format(&text, &link, &keys[0], &keys[1]);
    assert_int_equal(mlt_note_parse(&note, &arena, mlt_buf_bytes(&text), NULL), MLT_OK);
    assert_true(mlt_note_verify(&note, keys, 2, good, NULL));
    assert_true(good[0] && good[1]);
    // And it is no checkpoint of either key.
    struct mlt_checkpoint c;
    assert_int_not_equal(mlt_checkpoint_open(&c, mlt_buf_bytes(&text), &keys[0], NULL), MLT_OK);
    mlt_buf_clear(&text);
    mlt_arena_clear(&arena);
}

// A key that somebody else keeps: its signatures are checked before they leave.
struct remote {
    const struct mlt_signer *real;
    bool lies;
    bool *freed;
};

static enum mlt_status remote_sign(void *ctx, uint8_t sig[static MLT_ED25519_SIG_LEN], struct mlt_bytes message,
                                   struct mlt_error *err) {
    struct remote *r = ctx;
    enum mlt_status st = mlt_ed25519_sign(r->real->key, sig, message, err);
    sig[3] ^= r->lies;
    return st;
}

static void remote_free(void *ctx) {
    struct remote *r = ctx;
    *r->freed = true;
}

static void test_remote_key_is_checked(void **state) {
    struct fixture *f = *state;
    static const struct mlt_signing_ops ops = {.sign = remote_sign, .free = remote_free};
    bool freed = false;
    struct remote remote = {.real = &f->signer[0], .freed = &freed};
    struct mlt_signing_key *key;
    uint8_t sig[MLT_ED25519_SIG_LEN];
    assert_int_equal(mlt_signing_key_remote(&key, &ops, &remote, f->signer[0].vkey.key, NULL), MLT_OK);
    assert_int_equal(mlt_ed25519_sign(key, sig, mlt_str("text"), NULL), MLT_OK);
    assert_true(mlt_ed25519_verify(f->signer[0].vkey.key, mlt_str("text"), sig));
    remote.lies = true;
    assert_int_equal(mlt_ed25519_sign(key, sig, mlt_str("text"), NULL), MLT_CONFLICT);
    assert_true(sig[0] == 0 && sig[63] == 0);
    mlt_signing_key_free(key);
    assert_true(freed);
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_any_key_leads),
        WITH(test_link_needs_both_signatures),
        WITH(test_sizes_make_sense),
        WITH(test_replaced_key_signs_no_more),
        WITH(test_successor),
        WITH(test_no_key_twice),
        WITH(test_limit),
        WITH(test_ends_with),
        WITH(test_text),
        WITH(test_link_is_a_signed_note),
        WITH(test_remote_key_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
