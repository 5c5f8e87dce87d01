// links: mlt_bundle mlt_base_posix
//
// The tamper grid of evidence bundles: whatever is changed in one, by somebody who knows the format and makes the
// manifests fit again, is found, and the report names where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "lib/bundle_trail.h"
#include "lib/contains.h"
#include "lib/rawzip.h"

#include <cmocka.h>

#define EDITS_MAX 256
#define FLIPS 5 // positions tried in each member
#define E_REVOKED 9

struct edit {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_bytes data;
};

struct fixture {
    struct bundle_trail b;
    struct mlt_buf zip, entries;
    struct mlt_arena arena;
    struct edit edits[EDITS_MAX]; // the bundle taken apart
    size_t num;
    struct mlt_bundle_report report;
    struct mlt_error err;
};

static void make(struct fixture *f, struct mlt_buf *zip) {
    struct mlt_buf entries = {0};
    if (mlt_bundle_make(&f->b.req, zip, &entries, &f->err) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
    mlt_buf_clear(&entries);
}

static void take_apart(struct fixture *f, struct mlt_bytes zip) {
    struct mlt_archive a;
    assert_int_equal(mlt_archive_open(&a, zip, &mlt_bundle_limits, &f->err), MLT_OK);
    assert_true(a.num_entries < EDITS_MAX - 2);
    f->num = a.num_entries;
    for (size_t i = 0; i < f->num; i++) {
        (void)snprintf(f->edits[i].name, sizeof(f->edits[i].name), "%s", a.entries[i].name);
        assert_int_equal(mlt_archive_read(&a, i, &f->arena, &f->edits[i].data, &f->err), MLT_OK);
    }
    mlt_archive_close(&a);
}

// An access whose list of entries spills into a detail.
static void add_spilled(struct bundle_trail *b) {
    struct mlt_buf json = {0};
    mlt_buf_put_str(&json, "{\"kind\":\"access\",\"event_id\":\"a2\",\"action\":\"read\",\"resource\":{\"type\":"
                           "\"training_data\",\"id\":\"wdbc/1\"},\"timestamp\":\"2026-11-23T09:46:00Z\",\"principal\":"
                           "\"lena\",\"source\":{\"address\":\"10.0.0.2\"},\"outcome\":\"allowed\",\"entries\":[0");
    for (size_t i = 1; i < 5000; i++) {
        mlt_buf_printf(&json, ",%zu", i);
    }
    mlt_buf_put_str(&json, "],\"count\":5000}");
    trail_add(&b->t, "portal", mlt_buf_cstr(&json));
    mlt_buf_clear(&json);
}

// A decision about requests whose names are so long that they spill: the segment does not commit to them.
static void add_uncommitted(struct bundle_trail *b) {
    struct mlt_buf json = {0};
    mlt_buf_put_str(
        &json, "{\"kind\":\"decision\",\"result\":\"no\",\"timestamp\":\"2026-11-23T09:47:00Z\",\"request_ids\":[");
    for (int i = 0; i < 20; i++) {
        mlt_buf_printf(&json, "%s\"%0900d\"", i > 0 ? "," : "", i);
    }
    mlt_buf_put_str(&json, "]}");
    trail_add(&b->t, "portal", mlt_buf_cstr(&json));
    mlt_buf_clear(&json);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    bundle_trail_open(&f->b);
    trail_fill(&f->b.t);
    trail_add(&f->b.t, "portal",
              "{\"kind\":\"approval\",\"approval_reference\":\"CAB-2\",\"model\":\"fna\",\"model_version\":\"7\","
              "\"verdict\":\"revoked\",\"approver\":\"okafor\",\"timestamp\":\"2026-11-23T09:45:00Z\","
              "\"reason\":\"drift\"}");
    add_spilled(&f->b);
    add_uncommitted(&f->b);
    bundle_trail_ready(&f->b, "r-1");
    make(f, &f->zip);
    take_apart(f, mlt_buf_bytes(&f->zip));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    bundle_trail_close(&f->b);
    mlt_buf_clear(&f->zip);
    mlt_buf_clear(&f->entries);
    mlt_arena_clear(&f->arena);
    free(f);
    return 0;
}

static struct edit *find(struct fixture *f, const char *name) {
    for (size_t i = 0; i < f->num; i++) {
        if (strcmp(f->edits[i].name, name) == 0) {
            return &f->edits[i];
        }
    }
    fail_msg("no member %s", name);
    return NULL;
}

static void drop(struct fixture *f, const char *name) {
    struct edit *e = find(f, name);
    *e = f->edits[--f->num];
}

static void add(struct fixture *f, const char *name, struct mlt_bytes data) {
    (void)snprintf(f->edits[f->num].name, sizeof(f->edits[0].name), "%s", name);
    f->edits[f->num++].data = data;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct edit *)a)->name, ((const struct edit *)b)->name);
}

