// links: mlt_note mlt_testlib
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "note/note.h"

#include <cmocka.h>

#define DASH "\xe2\x80\x94"

// golang.org/x/mod sumdb/note/note_test.go.
static const char peter_seed[] = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
static const char peter_vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char peter_skey[] = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char peter_note[] = "If you think cryptography is the answer to your problem,\n"
                                 "then you don't know what your problem is.\n"
                                 "\n" DASH " PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
                                 "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
// C2SP signed-note, "Example".
static const char foo_vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char foo_note[] = "This is an example message.\n"
                               "\n" DASH " example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYN"
                               "ZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
// sunlight cmd/skylight/testdata: a checkpoint with a log signature of a foreign type and a witness's cosignature.
static const char witness_vkey[] = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";
static const char witness_note[] =
    "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n"
    "\n" DASH " rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZCfFECIHoNPZ/"
    "Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z\n" DASH
    " witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqA"
    "VusneCBmBw==\n";
static const char mirror_vkey[] = "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O";

static struct mlt_vkey vkey_of(const char *text) {
    struct mlt_vkey key;
    struct mlt_error err;
    if (mlt_vkey_parse(&key, mlt_str(text), &err)) {
        fail_msg("%s: %s", text, err.text);
    }
    return key;
}

static void peter_signer(struct mlt_signer *out) {
    uint8_t seed[32];
    test_unhex(seed, sizeof(seed), peter_seed);
    assert_int_equal(mlt_signer_init(out, mlt_str("PeterNeumann"), seed, NULL), MLT_OK);
}

static bool verifies(const char *note_text, const struct mlt_vkey *keys, size_t num_keys, const char **why) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    bool good = mlt_note_parse(&note, &arena, mlt_str(note_text), NULL) == MLT_OK &&
                mlt_note_verify(&note, keys, num_keys, NULL, why);
    mlt_arena_clear(&arena);
    return good;
}

static enum mlt_status parse_status(struct mlt_bytes bytes) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    enum mlt_status st = mlt_note_parse(&note, &arena, bytes, NULL);
    mlt_arena_clear(&arena);
    return st;
}

static void test_published_notes_verify(void **state) {
    // The notes of C2SP, x/mod and sunlight verify under their keys; foreign signatures on them do not matter.
    (void)state;
    struct mlt_vkey peter = vkey_of(peter_vkey);
    struct mlt_vkey foo = vkey_of(foo_vkey);
    struct mlt_vkey witness = vkey_of(witness_vkey);
    assert_true(verifies(peter_note, &peter, 1, NULL));
    assert_true(verifies(foo_note, &foo, 1, NULL));
    assert_true(verifies(witness_note, &witness, 1, NULL));
    assert_int_equal(witness.type, MLT_KEY_COSIGNATURE_V1);
    assert_int_equal(vkey_of(mirror_vkey).key_id, 0x3fb148ef);
}

static void test_published_notes_are_signed_alike(void **state) {
    // Signing the text again gives the published note byte for byte, and the key prints as published.
    (void)state;
    struct mlt_signer signer;
    struct mlt_buf out = {0};
    char text[MLT_VKEY_TEXT_MAX];
    peter_signer(&signer);
    mlt_vkey_format(text, &signer.vkey);
    assert_string_equal(text, peter_vkey);
    size_t text_len = (size_t)(strstr(peter_note, "\n\n") - peter_note) + 1;
    assert_int_equal(mlt_note_sign(&out, mlt_bytes_of(peter_note, text_len), &signer, NULL), MLT_OK);
    assert_string_equal(mlt_buf_cstr(&out), peter_note);
    mlt_buf_clear(&out);
    mlt_signer_clear(&signer);
    assert_null(signer.key);
    mlt_signer_clear(NULL);
}

