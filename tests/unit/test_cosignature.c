// links: mlt_note mlt_testlib
//
// Published cosignatures: sunlight cmd/skylight/testdata (ed0bc38). The cosigner Wit1 is of transparency-dev/tessera;
// its signature over checkpoint.15 at a fixed time was made apart from this code, with another library.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "note/cosignature.h"

#include <cmocka.h>

#define DASH "\xe2\x80\x94"

static const char rome_text[] = "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n";
static const char rome_line[] = DASH " witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo"
                                     "0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==\n";
static const char witness_vkey[] = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";
static const char mirror_text[] = "rome2026h1.example.org\n300\ngw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=\n";
static const char mirror_line[] =
    DASH " mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJ"
         "zXC0N0EiZkbqfLdXt/4gVEEuGmxJjAfXKMCISpsJAg==\n";
static const char mirror_vkey[] = "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O";
#define ROME_TIME 1767139200

static const char wit1_seed[] = "e69d4621bb5cce178a27821f30fc971cac5ccc1c562cb99d8b285d44561ab944";
static const char wit1_text[] = "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n";
static const char wit1_line[] =
    DASH " Wit1 mz+y1QAAAABlU/EAYEDMPd8Ge7XzsHcNU+F3AzavfsuzhRT3gC4BORiySViMAWQq5znn5g+ruu+iDztz"
         "MS3EeF6xr4ug+O66ORoSAw==\n";
#define WIT1_TIME 1700000000

static struct mlt_vkey vkey_of(const char *text) {
    struct mlt_vkey key;
    assert_int_equal(mlt_vkey_parse(&key, mlt_str(text), NULL), MLT_OK);
    return key;
}

static void wit1(struct mlt_cosigner *out) {
    uint8_t seed[32];
    test_unhex(seed, sizeof(seed), wit1_seed);
    assert_int_equal(mlt_cosigner_init(out, mlt_str("Wit1"), seed, NULL), MLT_OK);
}

// Verifies the lines over the text with the key.
static bool verifies(const char *text, const char *lines, const struct mlt_vkey *key, uint64_t *timestamp,
                     const char **why) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    assert_int_equal(mlt_note_parse_lines(&note, &arena, mlt_str(text), mlt_str(lines), NULL), MLT_OK);
    bool good = mlt_cosignature_verify(&note, key, timestamp, why);
    mlt_arena_clear(&arena);
    return good;
}

static void test_published_cosignatures_verify(void **state) {
    // The witness and the mirror of sunlight verify, with the time that they were made at.
    (void)state;
    struct mlt_vkey witness = vkey_of(witness_vkey);
    struct mlt_vkey mirror = vkey_of(mirror_vkey);
    uint64_t timestamp = 0;
    assert_true(verifies(rome_text, rome_line, &witness, &timestamp, NULL));
    assert_int_equal(timestamp, ROME_TIME);
    assert_true(verifies(mirror_text, mirror_line, &mirror, &timestamp, NULL));
    assert_int_equal(timestamp, ROME_TIME);
}

static void test_published_cosignature_is_made_alike(void **state) {
    // Wit1 cosigns checkpoint.15 to the byte, and its key id is that of type 0x04.
    (void)state;
    struct mlt_cosigner cosigner;
    struct mlt_buf out = {0};
    wit1(&cosigner);
    assert_int_equal(cosigner.vkey.key_id, 0x9b3fb2d5);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str(wit1_text), &cosigner, WIT1_TIME, NULL), MLT_OK);
    assert_string_equal(mlt_buf_cstr(&out), wit1_line);
    mlt_buf_clear(&out);
    mlt_cosigner_clear(&cosigner);
    mlt_cosigner_clear(NULL);
}

