// Checks a trail from afar: every entry is fetched and hashed, every hash tile is compared with what follows from the
// entries, and the root with the signed one.

#include <inttypes.h>
#include <stdio.h>

#include "cli/transport.h"
#include "cli/verify.h"
#include "record/json.h"

#define FETCH_WIDTH MLT_TILE_WIDTH

struct mirror {
    struct mlt_cli *cli;
    struct mlt_verify_report *report;
    struct mlt_reply reply;
    uint64_t size;
    struct mlt_frontier frontier;
    struct mlt_key_chain chain; // that led from the trusted key to the one that signed; no keys: not needed
    uint8_t row[MLT_TILE_LEVELS][MLT_TILE_WIDTH][MLT_HASH_LEN]; // the tile of each level that is being filled
    uint64_t filled[MLT_TILE_LEVELS];                           // hashes of each level so far
};

void mlt_verify_fault_add(struct mlt_verify_report *r, enum mlt_verify_what what, const char *file, bool has_index,
                          uint64_t index, const char *fmt, ...) {
    if (r->num_faults < MLT_VERIFY_FAULTS_MAX) {
        struct mlt_verify_fault *f = &r->faults[r->num_faults];
        *f = (struct mlt_verify_fault){.what = what, .has_index = has_index, .index = index};
        (void)snprintf(f->file, sizeof f->file, "%s", file);
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(f->text, sizeof f->text, fmt, args);
        va_end(args);
    }
    r->num_faults++;
}

static int fetch_tile(struct mirror *m, const struct mlt_tile_id *id, char path[static MLT_TILE_PATH_MAX + 1]) {
    path[0] = '/';
    char name[MLT_TILE_PATH_MAX];
    mlt_tile_path_format(name, id);
    (void)snprintf(path + 1, MLT_TILE_PATH_MAX, "%s", name);
    return mlt_cli_get(m->cli, path, NULL, &m->reply);
}

// check_tile compares the served hashes of one tile with those that follow from the entries.
static int check_tile(struct mirror *m, unsigned level, uint64_t number, unsigned width) {
    const struct mlt_tile_id id = {.level = level, .number = number, .width = width};
    char path[MLT_TILE_PATH_MAX + 1];
    int code = fetch_tile(m, &id, path);
    if (code != 0) {
        return code;
    }
    if (m->reply.body.len != (size_t)width * MLT_HASH_LEN) {
        mlt_verify_fault_add(m->report, MLT_VERIFY_TILE, path + 1, false, 0,
                             "has %zu bytes instead of %zu (tlog-tiles)", m->reply.body.len,
                             (size_t)width * MLT_HASH_LEN);
        return 0;
    }
    for (unsigned i = 0; i < width; i++) {
        if (memcmp(m->reply.body.data + (size_t)i * MLT_HASH_LEN, m->row[level][i], MLT_HASH_LEN) != 0) {
            mlt_verify_fault_add(m->report, MLT_VERIFY_TILE, path + 1, level == 0, number * MLT_TILE_WIDTH + i,
                                 "hash %u is not the one that follows from the entries (RFC 6962 section 2.1)", i);
            return 0;
        }
    }
    return 0;
}

static int put_hash(struct mirror *m, unsigned level, const uint8_t hash[static MLT_HASH_LEN]) {
    uint64_t at = m->filled[level]++;
    memcpy(m->row[level][at % MLT_TILE_WIDTH], hash, MLT_HASH_LEN);
    return at % MLT_TILE_WIDTH == MLT_TILE_WIDTH - 1 ? check_tile(m, level, at / MLT_TILE_WIDTH, MLT_TILE_WIDTH) : 0;
}

// A change of keys names the tree that it was made at, signed by the key before it: whoever trusts that one is to find
// this tree here.
static void check_links(struct mirror *m) {
    uint8_t root[MLT_HASH_LEN];
    for (size_t i = 0; i + 1 < m->chain.num_keys; i++) {
        const struct mlt_key_link *link = &m->chain.links[i];
        if (link->kept != m->frontier.size) {
            continue;
        }
        mlt_frontier_root(&m->frontier, root);
        if (memcmp(root, link->kept_root, sizeof root) != 0) {
            mlt_verify_fault_add(m->report, MLT_VERIFY_CHECKPOINT, "trail.json", false, 0,
                                 "the tree has another root at size %" PRIu64 ", where the key changed", link->kept);
        }
    }
}