// What somebody does who knows the format: the manifests fit whatever is in the bundle.
static void make_manifests_fit(struct fixture *f) {
    struct mlt_bundle_member members[EDITS_MAX];
    struct mlt_buf out = {0};
    qsort(f->edits, f->num, sizeof(f->edits[0]), by_name);
    for (int pass = 0; pass < 2; pass++) {
        const char *name = pass == 0 ? "manifest.json" : "manifest.sha256";
        bool there = false;
        for (size_t i = 0; i < f->num; i++) {
            members[i] = (struct mlt_bundle_member){.name = f->edits[i].name, .data = f->edits[i].data};
            there = there || strcmp(f->edits[i].name, name) == 0;
        }
        mlt_buf_reset(&out);
        if (pass == 0) {
            (void)mlt_bundle_put_manifest(&out, members, f->num, MLT_BUNDLE_FORMAT);
        } else {
            mlt_bundle_put_sums(&out, members, f->num);
        }
        if (there) {
            find(f, name)->data = mlt_arena_copy(&f->arena, mlt_buf_bytes(&out));
        }
    }
    mlt_buf_clear(&out);
}

static bool verify_packed(struct fixture *f, const struct mlt_vkey *key, const char *build) {
    struct mlt_archive_member members[EDITS_MAX];
    struct mlt_buf zip = {0};
    for (size_t i = 0; i < f->num; i++) {
        members[i] = (struct mlt_archive_member){.name = f->edits[i].name, .data = f->edits[i].data};
    }
    assert_int_equal(mlt_archive_write(members, f->num, &zip, &f->err), MLT_OK);
    if (mlt_bundle_verify(mlt_buf_bytes(&zip), key, build, &f->arena, &f->report, &f->err) != MLT_OK) {
        fail_msg("could not check: %s", f->err.text);
    }
    mlt_buf_clear(&zip);
    return f->report.verdict;
}

static bool verify(struct fixture *f) {
    return verify_packed(f, &f->b.t.signer.vkey, BUILD);
}

static bool blamed(const struct fixture *f, const char *where, const char *text) {
    for (size_t i = 0; i < f->report.num_faults && i < MLT_BUNDLE_FAULTS_MAX; i++) {
        if (strstr(f->report.faults[i].where, where) && strstr(f->report.faults[i].text, text)) {
            return true;
        }
    }
    return false;
}

static void must_blame(struct fixture *f, const char *where, const char *text) {
    if (verify(f) || !blamed(f, where, text)) {
        bundle_show_faults(&f->report);
        fail_msg("%s was to be blamed for \"%s\"", where, text);
    }
}