static void test_any_changed_byte_of_a_key_is_refused(void **state) {
    // A verifier or signing key with any byte changed, removed or added is refused.
    (void)state;
    char secret[MLT_SKEY_TEXT_MAX];
    uint8_t seed[32];
    test_unhex(seed, sizeof(seed), peter_seed);
    assert_int_equal(mlt_signer_format_secret(secret, mlt_str("PeterNeumann"), seed, NULL), MLT_OK);
    assert_string_equal(secret, peter_skey);
    struct mlt_signer signer;
    assert_int_equal(mlt_signer_parse(&signer, mlt_str(secret), NULL), MLT_OK);
    assert_int_equal(signer.vkey.key_id, 0xc74f20a3);
    mlt_signer_clear(&signer);

    for (size_t at = 0; at < strlen(secret); at++) {
        char changed[MLT_SKEY_TEXT_MAX + 1];
        memcpy(changed, secret, strlen(secret) + 1);
        changed[at] ^= 1;
        assert_int_equal(mlt_signer_parse(&signer, mlt_str(changed), NULL), MLT_INVALID);
        assert_null(signer.key);
        assert_int_equal(mlt_signer_parse(&signer, mlt_bytes_of(secret, at), NULL), MLT_INVALID);
    }
    for (size_t at = 0; at < strlen(peter_vkey); at++) {
        char changed[MLT_VKEY_TEXT_MAX + 1];
        struct mlt_vkey key;
        memcpy(changed, peter_vkey, sizeof(peter_vkey));
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            changed[at] = (char)((unsigned char)peter_vkey[at] ^ flip);
            assert_int_equal(mlt_vkey_parse(&key, mlt_str(changed), NULL), MLT_INVALID);
        }
        assert_int_equal(mlt_vkey_parse(&key, mlt_bytes_of(peter_vkey, at), NULL), MLT_INVALID);
    }
    char longer[MLT_VKEY_TEXT_MAX + 1];
    (void)snprintf(longer, sizeof(longer), "%s\n", peter_vkey);
    struct mlt_vkey key;
    assert_int_equal(mlt_vkey_parse(&key, mlt_str(longer), NULL), MLT_INVALID);
}

// A key text with a correct id around any bytes.
static void make_vkey(char *out, size_t cap, const char *name, const uint8_t *bytes, size_t len) {
    char base64[2000];
    mlt_base64_encode(base64, mlt_bytes_of(bytes, len));
    uint32_t id = mlt_key_id(mlt_str(name), bytes[0], mlt_bytes_of(bytes + 1, len - 1));
    (void)snprintf(out, cap, "%s+%08x+%s", name, (unsigned)id, base64);
}

static void test_keys_say_what_is_wrong(void **state) {
    // Unknown types, wrong lengths, wrong ids, bad names and bad forms are told apart in the message.
    (void)state;
    uint8_t bytes[1313] = {0};
    char text[3000];
    struct mlt_vkey key;
    struct mlt_error err;
    static const struct {
        uint8_t type;
        size_t len;
        const char *want;
    } keys[] = {
        {0x01, 32, "31 bytes"}, {0x01, 34, "33 bytes"}, {0x04, 1, "0 bytes"}, {0x02, 33, "0x02"},
        {0x05, 33, "0x05"},     {0xff, 33, "0xff"},     {0x06, 1313, "0x06"},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        bytes[0] = keys[i].type;
        make_vkey(text, sizeof(text), "name", bytes, keys[i].len);
        assert_int_equal(mlt_vkey_parse(&key, mlt_str(text), &err), MLT_INVALID);
        if (!strstr(err.text, keys[i].want)) {
            fail_msg("%s: %s", text, err.text);
        }
    }
    bytes[0] = 0x01;
    make_vkey(text, sizeof(text), "name", bytes, 33);
    assert_int_equal(mlt_vkey_parse(&key, mlt_str(text), &err), MLT_OK);
    text[0] = 'm';
    assert_int_equal(mlt_vkey_parse(&key, mlt_str(text), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "does not belong"));
    static const char *const forms[] = {"",
                                        "+",
                                        "++",
                                        "name",
                                        "name+c74f20a3",
                                        "name+c74f20a3+",
                                        "+c74f20a3+AQ==",
                                        "na me+c74f20a3+AQ==",
                                        "name+C74F20A3+AQ==",
                                        "name+c74f20a+AQ==",
                                        "name+c74f20a3+AQ=",
                                        "PeterNeumann+c74f20a3+A"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(mlt_vkey_parse(&key, mlt_str(forms[i]), &err), MLT_INVALID);
        assert_true(strlen(err.text) > 0);
    }
    struct mlt_signer signer;
    assert_int_equal(mlt_signer_parse(&signer, mlt_str(peter_vkey), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "PRIVATE+KEY+"));
    (void)snprintf(text, sizeof(text), "PRIVATE+KEY+%s", witness_vkey);
    assert_int_equal(mlt_signer_parse(&signer, mlt_str(text), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "0x04"));
}