// The tree has grown no further: what a change of keys names above it is not there.
static void check_links_met(struct mirror *m) {
    for (size_t i = 0; i + 1 < m->chain.num_keys; i++) {
        if (m->chain.links[i].kept > m->size) {
            mlt_verify_fault_add(m->report, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0,
                                 "the key changed at size %" PRIu64 ", and the tree ends before",
                                 m->chain.links[i].kept);
        }
    }
}

static int add_leaf(struct mirror *m, struct mlt_bytes entry) {
    uint8_t leaf[MLT_HASH_LEN];
    uint8_t roots[MLT_TILE_LEVELS][MLT_HASH_LEN];
    mlt_merkle_leaf(leaf, entry);
    size_t num = mlt_frontier_add(&m->frontier, leaf, roots);
    int code = put_hash(m, 0, leaf);
    for (size_t i = 0; code == 0 && i < num && i + 1 < MLT_TILE_LEVELS; i++) {
        code = put_hash(m, (unsigned)i + 1, roots[i]);
    }
    check_links(m);
    return code;
}

// read_bundle fetches bundle `number` and adds its entries. A bundle that cannot be taken apart ends the check: what
// follows has no place.
static int read_bundle(struct mirror *m, uint64_t number, bool *broken) {
    const struct mlt_tile_id id = {.entries = true, .number = number, .width = mlt_tile_width(m->size, 0, number)};
    char path[MLT_TILE_PATH_MAX + 1];
    int code = fetch_tile(m, &id, path);
    if (code != 0) {
        return code;
    }
    // The reply's buffer is used again for tiles: the bundle is kept apart.
    struct mlt_buf bundle = m->reply.body;
    m->reply.body = (struct mlt_buf){0};
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&bundle));
    for (unsigned i = 0; code == 0 && i < id.width && !*broken; i++) {
        struct mlt_bytes entry = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        if (c.failed) {
            mlt_verify_fault_add(m->report, MLT_VERIFY_ENTRY, path + 1, true, number * MLT_TILE_WIDTH + i,
                                 "the bundle ends before this entry (tlog-tiles: u16 length and bytes, %u times)",
                                 id.width);
            *broken = true;
        } else {
            code = add_leaf(m, entry);
            m->report->entries++;
        }
    }
    if (code == 0 && !*broken && mlt_cursor_left(&c) > 0) {
        mlt_verify_fault_add(m->report, MLT_VERIFY_ENTRY, path + 1, false, 0, "%zu bytes follow the last entry",
                             mlt_cursor_left(&c));
    }
    mlt_buf_clear(&bundle);
    return code;
}

static int check_partial_tiles(struct mirror *m) {
    int code = 0;
    for (unsigned level = 0; code == 0 && level < MLT_TILE_LEVELS; level++) {
        unsigned width = (unsigned)(m->filled[level] % MLT_TILE_WIDTH);
        if (width > 0) {
            code = check_tile(m, level, m->filled[level] / MLT_TILE_WIDTH, width);
        }
    }
    return code;
}

static int walk(struct mirror *m) {
    struct mlt_progress progress;
    bool broken = false;
    int code = 0;
    mlt_progress_init(&progress, m->cli, "verifying");
    uint64_t bundles = m->size / FETCH_WIDTH + (m->size % FETCH_WIDTH != 0);
    for (uint64_t i = 0; code == 0 && !broken && i < bundles; i++) {
        code = read_bundle(m, i, &broken);
        mlt_progress_step(&progress, m->report->entries, m->size);
    }
    mlt_progress_end(&progress);
    if (code != 0 || broken) {
        return code;
    }
    code = check_partial_tiles(m);
    check_links_met(m);
    uint8_t root[MLT_HASH_LEN];
    mlt_frontier_root(&m->frontier, root);
    if (code == 0 && memcmp(root, m->report->root, sizeof root) != 0) {
        mlt_verify_fault_add(m->report, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0,
                             "the entries served do not have the root that is signed for size %" PRIu64, m->size);
    }
    return code;
}