static void test_unchanged(void **state) {
    // taken apart and put together it verifies: what fails below fails for its change alone
    struct fixture *f = *state;
    make_manifests_fit(f);
    if (!verify(f)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_true(f->report.details == 2);
}

static void flip_each(struct fixture *f, bool fit) {
    for (size_t i = 0; i < f->num; i++) {
        struct edit saved[EDITS_MAX];
        memcpy(saved, f->edits, sizeof(saved));
        char name[MLT_BUNDLE_NAME_LEN];
        (void)snprintf(name, sizeof(name), "%s", f->edits[i].name);
        const struct mlt_bytes was = f->edits[i].data;
        for (size_t n = 0; n < FLIPS && was.len > 0; n++) {
            uint8_t *copy = mlt_arena_take(&f->arena, was.len);
            const size_t at = was.len * n / FLIPS + (n + 1 == FLIPS ? was.len - 1 - was.len * n / FLIPS : 0);
            memcpy(copy, was.ptr, was.len);
            copy[at] ^= 1;
            find(f, name)->data = mlt_bytes_of(copy, was.len);
            if (fit) {
                make_manifests_fit(f);
            }
            const bool restored = fit && strncmp(name, "manifest", 8) == 0; // making it fit undid the flip
            if (verify(f) != restored || (!fit && !blamed(f, name, ""))) {
                bundle_show_faults(&f->report);
                fail_msg("byte %zu of %s", at, name);
            }
            memcpy(f->edits, saved, sizeof(saved));
        }
    }
}

static void test_flips(void **state) {
    // a flipped bit of any member is found by its sum, and named
    flip_each(*state, false);
}

static void test_flips_fitted(void **state) {
    // and by what it says when the manifests were made to fit
    flip_each(*state, true);
}

static void test_dropped(void **state) {
    // no member can be left out
    struct fixture *f = *state;
    for (size_t i = 0; i < f->num; i++) {
        struct edit saved[EDITS_MAX];
        const size_t num = f->num;
        memcpy(saved, f->edits, sizeof(saved));
        f->edits[i] = f->edits[--f->num];
        make_manifests_fit(f);
        if (verify(f)) {
            fail_msg("%s was left out", saved[i].name);
        }
        memcpy(f->edits, saved, sizeof(saved));
        f->num = num;
    }
}

static void test_added(void **state) {
    // what has no part in a bundle is not let in, be it a stranger, another detail or a proved entry
    struct fixture *f = *state;
    add(f, "readme.html", mlt_str("<p>all is well"));
    make_manifests_fit(f);
    must_blame(f, "readme.html", "has no part");
    drop(f, "readme.html");
    add(f,
        "details/"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        mlt_str("abc"));
    make_manifests_fit(f);
    must_blame(f, "details/ba78", "has no part");
}

static void test_order(void **state) {
    // members twice or in another order are refused before they are read
    struct fixture *f = *state;
    struct rawzip_member two[] = {{.name = f->edits[1].name, .data = f->edits[1].data},
                                  {.name = f->edits[0].name, .data = f->edits[0].data}};
    struct mlt_buf zip = {0};
    rawzip_write(&zip, two, 2, "");
    assert_int_equal(mlt_bundle_verify(mlt_buf_bytes(&zip), NULL, BUILD, &f->arena, &f->report, &f->err), MLT_OK);
    assert_false(f->report.verdict);
    assert_true(blamed(f, "", "in the order of their names"));
    mlt_buf_reset(&zip);
    two[1] = two[0];
    rawzip_write(&zip, two, 2, "");
    assert_int_equal(mlt_bundle_verify(mlt_buf_bytes(&zip), NULL, BUILD, &f->arena, &f->report, &f->err), MLT_OK);
    assert_false(f->report.verdict);
    mlt_buf_clear(&zip);
}

static void test_replaced(void **state) {
    // an entry, a proof, a payload of somebody else's does not do
    struct fixture *f = *state;
    static const char *const pairs[][2] = {{"entries/3.json", "entries/9.json"},
                                           {"proofs/3.tlog-proof", "proofs/9.tlog-proof"},
                                           {"payloads/6.json", "payloads/8.json"},
                                           {"dossier.html", "dossier.txt"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct edit saved[EDITS_MAX];
        memcpy(saved, f->edits, sizeof(saved));
        find(f, pairs[i][0])->data = find(f, pairs[i][1])->data;
        make_manifests_fit(f);
        if (verify(f)) {
            fail_msg("%s stood in for %s", pairs[i][1], pairs[i][0]);
        }
        memcpy(f->edits, saved, sizeof(saved));
    }
}

// --- a source that hides one entry, as a presenter would who leaves out what is inconvenient ---

static struct mlt_source honest;
static struct mlt_bundle_links honest_links;

static enum mlt_status hiding_find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from,
                                   bool descending, size_t limit, uint64_t *out, size_t *num_out, uint64_t *total,
                                   bool *more, struct mlt_error *err) {
    const enum mlt_status status =
        honest.find(ctx, terms, num_terms, from, descending, limit, out, num_out, total, more, err);
    size_t kept = 0;
    for (size_t i = 0; i < *num_out; i++) {
        if (out[i] != E_REVOKED) {
            out[kept++] = out[i];
        }
    }
    if (total) {
        *total -= *num_out - kept;
    }
    *num_out = kept;
    return status;
}

static enum mlt_status hiding_prove(void *ctx, size_t segment, const struct mlt_link *link, struct mlt_arena *arena,
                                    struct mlt_link_proof *out, struct mlt_error *err) {
    const enum mlt_status status = honest_links.prove(ctx, segment, link, arena, out, err);
    if (out->num_shown > 0 && out->shown[out->num_shown - 1].leaf.entry == E_REVOKED) {
        out->num_shown--;
        out->count--;
    }
    return status;
}

static void hide(struct fixture *f) {
    honest = *f->b.req.src;
    f->b.then.find = hiding_find;
}

static void test_hidden(void **state) {
    // a revocation that is left out, with its leaf, is missed where its neighbours stand
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    hide(f);
    honest_links = f->b.links;
    f->b.links.prove = hiding_prove;
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "absence.json", "leaf after");
    mlt_buf_clear(&zip);
}