static void test_names(void **state) {
    // Names are not empty, well-formed UTF-8 without spaces of any script, controls and '+', and bounded.
    (void)state;
    static const char *const good[] = {"a", "example.com/log", "\xc3\xa9t\xc3\xa9", "log#1", "\xe2\x80\x8b", "\x7f"};
    static const char *const bad[] = {"",
                                      " ",
                                      "a b",
                                      "a+b",
                                      "a\tb",
                                      "a\nb",
                                      "a\x01",
                                      "\xff",
                                      "a\xc2\x85",
                                      "a\xc2\xa0",
                                      "a\xe1\x9a\x80",
                                      "a\xe2\x80\x80",
                                      "a\xe2\x80\x8a",
                                      "a\xe2\x80\xa8",
                                      "a\xe2\x80\xa9",
                                      "a\xe2\x80\xaf",
                                      "a\xe2\x81\x9f",
                                      "a\xe3\x80\x80"};
    char long_name[MLT_NOTE_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(mlt_note_name_valid(mlt_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(mlt_note_name_valid(mlt_str(bad[i])));
    }
    assert_false(mlt_note_name_valid(mlt_bytes_of("a\0b", 3)));
    memset(long_name, 'n', sizeof(long_name));
    assert_true(mlt_note_name_valid(mlt_bytes_of(long_name, MLT_NOTE_NAME_MAX)));
    assert_false(mlt_note_name_valid(mlt_bytes_of(long_name, MLT_NOTE_NAME_MAX + 1)));
    uint8_t seed[32] = {1};
    struct mlt_signer signer;
    assert_int_equal(mlt_signer_init(&signer, mlt_str("a b"), seed, NULL), MLT_INVALID);
    // The longest name fits in every text form.
    char secret[MLT_SKEY_TEXT_MAX];
    char vkey[MLT_VKEY_TEXT_MAX];
    assert_int_equal(mlt_signer_format_secret(secret, mlt_bytes_of(long_name, MLT_NOTE_NAME_MAX), seed, NULL), MLT_OK);
    assert_int_equal(mlt_signer_parse(&signer, mlt_str(secret), NULL), MLT_OK);
    mlt_vkey_format(vkey, &signer.vkey);
    assert_int_equal(strlen(vkey), MLT_VKEY_TEXT_MAX - 1);
    mlt_signer_clear(&signer);
}

static void test_any_changed_byte_of_a_note_is_noticed(void **state) {
    // A note with any byte changed or cut off does not verify under its key.
    (void)state;
    struct mlt_vkey peter = vkey_of(peter_vkey);
    char changed[sizeof(peter_note)];
    for (size_t at = 0; at < strlen(peter_note); at++) {
        memcpy(changed, peter_note, sizeof(peter_note));
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            changed[at] = (char)((unsigned char)peter_note[at] ^ flip);
            assert_false(verifies(changed, &peter, 1, NULL));
        }
        memcpy(changed, peter_note, at);
        changed[at] = '\0';
        assert_false(verifies(changed, &peter, 1, NULL));
    }
    (void)snprintf(changed, sizeof(changed), "%s", peter_note);
    assert_true(verifies(changed, &peter, 1, NULL));
}

static void test_verdicts(void **state) {
    // Unknown keys are passed over, one good signature is enough, and a bad one under a known key refuses all.
    (void)state;
    struct mlt_vkey peter = vkey_of(peter_vkey);
    struct mlt_vkey foo = vkey_of(foo_vkey);
    struct mlt_vkey both[] = {foo, peter};
    const char *why = NULL;
    bool good[2] = {true, false};
    struct mlt_arena arena = {0};
    struct mlt_note note;

    assert_false(verifies(peter_note, &foo, 1, &why));
    assert_string_equal(why, "no signature by a known key");
    assert_false(verifies(peter_note, NULL, 0, &why));

    assert_int_equal(mlt_note_parse(&note, &arena, mlt_str(peter_note), NULL), MLT_OK);
    assert_true(mlt_note_verify(&note, both, 2, good, &why));
    assert_null(why);
    assert_false(good[0]);
    assert_true(good[1]);

    // The same key id under another name is another key.
    struct mlt_vkey renamed = peter;
    renamed.name[0] = 'p';
    assert_false(mlt_note_verify(&note, &renamed, 1, NULL, &why));
    assert_string_equal(why, "no signature by a known key");

    // Foo's line under Peter's text: bad for whoever knows foo, nothing for whoever does not.
    struct mlt_buf mixed = {0};
    mlt_buf_put_str(&mixed, peter_note);
    mlt_buf_put_str(&mixed, strstr(foo_note, DASH));
    assert_true(verifies(mlt_buf_cstr(&mixed), &peter, 1, &why));
    assert_false(verifies(mlt_buf_cstr(&mixed), both, 2, &why));
    assert_string_equal(why, "a signature under a known key does not verify");
    mlt_buf_clear(&mixed);
    mlt_arena_clear(&arena);
}

static void test_cosignature_is_bound_to_time_and_text(void **state) {
    // A cosignature with another timestamp, or under another text, is bad.
    (void)state;
    struct mlt_vkey witness = vkey_of(witness_vkey);
    struct mlt_arena arena = {0};
    struct mlt_note note;
    assert_int_equal(mlt_note_parse(&note, &arena, mlt_str(witness_note), NULL), MLT_OK);
    assert_int_equal(note.num_sigs, 2);
    assert_true(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    assert_int_equal(mlt_load_u64be(note.sigs[1].sig), 1767139200);
    note.sigs[1].sig[7] ^= 1;
    assert_false(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    note.sigs[1].sig[7] ^= 1;
    note.sigs[1].sig[0] = 0x80; // over 2^63 - 1
    assert_false(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    note.sigs[1].sig[0] = 0;
    note.sigs[1].sig_len--;
    assert_false(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    note.sigs[1].sig_len++;
    note.text.len--;
    assert_false(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    mlt_arena_clear(&arena);
}

static void test_split_at_the_last_empty_line(void **state) {
    // A text may have empty lines of its own: the last one separates it from the signatures.
    (void)state;
    struct mlt_signer signer;
    struct mlt_buf out = {0};
    struct mlt_arena arena = {0};
    struct mlt_note note;
    static const char *const texts[] = {"a\n\nb\n", "a\n\n", "\n", "\n\n\n", DASH " x y\n"};
    peter_signer(&signer);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        mlt_buf_reset(&out);
        assert_int_equal(mlt_note_sign(&out, mlt_str(texts[i]), &signer, NULL), MLT_OK);
        assert_int_equal(mlt_note_parse(&note, &arena, mlt_buf_bytes(&out), NULL), MLT_OK);
        assert_true(mlt_bytes_is(note.text, texts[i]));
        assert_true(mlt_note_verify(&note, &signer.vkey, 1, NULL, NULL));
        mlt_arena_reset(&arena);
    }
    mlt_arena_clear(&arena);
    mlt_buf_clear(&out);
    mlt_signer_clear(&signer);
}

static void test_malformed_notes_are_refused(void **state) {
    // What is not a note by C2SP signed-note is refused, whoever signed it.
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n" DASH " name AAAAAAA=\n",     // no empty line
        "text\n\n" DASH " name AAAAAAA=",     // no final newline
        "text\n\n" DASH " name AAAAAAA=\n\n", // nothing after the last empty line
        "text\n\n- name AAAAAAA=\n",          // a hyphen
        "text\n\n" DASH "name AAAAAAA=\n",
        "text\n\n" DASH "  AAAAAAA=\n", // empty name
        "text\n\n" DASH " name\n",
        "text\n\n" DASH " name \n",
        "text\n\n" DASH " name  AAAAAAA=\n",
        "text\n\n" DASH " name AAAAAAA= \n",
        "text\n\n" DASH " name AAAAAA==\n", // 4 bytes: key id alone
        "text\n\n" DASH " name AAAA\n",
        "text\n\n" DASH " name AAAAAAA\n",
        "text\n\n" DASH " name AAAAAAB=\n", // stray bits
        "text\n\n" DASH " na+me AAAAAAA=\n",
        "text\n\n" DASH " na\xc2\xa0me AAAAAAA=\n",
        "text\r\n\n" DASH " name AAAAAAA=\n",
        "te\txt\n\n" DASH " name AAAAAAA=\n",
        "te\x01xt\n\n" DASH " name AAAAAAA=\n",
        "te\xffxt\n\n" DASH " name AAAAAAA=\n",
        "text\n\n" DASH " name AAAAAAA=\nrest\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse_status(mlt_str(bad[i])) != MLT_INVALID) {
            fail_msg("case %zu not refused: %s", i, bad[i]);
        }
    }
    static const char with_nul[] = "te\0xt\n\n" DASH " name AAAAAAA=\n";
    assert_int_equal(parse_status(mlt_bytes_of(with_nul, sizeof(with_nul) - 1)), MLT_INVALID);
    assert_int_equal(parse_status(mlt_bytes_of(NULL, 0)), MLT_INVALID);
    assert_int_equal(parse_status(mlt_str("text\n\n" DASH " name AAAAAAA=\n")), MLT_OK);
}

static void put_long_line(struct mlt_buf *out, size_t sig_len, char last) {
    struct mlt_buf sig = {0};
    mlt_buf_put_u32be(&sig, 7);
    for (size_t i = 0; i < sig_len; i++) {
        mlt_buf_put_u8(&sig, (uint8_t)i);
    }
    mlt_buf_put_str(out, DASH " other ");
    mlt_buf_put_base64(out, mlt_buf_bytes(&sig));
    if (last) {
        out->data[out->len - 1] = (uint8_t)last;
    }
    mlt_buf_put_u8(out, '\n');
    mlt_buf_clear(&sig);
}

static void test_limits(void **state) {
    // Sixty-four signatures are read and one more is not; the note's length is bounded; foreign ones may be long.
    (void)state;
    struct mlt_vkey peter = vkey_of(peter_vkey);
    struct mlt_buf out = {0};
    mlt_buf_put_str(&out, peter_note);
    for (size_t i = 1; i < MLT_NOTE_SIGNATURES_MAX; i++) {
        mlt_buf_put_str(&out, DASH " other AAAAAAA=\n");
    }
    assert_true(verifies(mlt_buf_cstr(&out), &peter, 1, NULL));
    mlt_buf_put_str(&out, DASH " other AAAAAAA=\n");
    assert_int_equal(parse_status(mlt_buf_bytes(&out)), MLT_LIMIT);

    static const size_t lens[] = {2420 + 8, MLT_NOTE_SIG_BYTES_MAX, MLT_NOTE_SIG_BYTES_MAX + 1, 7856, 20000};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        mlt_buf_reset(&out);
        mlt_buf_put_str(&out, peter_note);
        put_long_line(&out, lens[i], 0);
        assert_true(verifies(mlt_buf_cstr(&out), &peter, 1, NULL));
        mlt_buf_reset(&out);
        mlt_buf_put_str(&out, peter_note);
        put_long_line(&out, lens[i], '!');
        assert_int_equal(parse_status(mlt_buf_bytes(&out)), MLT_INVALID);
    }

    mlt_buf_reset(&out);
    size_t note_len = strlen(peter_note);
    while (out.len + note_len < MLT_NOTE_MAX) {
        mlt_buf_put_u8(&out, 'x');
    }
    mlt_buf_put_str(&out, peter_note);
    assert_int_equal(out.len, MLT_NOTE_MAX);
    assert_int_equal(parse_status(mlt_buf_bytes(&out)), MLT_OK);
    mlt_buf_put_u8(&out, '\n');
    assert_int_equal(parse_status(mlt_buf_bytes(&out)), MLT_LIMIT);
    mlt_buf_clear(&out);
}

static void test_sign_refuses_what_would_not_parse(void **state) {
    // Text without a final newline, with control characters or bad UTF-8 is not signed.
    (void)state;
    static const char *const bad[] = {"", "text", "te\rxt\n", "te\x01xt\n", "\xff\n"};
    struct mlt_signer signer;
    struct mlt_buf out = {0};
    peter_signer(&signer);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(mlt_note_sign(&out, mlt_str(bad[i]), &signer, NULL), MLT_INVALID);
        assert_int_equal(out.len, 0);
    }
    mlt_buf_clear(&out);
    mlt_signer_clear(&signer);
}

static void test_key_ids_by_type(void **state) {
    // The type is part of the key id: the same key as log key and as cosigner has two published ids.
    (void)state;
    uint8_t seed[32];
    struct mlt_signer signer;
    test_unhex(seed, sizeof(seed), "e69d4621bb5cce178a27821f30fc971cac5ccc1c562cb99d8b285d44561ab944");
    assert_int_equal(mlt_signer_init(&signer, mlt_str("Wit1"), seed, NULL), MLT_OK);
    assert_int_equal(signer.vkey.key_id, 0x55ee4561);
    assert_int_equal(mlt_key_id(mlt_str("Wit1"), MLT_KEY_COSIGNATURE_V1, mlt_bytes_of(signer.vkey.key, 32)),
                     0x9b3fb2d5);
    mlt_signer_clear(&signer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_notes_verify),
        cmocka_unit_test(test_published_notes_are_signed_alike),
        cmocka_unit_test(test_any_changed_byte_of_a_key_is_refused),
        cmocka_unit_test(test_keys_say_what_is_wrong),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_any_changed_byte_of_a_note_is_noticed),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_cosignature_is_bound_to_time_and_text),
        cmocka_unit_test(test_split_at_the_last_empty_line),
        cmocka_unit_test(test_malformed_notes_are_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_sign_refuses_what_would_not_parse),
        cmocka_unit_test(test_key_ids_by_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
