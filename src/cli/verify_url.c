// Checks a trail from afar: every entry is fetched and hashed, every hash tile is compared with what follows from the
// entries, and the root with the signed one.

#include <inttypes.h>
#include <stdio.h>

#include "cli/transport.h"
#include "cli/verify.h"
#include "monitor/mirror.h"

struct remote {
    struct mlt_cli *cli;
    struct mlt_verify_report *report;
    struct mlt_progress progress;
    struct mlt_mirror mirror;
    struct mlt_key_chain chain; // that led from the trusted key to the one that signed; no keys: not needed
};

static void note_fault(void *ctx, enum mlt_mirror_fault what, const char *path, bool has_index, uint64_t index,
                       const char *text) {
    struct remote *r = ctx;
    mlt_verify_fault_add(r->report, what == MLT_MIRROR_TILE ? MLT_VERIFY_TILE : MLT_VERIFY_ENTRY, path, has_index,
                         index, "%s", text);
}

static enum mlt_status note_step(void *ctx, uint64_t done, uint64_t size, struct mlt_error *err) {
    struct remote *r = ctx;
    (void)err;
    r->report->entries = done;
    mlt_progress_step(&r->progress, done, size);
    return MLT_OK;
}

// A change of keys names the tree that it was made at, signed by the key before it: whoever trusts that one is to find
// this tree here.
static void check_links(struct remote *r) {
    uint8_t root[MLT_HASH_LEN];
    for (size_t i = 0; i + 1 < r->chain.num_keys; i++) {
        const struct mlt_key_link *link = &r->chain.links[i];
        if (link->kept != r->mirror.tree.frontier.size) {
            continue;
        }
        mlt_frontier_root(&r->mirror.tree.frontier, root);
        if (memcmp(root, link->kept_root, sizeof root) != 0) {
            mlt_verify_fault_add(r->report, MLT_VERIFY_CHECKPOINT, "trail.json", false, 0,
                                 "the tree has another root at size %" PRIu64 ", where the key changed", link->kept);
        }
    }
}

// The tree has grown no further: what a change of keys names above it is not there.
static void check_links_met(struct remote *r) {
    for (size_t i = 0; i + 1 < r->chain.num_keys; i++) {
        if (r->chain.links[i].kept > r->report->size) {
            mlt_verify_fault_add(r->report, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0,
                                 "the key changed at size %" PRIu64 ", and the tree ends before",
                                 r->chain.links[i].kept);
        }
    }
}

static enum mlt_status note_entry(void *ctx, uint64_t index, struct mlt_bytes entry, struct mlt_error *err) {
    (void)index;
    (void)entry;
    (void)err;
    check_links(ctx); // the tree has grown by this entry
    return MLT_OK;
}

static int walk(struct remote *r) {
    struct mlt_error err = {0};
    uint8_t root[MLT_HASH_LEN];
    mlt_progress_init(&r->progress, r->cli, "verifying");
    r->mirror.fetch = mlt_cli_mirror_fetch(r->cli);
    r->mirror.watch = (struct mlt_mirror_watch){.ctx = r, .fault = note_fault, .entry = note_entry, .step = note_step};
    enum mlt_status status = mlt_mirror_grow(&r->mirror, r->report->size, &err);
    mlt_progress_end(&r->progress);
    if (status != MLT_OK) {
        return mlt_cli_fail(r->cli, MLT_EXIT_FAILED, "%s", err.text);
    }
    if (!r->mirror.broken) {
        check_links_met(r);
    }
    mlt_frontier_root(&r->mirror.tree.frontier, root);
    if (!r->mirror.broken && memcmp(root, r->report->root, sizeof root) != 0) {
        mlt_verify_fault_add(r->report, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0,
                             "the entries served do not have the root that is signed for size %" PRIu64,
                             r->report->size);
    }
    return 0;
}