static void test_hidden_by_assertion(void **state) {
    // nor can it be left out by asserting what has to be proved
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    hide(f);
    make(f, &zip); // the maker sees that proofs and answers differ, and asserts
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "dossier.json", "contradicts what is proved");
    mlt_buf_reset(&zip);
    f->b.req.links = NULL;
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "absence.json", "that nothing is left out is not proved");
    mlt_buf_clear(&zip);
}

static enum mlt_status clipping_find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from,
                                     bool descending, size_t limit, uint64_t *out, size_t *num_out, uint64_t *total,
                                     bool *more, struct mlt_error *err) {
    uint64_t all = 0;
    bool rest = false;
    const enum mlt_status status =
        hiding_find(ctx, terms, num_terms, from, descending, limit, out, num_out, &all, &rest, err);
    struct mlt_bytes values[] = {mlt_str("fna"), mlt_str("7")};
    struct mlt_term term;
    mlt_source_term(&honest, &term, MLT_DIM_APPROVES, values, 2);
    if (num_terms == 1 && term.dim == terms[0].dim && memcmp(term.hash, terms[0].hash, MLT_TERM_LEN) == 0) {
        all++; // what is hidden is counted, as if it stood on a page that nobody asked for
        rest = true;
    }
    if (total) {
        *total = all;
    }
    if (more) {
        *more = rest;
    }
    return status;
}

static void test_hidden_behind_a_page(void **state) {
    // nor by saying that there is more: it would stand on the page that is shown
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    hide(f);
    f->b.then.find = clipping_find;
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "dossier.json", "contradicts what is proved");
    mlt_buf_clear(&zip);
}

// Of several leaves the first alone, or none.
static size_t leaves_kept;
static enum mlt_status clipping_prove(void *ctx, size_t segment, const struct mlt_link *link, struct mlt_arena *arena,
                                      struct mlt_link_proof *out, struct mlt_error *err) {
    const enum mlt_status status = honest_links.prove(ctx, segment, link, arena, out, err);
    if (out->num_shown > 1 && out->shown[out->num_shown - 1].leaf.entry == E_REVOKED) {
        out->num_shown = leaves_kept;
    }
    return status;
}