static void test_secret_keys(void **state) {
    // A cosigner's key is read in both forms, prints with type 0x04, and is refused with the id of the other type.
    (void)state;
    uint8_t seed[32];
    char own[MLT_SKEY_TEXT_MAX];
    char others[MLT_SKEY_TEXT_MAX];
    struct mlt_cosigner cosigner;
    struct mlt_signer signer;
    struct mlt_error err;
    test_unhex(seed, sizeof(seed), wit1_seed);
    assert_int_equal(mlt_cosigner_format_secret(own, mlt_str("Wit1"), seed, NULL), MLT_OK);
    assert_int_equal(mlt_signer_format_secret(others, mlt_str("Wit1"), seed, NULL), MLT_OK);
    assert_non_null(strstr(own, "+9b3fb2d5+"));
    assert_non_null(strstr(others, "+55ee4561+"));
    const char *const texts[] = {own, others};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mlt_cosigner_parse(&cosigner, mlt_str(texts[i]), NULL), MLT_OK);
        assert_int_equal(cosigner.vkey.type, MLT_KEY_COSIGNATURE_V1);
        assert_int_equal(cosigner.vkey.key_id, 0x9b3fb2d5);
        mlt_cosigner_clear(&cosigner);
    }
    // A log does not sign with a witness's key.
    assert_int_equal(mlt_signer_parse(&signer, mlt_str(own), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "0x04"));
    memcpy(strstr(own, "9b3fb2d5"), "55ee4561", 8);
    assert_int_equal(mlt_cosigner_parse(&cosigner, mlt_str(own), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "9b3fb2d5 does"));
    assert_null(cosigner.key);
    assert_int_equal(mlt_cosigner_parse(&cosigner, mlt_str(witness_vkey), NULL), MLT_INVALID);
    assert_int_equal(mlt_cosigner_init(&cosigner, mlt_str("a b"), seed, NULL), MLT_INVALID);
    assert_null(cosigner.key);
}

static void test_each_refusal_has_its_reason(void **state) {
    // Another text, another key, no line, a changed time: each is false, without a time, and says why.
    (void)state;
    struct mlt_vkey witness = vkey_of(witness_vkey);
    struct mlt_vkey mirror = vkey_of(mirror_vkey);
    struct mlt_vkey log = vkey_of("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx");
    char later[sizeof(rome_line)];
    memcpy(later, rome_line, sizeof(rome_line));
    *strstr(later, "VGeA") = 'W';
    const struct {
        const char *text;
        const char *line;
        const struct mlt_vkey *key;
        const char *why;
    } cases[] = {
        {mirror_text, rome_line, &witness, "a signature under this witness's key does not verify"},
        {rome_text, later, &witness, "a signature under this witness's key does not verify"},
        {rome_text, rome_line, &mirror, "no signature by this witness"},
        {rome_text, rome_line, &log, "this key is not a witness's"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t timestamp = 1;
        const char *why = NULL;
        assert_false(verifies(cases[i].text, cases[i].line, cases[i].key, &timestamp, &why));
        assert_string_equal(why, cases[i].why);
        assert_int_equal(timestamp, 0);
    }
}

static void test_one_bad_line_spoils_a_good_one(void **state) {
    // Two good lines of one witness give the later time; a bad one beside a good one refuses the note, in any order.
    (void)state;
    struct mlt_cosigner cosigner;
    struct mlt_buf lines = {0};
    uint64_t timestamp = 0;
    const char *why = NULL;
    wit1(&cosigner);
    assert_int_equal(mlt_cosignature_sign(&lines, mlt_str(wit1_text), &cosigner, WIT1_TIME + 5, NULL), MLT_OK);
    assert_int_equal(mlt_cosignature_sign(&lines, mlt_str(wit1_text), &cosigner, WIT1_TIME, NULL), MLT_OK);
    assert_true(verifies(wit1_text, mlt_buf_cstr(&lines), &cosigner.vkey, &timestamp, &why));
    assert_null(why);
    assert_int_equal(timestamp, WIT1_TIME + 5);
    for (size_t bad = 0; bad < 2; bad++) {
        mlt_buf_reset(&lines);
        for (size_t i = 0; i < 2; i++) {
            const char *text = i == bad ? rome_text : wit1_text;
            assert_int_equal(mlt_cosignature_sign(&lines, mlt_str(text), &cosigner, WIT1_TIME, NULL), MLT_OK);
        }
        assert_false(verifies(wit1_text, mlt_buf_cstr(&lines), &cosigner.vkey, &timestamp, &why));
        assert_int_equal(timestamp, 0);
    }
    mlt_buf_clear(&lines);
    mlt_cosigner_clear(&cosigner);
}

static void test_every_changed_byte_is_noticed(void **state) {
    // No byte of time and signature can be changed.
    (void)state;
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_vkey witness = vkey_of(witness_vkey);
    assert_int_equal(mlt_note_parse_lines(&note, &arena, mlt_str(rome_text), mlt_str(rome_line), NULL), MLT_OK);
    for (size_t at = 0; at < note.sigs[0].sig_len; at++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            note.sigs[0].sig[at] ^= (uint8_t)flip;
            assert_false(mlt_cosignature_verify(&note, &witness, NULL, NULL));
            note.sigs[0].sig[at] ^= (uint8_t)flip;
        }
    }
    for (size_t len = 0; len < note.sigs[0].sig_len; len++) {
        struct mlt_note_sig shorter = note.sigs[0];
        uint64_t timestamp = 1;
        shorter.sig_len = len;
        bool good = true;
        assert_int_equal(mlt_cosignature_check(&good, &witness, note.text, &shorter, &timestamp, NULL), MLT_OK);
        assert_false(good);
        assert_false(mlt_cosignature_good(&witness, note.text, &shorter, &timestamp));
        assert_int_equal(timestamp, 0);
    }
    assert_true(mlt_cosignature_verify(&note, &witness, NULL, NULL));
    mlt_arena_clear(&arena);
}