// offered_key takes the key that the trail itself names, if it does. It authenticates nothing.
static bool offered_key(struct mlt_cli *cli, struct mlt_vkey *out) {
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    const struct mlt_call call = {.method = "GET", .path = "/readyz"};
    bool found =
        mlt_transport_send(cli->transport, &call, &reply, NULL) == MLT_OK && reply.status == 200 &&
        mlt_json_scan(&json, mlt_buf_bytes(&reply.body), NULL) == MLT_OK &&
        mlt_vkey_parse(out, mlt_json_string(&json, mlt_json_get(&json, 0, "vkey"), &cli->arena), NULL) == MLT_OK;
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    return found;
}

static void name_signer(struct mlt_cli *cli, struct mlt_bytes bytes, char signer[static MLT_VKEY_TEXT_MAX]) {
    struct mlt_note note;
    if (mlt_note_parse(&note, &cli->arena, bytes, NULL) == MLT_OK && note.num_sigs > 0) {
        (void)snprintf(signer, MLT_VKEY_TEXT_MAX, "%.*s+%08" PRIx32, MLT_ARG(note.sigs[0].name), note.sigs[0].key_id);
    }
}

// open_checkpoint reads the signed head into the report; 0 also when the signature is false, which is a fault.
static int open_checkpoint(struct mirror *m, const char *url, struct mlt_bytes bytes, struct mlt_verify_trust *trust,
                           struct mlt_checkpoint *head) {
    struct mlt_cli *cli = m->cli;
    struct mlt_verify_report *out = m->report;
    struct mlt_error err = {0};
    struct mlt_note note;
    struct mlt_vkey offered;
    mlt_verify_trust_judge(cli, trust, bytes);
    const struct mlt_vkey *key = trust->have_key ? &trust->key : NULL;
    out->authenticated = key != NULL;
    if (mlt_note_parse(&note, &cli->arena, bytes, &err) != MLT_OK ||
        mlt_checkpoint_parse(head, note.text, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "what %s serves as its checkpoint is none: %s", url, err.text);
    }
    mlt_verify_trust_report(trust, out);
    if (!key && !trust->policy && offered_key(cli, &offered)) {
        key = &offered;
        out->authenticated = mlt_known_trail_ask(cli, url, key);
    }
    struct mlt_checkpoint signed_head;
    enum mlt_status status = key ? mlt_checkpoint_open(&signed_head, bytes, key, &err) : MLT_OK;
    if (status == MLT_DENIED && mlt_verify_by_chain(cli, bytes, key, &signed_head, &m->chain, &err)) {
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
    struct mirror *m = mlt_arena_zero(&cli->arena, sizeof *m);
    *out = (struct mlt_verify_report){0};
    signer[0] = '\0';
    if (!m) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    if (mlt_transport_open(&cli->transport, cli, url, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    m->cli = cli;
    m->report = out;
    int code = mlt_cli_get(cli, "/checkpoint", NULL, &m->reply);
    if (code == 0) {
        struct mlt_bytes bytes = mlt_arena_copy(&cli->arena, mlt_buf_bytes(&m->reply.body));
        name_signer(cli, bytes, signer);
        code = open_checkpoint(m, url, bytes, trust, &head);
    }
    if (code == 0 && head.size > MLT_TREE_MAX) {
        code = mlt_cli_fail(cli, MLT_EXIT_FAILED, "the checkpoint names an impossible size");
    }
    if (code == 0) {
        m->size = out->size = head.size;
        memcpy(out->root, head.root, sizeof out->root);
        code = walk(m);
    }
    out->verdict = code == 0 && out->num_faults == 0;
    if (out->verdict && trust->known && m->chain.num_keys > 0) {
        mlt_known_trail_replace(cli, url, &m->chain.keys[0]);
    }
    mlt_reply_clear(&m->reply);
    return code;
}