static void test_hidden_leaf(void **state) {
    // a leaf that is counted is shown, the newest before all others
    struct fixture *f = *state;
    static const char *const why[] = {"leaves are counted and not shown", "are not the newest of the run"};
    struct mlt_buf zip = {0};
    hide(f);
    honest_links = f->b.links;
    f->b.links.prove = clipping_prove;
    for (leaves_kept = 0; leaves_kept < 2; leaves_kept++) {
        mlt_buf_reset(&zip);
        make(f, &zip);
        take_apart(f, mlt_buf_bytes(&zip));
        must_blame(f, "absence.json", why[leaves_kept]);
    }
    mlt_buf_clear(&zip);
}

static bool is_asserted(const struct fixture *f, const char *what) {
    for (size_t i = 0; i < f->report.num_asserted && i < MLT_BUNDLE_ASSERTED_MAX; i++) {
        if (strstr(f->report.asserted[i], what)) {
            return true;
        }
    }
    return false;
}

// A source that says of every payload that it was erased.
static enum mlt_status erasing_payload(void *ctx, uint64_t index, const struct mlt_entry *e, struct mlt_arena *arena,
                                       enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    const enum mlt_status status = honest.payload(ctx, index, e, arena, state, plain, err);
    *state = *state == MLT_PAYLOAD_OPEN ? MLT_PAYLOAD_ERASED : *state;
    return status;
}

static void test_own_word(void **state) {
    // what a bundle says in its own words alone is said to be asserted
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    honest = *f->b.req.src;
    f->b.then.payload = erasing_payload;
    f->b.ctx.assurance = mlt_dossier_assurance(&f->arena, 3);
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    if (!verify(f)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_true(is_asserted(f, "payload of entry 6 is erased"));
    assert_true(is_asserted(f, "the witness policy of entry 3 applies"));
    assert_int_equal(f->report.masked, 0);
    mlt_buf_clear(&zip);
}

static bool has_fault(const struct fixture *f, const char *what) {
    for (size_t i = 0; i < f->report.num_faults && i < MLT_BUNDLE_FAULTS_MAX; i++) {
        if (strstr(f->report.faults[i].text, what)) {
            return true;
        }
    }
    return false;
}

static void expect_unfit(struct fixture *f, const char *what) {
    struct mlt_buf zip = {0};
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    assert_false(verify(f));
    assert_true(has_fault(f, what));
    mlt_buf_clear(&zip);
}

static void test_foreign_words(void **state) {
    // a dossier says who vouches for it in no words of its maker's own
    static const char *const words[] = {"witnessed 3 of 3", "self-attested, by us all",
                                        ("self-attested; the witness policy of entry 03 applies to the published "
                                         "checkpoint, which stands beside")};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        f->b.ctx.assurance = words[i];
        expect_unfit(f, "/integrity/assurance");
    }
}

static void test_foreign_signatures(void **state) {
    // a dossier's checkpoint shows no signature that nobody has looked at
    struct fixture *f = *state;
    struct mlt_buf note = {0};
    mlt_buf_put_bytes(&note, f->b.ctx.checkpoint);
    mlt_buf_put_str(&note, "\xe2\x80\x94 witness.example/w1 AAAAAAAAAAAAAAAA\n");
    f->b.ctx.checkpoint = mlt_buf_bytes(&note);
    expect_unfit(f, "/integrity/checkpoint/note has 2 signatures");
    mlt_buf_clear(&note);
}

static const char *detail_of_requests(const struct fixture *f) {
    for (size_t i = 0; i < f->num; i++) {
        if (strncmp(f->edits[i].name, "details/", 8) == 0 && f->edits[i].data.ptr[1] == '"') {
            return f->edits[i].name;
        }
    }
    fail_msg("the long names are not in the bundle");
    return NULL;
}

