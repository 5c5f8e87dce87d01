// links: mlt_dossier mlt_testlib
//
// fixture_dossier.json is a dossier written by hand: a breast-cancer classifier with two versions, of which one served.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/sha256.h"
#include "dossier/dossier.h"
#include "dossier/html_out.h"

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

static const char *render(struct mlt_buf *out, struct mlt_bytes json) {
    struct mlt_error err = {0};
    mlt_buf_reset(out);
    if (mlt_dossier_html(json, out, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return mlt_buf_cstr(out);
}

static size_t count(const char *text, const char *what) {
    size_t num = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        num++;
    }
    return num;
}

static void the_page_needs_nothing_from_elsewhere(void **state) {
    // No link that is fetched, one script of our own, and a policy that forbids everything else.
    (void)state;
    struct mlt_buf out = {0};
    const char *page = render(&out, mlt_buf_bytes(&fixture));
    static const char *const forbidden[] = {"http://", "https://", "src=",    "url(",   "@import",
                                            "<link",   "onload",   "<iframe", "<object"};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        const char *at = strstr(page, forbidden[i]);
        if (at && strncmp(at, "url(#a)", 7) != 0) {
            fail_msg("found %s", forbidden[i]);
        }
    }
    assert_non_null(strstr(page, "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                                 "script-src 'sha256-"));
    assert_int_equal(count(page, "<script"), 2); // what is checked, and what checks it
    assert_non_null(strstr(page, "@media print"));
    mlt_buf_clear(&out);
}

static void the_page_prints_the_digest_of_its_json(void **state) {
    // The human form names the machine form by its SHA-256.
    (void)state;
    struct mlt_buf out = {0};
    uint8_t digest[MLT_HASH_LEN];
    char hex[2 * MLT_HASH_LEN + 1];
    mlt_sha256_one(digest, mlt_buf_bytes(&fixture));
    mlt_hex_encode(hex, mlt_bytes_of(digest, sizeof(digest)));
    assert_non_null(strstr(render(&out, mlt_buf_bytes(&fixture)), hex));
    mlt_buf_clear(&out);
}

static void every_layer_of_the_chain_is_drawn(void **state) {
    // The picture has the eight layers, a box for each record, and every tag that is opened is closed.
    (void)state;
    struct mlt_buf out = {0};
    const char *page = render(&out, mlt_buf_bytes(&fixture));
    static const char *const shown[] = {"Source tables", "Datasets",   "Training",   "Model version",
                                        "Approval",      "Deployment", "Prediction", "Access"};
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        char label[64];
        snprintf(label, sizeof(label), "\">%s</text>", shown[i]);
        assert_non_null(strstr(page, label));
    }
    assert_int_equal(count(page, "class=\"bx"), 3 + 2 + 1 + 2 + 1 + 2 + 2 + 4);
    assert_int_equal(count(page, "bx gone"), 0);
    assert_non_null(strstr(page, "and 2 more"));
    static const char *const tags[] = {"table",  "section", "tr",   "td", "th", "dl", "div", "svg",  "text", "article",
                                       "figure", "details", "code", "ol", "li", "dd", "dt",  "span", "p",    "caption"};
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        char open1[32], open2[32], close[32];
        snprintf(open1, sizeof(open1), "<%s>", tags[i]);
        snprintf(open2, sizeof(open2), "<%s ", tags[i]);
        snprintf(close, sizeof(close), "</%s>", tags[i]);
        if (count(page, open1) + count(page, open2) != count(page, close)) {
            fail_msg("<%s> is opened and closed unequally often", tags[i]);
        }
    }
    mlt_buf_clear(&out);
}

static void how_the_approver_is_known_is_said(void **state) {
    // Beside the approval stands how the approver is known; it is derived, and no member that an entry could say.
    (void)state;
    struct mlt_buf out = {0};
    const char *page = render(&out, mlt_buf_bytes(&fixture));
    assert_non_null(strstr(page, "<th scope=\"row\">assurance</th><td>signed: the approver signed what is recorded<"));
    assert_non_null(strstr(page, "<tr class=\"conflict\"><th scope=\"row\">signature check</th><td>invalid: "));
    assert_non_null(strstr(page, "<td data-member=\"statement\"><pre>mltrail approval v1\norigin: "
                                 "&quot;example.com/&lt;b&gt;&quot;\n</pre></td>"));
    assert_int_equal(count(page, "data-member=\"approver_assurance\""), 0);
    assert_int_equal(count(page, "data-member=\"signature_checks\""), 0);
    mlt_buf_clear(&out);
}

static void a_missing_link_is_drawn_as_missing(void **state) {
    // Without approval and training there are dashed boxes that say so, and no empty row.
    (void)state;
    struct mlt_buf out = {0};
    const char *page =
        render(&out, mlt_str("{\"request_id\":\"r\",\"predictions\":[{\"kind\":\"prediction\",\"entry\":1,"
                             "\"model\":\"m\",\"model_version\":\"1\",\"served\":true}]}"));
    assert_int_equal(count(page, "bx gone"), 6);
    assert_non_null(strstr(page, "no approval recorded"));
    assert_non_null(strstr(page, "No approval of this version is recorded."));
    mlt_buf_clear(&out);
}