static void test_what_cannot_be_cosigned(void **state) {
    // Times over 2^63 - 1 and what is not the text of a note are refused, and nothing is appended.
    (void)state;
    struct mlt_cosigner cosigner;
    struct mlt_buf out = {0};
    wit1(&cosigner);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str(wit1_text), &cosigner, UINT64_C(1) << 63, NULL), MLT_INVALID);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str("no newline"), &cosigner, 0, NULL), MLT_INVALID);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str(""), &cosigner, 0, NULL), MLT_INVALID);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str("\t\n"), &cosigner, 0, NULL), MLT_INVALID);
    assert_int_equal(out.len, 0);
    assert_int_equal(mlt_cosignature_sign(&out, mlt_str(wit1_text), &cosigner, INT64_MAX, NULL), MLT_OK);
    uint64_t timestamp = 0;
    assert_true(verifies(wit1_text, mlt_buf_cstr(&out), &cosigner.vkey, &timestamp, NULL));
    assert_int_equal(timestamp, INT64_MAX);
    mlt_buf_clear(&out);
    mlt_cosigner_clear(&cosigner);
}

static void test_a_time_over_the_limit_is_false_though_signed(void **state) {
    // A witness that signs a time over 2^63 - 1 breaks the specification: its signature does not count.
    (void)state;
    for (uint64_t over = 0; over < 2; over++) {
        struct mlt_cosigner cosigner;
        struct mlt_buf message = {0};
        struct mlt_note_sig sig = {.sig_len = 8 + MLT_ED25519_SIG_LEN};
        uint64_t time = (UINT64_C(1) << 63) - 1 + over;
        uint64_t timestamp = 1;
        wit1(&cosigner);
        mlt_buf_printf(&message, "cosignature/v1\ntime %llu\n%s", (unsigned long long)time, wit1_text);
        mlt_store_u64be(sig.sig, time);
        assert_int_equal(mlt_ed25519_sign(cosigner.key, sig.sig + 8, mlt_buf_bytes(&message), NULL), MLT_OK);
        assert_int_equal(mlt_cosignature_good(&cosigner.vkey, mlt_str(wit1_text), &sig, &timestamp), over == 0);
        assert_int_equal(timestamp, over == 0 ? time : 0);
        mlt_buf_clear(&message);
        mlt_cosigner_clear(&cosigner);
    }
}

static void test_lines_alone(void **state) {
    // Signature lines without a text are held to the rules of a note.
    (void)state;
    struct mlt_arena arena = {0};
    struct mlt_note note;
    const char *const bad[] = {"", "\n", "x\n", DASH " a\n", DASH " Wit1 AAAA\n", "\xff\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(mlt_note_parse_lines(&note, &arena, mlt_str(wit1_text), mlt_str(bad[i]), NULL), MLT_INVALID);
        assert_int_equal(note.num_sigs, 0);
    }
    struct mlt_buf many = {0};
    for (size_t i = 0; i <= MLT_NOTE_SIGNATURES_MAX; i++) {
        mlt_buf_put_str(&many, wit1_line);
    }
    assert_int_equal(mlt_note_parse_lines(&note, &arena, mlt_str(wit1_text), mlt_buf_bytes(&many), NULL), MLT_LIMIT);
    while (many.len <= MLT_NOTE_MAX) {
        mlt_buf_put_str(&many, wit1_line);
    }
    assert_int_equal(mlt_note_parse_lines(&note, &arena, mlt_str(wit1_text), mlt_buf_bytes(&many), NULL), MLT_LIMIT);
    mlt_buf_clear(&many);
    mlt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_cosignatures_verify),
        cmocka_unit_test(test_published_cosignature_is_made_alike),
        cmocka_unit_test(test_secret_keys),
        cmocka_unit_test(test_each_refusal_has_its_reason),
        cmocka_unit_test(test_one_bad_line_spoils_a_good_one),
        cmocka_unit_test(test_every_changed_byte_is_noticed),
        cmocka_unit_test(test_what_cannot_be_cosigned),
        cmocka_unit_test(test_a_time_over_the_limit_is_false_though_signed),
        cmocka_unit_test(test_lines_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