static void test_partial(void **state) {
    // an entry that refers to more than it commits to is read whole, and neither its details nor the list of these
    // entries can be left out
    struct fixture *f = *state;
    struct mlt_bundle_absence a;
    struct mlt_buf text = {0};
    assert_true(verify(f));
    assert_false(is_asserted(f, "which refer to more"));
    struct edit *e = find(f, "absence.json");
    assert_int_equal(mlt_bundle_get_absence(&a, e->data, &f->arena, &f->err), MLT_OK);
    a.links++;
    a.num_links--;
    mlt_bundle_put_absence(&text, &a);
    e->data = mlt_arena_copy(&f->arena, mlt_buf_bytes(&text));
    make_manifests_fit(f);
    must_blame(f, "absence.json", "which entries refer to more");
    take_apart(f, mlt_buf_bytes(&f->zip));
    drop(f, detail_of_requests(f));
    make_manifests_fit(f);
    must_blame(f, "absence.json", "refers to more than it commits to");
    mlt_buf_clear(&text);
}

static void test_segment_twice(void **state) {
    // the same segment again is blamed, and the walk does not meet its entries twice
    struct fixture *f = *state;
    struct mlt_bundle_absence a;
    struct mlt_buf text = {0};
    struct edit *e = find(f, "absence.json");
    assert_int_equal(mlt_bundle_get_absence(&a, e->data, &f->arena, &f->err), MLT_OK);
    assert_int_equal(a.num_segments, 1);
    const struct mlt_bundle_segment twice[] = {a.segments[0], a.segments[0]};
    a.segments = (struct mlt_bundle_segment *)twice;
    a.num_segments = 2;
    for (size_t i = 0; i < a.num_links; i++) {
        struct mlt_link_proof *proofs = mlt_arena_take(&f->arena, 2 * sizeof(*proofs));
        assert_non_null(proofs);
        proofs[0] = proofs[1] = a.links[i].proofs[0];
        a.links[i].proofs = proofs;
    }
    mlt_bundle_put_absence(&text, &a);
    e->data = mlt_arena_copy(&f->arena, mlt_buf_bytes(&text));
    make_manifests_fit(f);
    must_blame(f, "absence.json", "begins at 0");
    mlt_buf_clear(&text);
}

// A source that turns the list of approvals around.
static enum mlt_status turning_find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from,
                                    bool descending, size_t limit, uint64_t *out, size_t *num_out, uint64_t *total,
                                    bool *more, struct mlt_error *err) {
    const enum mlt_status status =
        honest.find(ctx, terms, num_terms, from, descending, limit, out, num_out, total, more, err);
    if (!status && *num_out == 2 && terms[0].dim == MLT_DIM_APPROVES) {
        const uint64_t first = out[0];
        out[0] = out[1];
        out[1] = first;
    }
    return status;
}

static void test_no_page(void **state) {
    // an asserted answer is in the order that was asked for
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    honest = *f->b.req.src;
    f->b.then.find = turning_find;
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "dossier.json", "no answer to the question");
    mlt_buf_clear(&zip);
}

static void test_other_key(void **state) {
    // a bundle made anew under another key is consistent with that key, and not with the log's
    struct fixture *f = *state;
    struct bundle_trail forged;
    const uint8_t seed[32] = {66};
    struct mlt_buf zip = {0}, entries = {0};
    bundle_trail_open(&forged);
    mlt_signer_clear(&forged.t.signer);
    assert_int_equal(mlt_signer_init(&forged.t.signer, mlt_str(TRAIL_ORIGIN), seed, &f->err), MLT_OK);
    trail_fill(&forged.t);
    bundle_trail_ready(&forged, "r-1");
    assert_int_equal(mlt_bundle_make(&forged.req, &zip, &entries, &f->err), MLT_OK);
    take_apart(f, mlt_buf_bytes(&zip));
    must_blame(f, "checkpoint", "");
    assert_true(verify_packed(f, NULL, BUILD));
    assert_false(f->report.signed_by_key);
    bundle_trail_close(&forged);
    mlt_buf_clear(&zip);
    mlt_buf_clear(&entries);
}