static void hostile_text_stays_text(void **state) {
    // Nothing that a record says becomes markup, wherever it is shown: names, values, codes, the title, the picture.
    (void)state;
    static const char evil[] =
        "</title></style><script>alert(1)</script>\\\"'><img src=x onerror=y>&amp;\\u202e\\u0007";
    struct mlt_buf out = {0}, json = {0};
    static const char *const shapes[] = {
        "{\"request_id\":\"%s\"}",
        "{\"predictions\":[{\"kind\":\"%s\",\"entry\":1,\"%s\":\"%s\",\"model\":\"%s\",\"feature_values\":{\"%s\":\"%"
        "s\"}}]}",
        "{\"findings\":[{\"code\":\"%s\",\"severity\":\"%s\",\"condition\":\"%s\",\"entries\":[\"%s\"]}]}",
        "{\"sources\":[{\"system\":\"%s\",\"table\":\"%s\",\"date_range\":{\"from\":\"%s\",\"zone\":\"%s\"}}]}",
        "{\"timeline\":[{\"entry\":\"%s\",\"what\":\"%s\",\"time\":\"%s\",\"disagreement\":\"%s\"}]}",
        "{\"integrity\":{\"verdict\":\"%s\",\"key\":\"%s\",\"checkpoint\":{\"note\":\"%s\"},\"entries\":[{\"index\":\"%"
        "s\","
        "\"leaf\":\"%s\",\"proof\":[\"%s\"]}]},\"generated\":{\"build\":\"%s\"}}",
        "{\"access\":[{\"principal\":{\"withheld\":\"%s\",\"commitment\":\"%s\"},\"action\":\"%s\"}]}",
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        mlt_buf_reset(&json);
        for (const char *at = shapes[i]; *at; at++) {
            if (at[0] == '%' && at[1] == 's') {
                mlt_buf_put_str(&json, evil);
                at++;
            } else {
                mlt_buf_put_u8(&json, (uint8_t)*at);
            }
        }
        const char *page = render(&out, mlt_buf_bytes(&json));
        assert_int_equal(count(page, "<script"), 2);
        assert_int_equal(count(page, "</script"), 2);
        assert_int_equal(count(page, "<img"), 0);
        assert_int_equal(count(page, "</title>"), 2);
        assert_int_equal(count(page, "</style>"), 1);
        assert_int_equal(count(page, "\xe2\x80\xae"), 0);
        assert_non_null(strstr(page, "&lt;script&gt;"));
    }
    mlt_buf_clear(&out);
    mlt_buf_clear(&json);
}

static void the_policy_lets_the_pages_own_script_run_and_no_other(void **state) {
    // The hash in the policy is that of the text between the script tags.
    (void)state;
    struct mlt_buf out = {0}, want = {0};
    uint8_t digest[MLT_HASH_LEN];
    const char *page = render(&out, mlt_buf_bytes(&fixture));
    const char *begin = strstr(page, "<script>");
    assert_non_null(begin);
    begin += strlen("<script>");
    const char *end = strstr(begin, "</script>");
    assert_non_null(end);
    mlt_sha256_one(digest, mlt_bytes_of(begin, (size_t)(end - begin)));
    mlt_buf_put_str(&want, "script-src 'sha256-");
    mlt_buf_put_base64(&want, mlt_bytes_of(digest, sizeof(digest)));
    mlt_buf_put_str(&want, "';");
    assert_non_null(strstr(page, mlt_buf_cstr(&want)));
    mlt_buf_clear(&want);
    mlt_buf_clear(&out);
}

static void the_digest_of_a_text_leaves_out_tags_and_white_space(void **state) {
    // What a browser gives as text: tags gone, entities read, white space of any kind left out.
    (void)state;
    static const struct {
        const char *html, *text;
    } cases[] = {
        {"<p class=\"x\">a &amp; b</p>\n", "a&b"},
        {"&lt;i&gt; &quot;&#39;\t\f\r", "<i>\"'"},
        {"a\xc2\xa0"
         "b\xc3\xa9",
         "ab\xc3\xa9"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t got[MLT_HASH_LEN], want[MLT_HASH_LEN];
        assert_true(mlt_html_text_digest(mlt_str(cases[i].html), got));
        mlt_sha256_one(want, mlt_str(cases[i].text));
        assert_memory_equal(got, want, sizeof(got));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_needs_nothing_from_elsewhere),
        cmocka_unit_test(the_page_prints_the_digest_of_its_json),
        cmocka_unit_test(every_layer_of_the_chain_is_drawn),
        cmocka_unit_test(how_the_approver_is_known_is_said),
        cmocka_unit_test(a_missing_link_is_drawn_as_missing),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(the_policy_lets_the_pages_own_script_run_and_no_other),
        cmocka_unit_test(the_digest_of_a_text_leaves_out_tags_and_white_space),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
