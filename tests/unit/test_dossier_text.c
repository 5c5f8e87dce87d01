// links: mlt_dossier mlt_testlib
//
// fixture_dossier.json is a dossier written by hand: a breast-cancer classifier with two versions, of which one served.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "dossier/dossier.h"
#include "dossier/visible.h"

#include <cmocka.h>

static struct mlt_buf fixture;

static int set_up(void **state) {
    (void)state;
    char path[4096];
    char block[4096];
    const char *source = getenv("MLT_SOURCE");
    snprintf(path, sizeof(path), "%s/tests/unit/fixture_dossier.json", source ? source : ".");
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t got;
    while ((got = fread(block, 1, sizeof(block), f)) > 0) {
        mlt_buf_put(&fixture, block, got);
    }
    fclose(f);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mlt_buf_clear(&fixture);
    return 0;
}

static const char *render(struct mlt_buf *out, struct mlt_bytes json, bool color, unsigned width) {
    struct mlt_error err = {0};
    mlt_buf_reset(out);
    if (mlt_dossier_text(json, color, width, out, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return mlt_buf_cstr(out);
}

static void the_plain_answer_comes_first(void **state) {
    // The first paragraph names the request, the model version, the approver, the deployer, the job and the tables.
    (void)state;
    struct mlt_buf out = {0};
    const char *text = render(&out, mlt_buf_bytes(&fixture), false, 4000);
    const char *end = strstr(text, "THE CHAIN");
    assert_non_null(end);
    static const char *const said[] = {
        "On 2026-11-20T10:15:02.12Z request fna-7f3a91c2 was answered by model breast-cancer-fna version 7",
        "approved by dr.m.okafor (reference CAB-2026-0914) on 2026-09-05T09:30:00Z",
        "moved to production by ops.jari on 2026-09-06T07:12:44Z",
        "trained by job job-2026-09-02-17",
        "git commit 4be1a0cf2f9a4dd0b1f2c63c5d3c6a7e1b8f9d20",
        "dataset wdbc-train version 2026-09",
        "pathology.fna_samples of pg-clinic-prod, from 2021-01-01 to 2026-07-01 (exclusive)",
        "All 18 entries behind this answer",
        "2 open findings (1 high, 1 medium), 1 resolved.",
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        const char *at = strstr(text, said[i]);
        if (!at || at > end) {
            fail_msg("not in the first paragraph: %s", said[i]);
        }
    }
    mlt_buf_clear(&out);
}

static void how_the_approver_is_known_is_said(void **state) {
    // Beside the approval stands how the approver is known, what became of each signature, and what was signed.
    (void)state;
    struct mlt_buf out = {0};
    const char *text = render(&out, mlt_buf_bytes(&fixture), false, 4000);
    assert_non_null(strstr(text, "signed: the approver signed what is recorded\n"));
    assert_non_null(strstr(text, "good, by the key SHA256:qnJOCpfIiWvsvTDufnutYrJU9yZ/MyyefELP93o7sBc, which entry 4 "
                                 "allows (signature in entry 12)\n"));
    assert_non_null(
        strstr(text, "invalid: the signature is not by this key over these bytes (signature in entry 13)\n"));
    assert_non_null(strstr(text, "mltrail approval v1\n                            origin: \"example.com/<b>\"\n"));
    mlt_buf_clear(&out);
}

static void what_the_node_signed_is_said(void **state) {
    // The verdict on the signed batch of the prediction stands under what is complete, with the entry and the key.
    (void)state;
    struct mlt_buf out = {0};
    const char *text = render(&out, mlt_buf_bytes(&fixture), false, 4000);
    assert_non_null(
        strstr(text, "signed batch    good (entry 16, key SHA256:qnJOCpfIiWvsvTDufnutYrJU9yZ/MyyefELP93o7sBc)\n"));
    mlt_buf_clear(&out);
}

static void no_line_is_wider_than_the_terminal(void **state) {
    // Lines keep to the width, hashes are broken when they must be, and absurd widths become the smallest one.
    (void)state;
    static const unsigned widths[] = {1, 30, 40, 66, 80, 120, 300};
    struct mlt_buf out = {0};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        const unsigned width = widths[i] < 30 ? 30 : widths[i];
        const char *line = render(&out, mlt_buf_bytes(&fixture), false, widths[i]);
        while (*line) {
            const size_t len = strcspn(line, "\n");
            if (mlt_visible_width(mlt_bytes_of(line, len)) > width) {
                fail_msg("width %u: %.*s", width, (int)len, line);
            }
            line += len + 1;
        }
    }
    mlt_buf_clear(&out);
}

static void colours_come_only_when_asked_for(void **state) {
    // Without colours there is no escape; with them the words are the same.
    (void)state;
    struct mlt_buf plain = {0}, colored = {0};
    assert_null(strchr(render(&plain, mlt_buf_bytes(&fixture), false, 80), '\033'));
    const char *text = render(&colored, mlt_buf_bytes(&fixture), true, 80);
    assert_non_null(strstr(text, "\033[1m"));
    struct mlt_buf stripped = {0};
    while (*text) {
        if (*text == '\033') {
            text += strcspn(text, "m") + 1;
            continue;
        }
        mlt_buf_put_u8(&stripped, (uint8_t)*text++);
    }
    assert_int_equal(stripped.len, plain.len);
    assert_memory_equal(stripped.data, plain.data, plain.len);
    mlt_buf_clear(&stripped);
    mlt_buf_clear(&plain);
    mlt_buf_clear(&colored);
}

static void hostile_text_cannot_act_on_the_terminal(void **state) {
    // Escapes, newlines, direction marks and invisible characters are shown as what they are.
    (void)state;
    struct mlt_buf out = {0};
    const char *json =
        "{\"request_id\":\"a\\u001b[2J\\u202eb\\nVERIFIED\\u200b\\u009bX\\u0000\",\"predictions\":[{\"kind\":"
        "\"prediction\",\"entry\":1,\"model\":\"\\u2066m\",\"x\\u001b]0;y\":\"\\r\\u007f\"}],"
        "\"timeline\":[{\"entry\":1,\"what\":\"\\u001b[31m\"}]}";
    const char *text = render(&out, mlt_str(json), true, 100);
    assert_non_null(strstr(text, "a\\u{1b}[2J\\u{202e}b\\u{a}VERIFIED\\u{200b}\\u{9b}X\\u{0}"));
    assert_non_null(strstr(text, "\\u{2066}m"));
    assert_non_null(strstr(text, "x\\u{1b}]0;y"));
    assert_null(strstr(text, "\033[2J"));
    assert_null(strstr(text, "\nVERIFIED"));
    assert_null(strstr(text, "\xe2\x80\xae"));
    mlt_buf_clear(&out);
}

static void what_is_absent_or_withheld_is_said(void **state) {
    // A withheld member shows its reason, null members are listed, an empty list says that nothing is recorded.
    (void)state;
    struct mlt_buf out = {0};
    const char *text = render(&out, mlt_buf_bytes(&fixture), false, 100);
    assert_non_null(strstr(text, "withheld: erased"));
    assert_non_null(strstr(text, "withheld: no grant to see it"));
    assert_non_null(strstr(text, "not recorded            event id, row, batch id"));
    text = render(&out, mlt_str("{\"request_id\":\"r\",\"approvals\":[]}"), false, 100);
    assert_non_null(strstr(text, "APPROVALS\n  None is recorded."));
    assert_non_null(strstr(text, "none recorded"));
    mlt_buf_clear(&out);
}

static void what_is_no_dossier_is_refused(void **state) {
    // A rendering of something else than a JSON object fails with a reason; odd types inside do no harm.
    (void)state;
    struct mlt_buf out = {0};
    struct mlt_error err = {0};
    assert_int_equal(mlt_dossier_text(mlt_str("[]"), false, 0, &out, &err), MLT_INVALID);
    assert_int_equal(mlt_dossier_text(mlt_str("{"), false, 0, &out, &err), MLT_INVALID);
    assert_int_equal(mlt_dossier_text(mlt_str("{\"predictions\":{\"a\":1},\"findings\":\"x\",\"sources\":[1,[],null],"
                                              "\"integrity\":[],\"timeline\":[{}],\"access\":[[]],\"approvals\":[7]}"),
                                      false, 0, &out, &err),
                     MLT_OK);
    mlt_buf_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_answer_comes_first),       cmocka_unit_test(how_the_approver_is_known_is_said),
        cmocka_unit_test(what_the_node_signed_is_said),       cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(colours_come_only_when_asked_for),   cmocka_unit_test(hostile_text_cannot_act_on_the_terminal),
        cmocka_unit_test(what_is_absent_or_withheld_is_said), cmocka_unit_test(what_is_no_dossier_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