static void test_other_build(void **state) {
    // another build compares what the dossier says, and says that it is another
    struct fixture *f = *state;
    assert_true(verify_packed(f, &f->b.t.signer.vkey, "mltrail 99"));
    assert_false(f->report.same_build);
    assert_true(is_asserted(f, "dossier.html"));
    struct edit *e = find(f, "dossier.json");
    uint8_t *copy = mlt_arena_take(&f->arena, e->data.len);
    memcpy(copy, e->data.ptr, e->data.len);
    uint8_t *at = memchr(copy, '7', e->data.len);
    assert_non_null(at);
    *at = '8';
    e->data = mlt_bytes_of(copy, e->data.len);
    make_manifests_fit(f);
    assert_false(verify_packed(f, &f->b.t.signer.vkey, "mltrail 99"));
    assert_true(blamed(f, "dossier.json", "first at \"/"));
}

static void test_other_wording(void **state) {
    // how another build words a finding is its own word; which finding it is, is not
    struct fixture *f = *state;
    static const char *const said[] = {"\"effect\":\"", "\"code\":\""};
    for (size_t i = 0; i < 2; i++) {
        struct mlt_buf zip = {0};
        make(f, &zip);
        take_apart(f, mlt_buf_bytes(&zip));
        struct edit *e = find(f, "dossier.json");
        char *copy = mlt_arena_cstr(&f->arena, e->data);
        char *at = strstr(copy, said[i]);
        assert_non_null(at);
        at[strlen(said[i])] ^= 0x20; // the first letter, in the other case
        e->data = mlt_bytes_of(copy, e->data.len);
        make_manifests_fit(f);
        assert_int_equal(verify_packed(f, &f->b.t.signer.vkey, "mltrail 99"), i == 0);
        assert_int_equal(is_asserted(f, "how findings and the timeline are worded"), i == 0);
        assert_false(verify_packed(f, &f->b.t.signer.vkey, f->b.ctx.build));
        mlt_buf_clear(&zip);
    }
}

static void test_masked(void **state) {
    // a masked member is withheld, its commitment stays, and the value is nowhere in the bundle
    struct fixture *f = *state;
    struct mlt_buf zip = {0};
    f->b.req.choice.not = mlt_str("subject,extra");
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    if (!verify(f)) {
        bundle_show_faults(&f->report);
        fail_msg("not verified");
    }
    assert_int_equal(f->report.masked, 2);
    assert_true(contains(find(f, "dossier.json")->data, "\"subject\":{\"withheld\":\"masked\",\"commitment\":\""));
    assert_true(contains(find(f, "dossier.json")->data, "\"~1\":{\"withheld\":\"masked\""));
    for (size_t i = 0; i < f->num; i++) {
        assert_false(contains(f->edits[i].data, "patient-9"));
    }
    f->b.req.choice = (struct mlt_bundle_choice){.only = mlt_str("6.prediction")};
    mlt_buf_reset(&zip);
    make(f, &zip);
    take_apart(f, mlt_buf_bytes(&zip));
    assert_true(verify(f));
    assert_int_equal(f->report.shown, 1);
    mlt_buf_clear(&zip);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_unchanged),
        ROW(test_flips),
        ROW(test_flips_fitted),
        ROW(test_dropped),
        ROW(test_added),
        ROW(test_order),
        ROW(test_replaced),
        ROW(test_hidden),
        ROW(test_hidden_by_assertion),
        ROW(test_partial),
        ROW(test_other_key),
        ROW(test_other_build),
        ROW(test_other_wording),
        ROW(test_masked),
        ROW(test_own_word),
        ROW(test_foreign_words),
        ROW(test_foreign_signatures),
        ROW(test_hidden_behind_a_page),
        ROW(test_hidden_leaf),
        ROW(test_segment_twice),
        ROW(test_no_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