static void name_signer(struct mlt_cli *cli, struct mlt_bytes bytes, char signer[static MLT_VKEY_TEXT_MAX]) {
    struct mlt_note note;
    if (mlt_note_parse(&note, &cli->arena, bytes, NULL) == MLT_OK && note.num_sigs > 0) {
        (void)snprintf(signer, MLT_VKEY_TEXT_MAX, "%.*s+%08" PRIx32, MLT_ARG(note.sigs[0].name), note.sigs[0].key_id);
    }
}

// open_checkpoint reads the signed head into the report; 0 also when the signature is false, which is a fault.
static int open_checkpoint(struct remote *r, const char *url, struct mlt_bytes bytes, struct mlt_verify_trust *trust,
                           struct mlt_checkpoint *head) {
    struct mlt_cli *cli = r->cli;
    struct mlt_verify_report *out = r->report;
    struct mlt_error err = {0};
    struct mlt_note note;
    struct mlt_vkey offered;
    mlt_verify_trust_judge(cli, trust, bytes);
    if (trust->policy && !trust->judged.log_key && mlt_verify_policy_by_chain(cli, bytes, trust, &r->chain)) {
        mlt_verify_trust_judge(cli, trust, bytes);
    }
    const struct mlt_vkey *key = trust->have_key ? &trust->key : NULL;
    out->authenticated = key != NULL;
    if (mlt_note_parse(&note, &cli->arena, bytes, &err) != MLT_OK ||
        mlt_checkpoint_parse(head, note.text, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "what %s serves as its checkpoint is none: %s", url, err.text);
    }
    mlt_verify_trust_report(trust, out);
    if (!key && !trust->policy && mlt_vkey_parse(&offered, mlt_verify_key_offered(cli), NULL) == MLT_OK) {
        key = &offered;
        out->authenticated = mlt_known_trail_ask(cli, url, key);
    }
    struct mlt_checkpoint signed_head;
    enum mlt_status status = key ? mlt_checkpoint_open(&signed_head, bytes, key, &err) : MLT_OK;
    if (status == MLT_DENIED && mlt_verify_by_chain(cli, bytes, key, &signed_head, &r->chain, &err)) {
        mlt_cli_note(cli, "the key that you trust was replaced, and vouches for the one in use now");
        status = MLT_OK;
    }
    if (status != MLT_OK) {
        mlt_verify_fault_add(out, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0, "%s", err.text);
    }
    return 0;
}

int mlt_verify_url(struct mlt_cli *cli, const char *url, struct mlt_verify_trust *trust, struct mlt_verify_report *out,
                   char signer[static MLT_VKEY_TEXT_MAX]) {
    struct mlt_error err = {0};
    struct mlt_checkpoint head = {0};
    struct mlt_reply reply = {0};
    struct remote *r = mlt_arena_zero(&cli->arena, sizeof *r);
    *out = (struct mlt_verify_report){0};
    signer[0] = '\0';
    if (!r) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_transport_open(&cli->transport, cli, url, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    r->cli = cli;
    r->report = out;
    int code = mlt_cli_get(cli, "/checkpoint", NULL, &reply);
    if (code == 0) {
        struct mlt_bytes bytes = mlt_arena_copy(&cli->arena, mlt_buf_bytes(&reply.body));
        name_signer(cli, bytes, signer);
        code = open_checkpoint(r, url, bytes, trust, &head);
    }
    if (code == 0 && head.size > MLT_TREE_MAX) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "the checkpoint names an impossible size");
    }
    if (code == 0) {
        out->size = head.size;
        memcpy(out->root, head.root, sizeof out->root);
        code = walk(r);
    }
    out->verdict = code == 0 && out->num_faults == 0;
    if (out->verdict && trust->known && r->chain.num_keys > 0) {
        mlt_known_trail_replace(cli, url, &r->chain.keys[0]);
    }
    mlt_mirror_clear(&r->mirror);
    mlt_reply_clear(&reply);
    return code;
}
