#include "note/chain.h"

#include "note/format.h"

static const char ROTATION[] = "mltrail/v1 key rotation";
static const char SUCCESSION[] = "mltrail/v1 succession";

static void put_line(struct mlt_buf *out, const char *line) {
    mlt_buf_put_str(out, line);
    mlt_buf_put_u8(out, '\n');
}

static void put_tree(struct mlt_buf *out, uint64_t size, const uint8_t root[static MLT_HASH_LEN]) {
    mlt_buf_put_u64_decimal(out, size);
    mlt_buf_put_u8(out, '\n');
    mlt_buf_put_base64(out, mlt_bytes_of(root, MLT_HASH_LEN));
    mlt_buf_put_u8(out, '\n');
}

static void put_key(struct mlt_buf *out, const struct mlt_vkey *key) {
    char text[MLT_VKEY_TEXT_MAX];
    mlt_vkey_format(text, key);
    put_line(out, text);
}

static void put_statement(struct mlt_buf *out, const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                          const struct mlt_vkey *new_key) {
    bool succession = mlt_key_link_is_succession(old_key, new_key);
    put_line(out, succession ? SUCCESSION : ROTATION);
    put_line(out, old_key->name);
    if (succession) {
        put_line(out, new_key->name);
    }
    put_key(out, old_key);
    put_key(out, new_key);
    put_tree(out, link->size, link->root);
    if (succession) {
        put_tree(out, link->kept, link->kept_root);
    }
}

static void put_signature(struct mlt_buf *out, const struct mlt_vkey *key,
                          const uint8_t signature[static MLT_ED25519_SIG_LEN]) {
    if (mlt_note_put_signature(out, key, mlt_bytes_of(signature, MLT_ED25519_SIG_LEN), NULL)) {
        out->failed = true;
    }
}

void mlt_key_link_format(struct mlt_buf *out, const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                         const struct mlt_vkey *new_key) {
    put_statement(out, link, old_key, new_key);
    mlt_buf_put_u8(out, '\n');
    put_signature(out, old_key, link->old_signature);
    put_signature(out, new_key, link->new_signature);
}

enum mlt_status mlt_key_link_sign(struct mlt_key_link *link, const struct mlt_signer *old_signer,
                                  const struct mlt_signer *new_signer, struct mlt_error *err) {
    struct mlt_buf text = {0};
    put_statement(&text, link, &old_signer->vkey, &new_signer->vkey);
    enum mlt_status st = text.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a change of keys") : MLT_OK;
    st = st ? st : mlt_ed25519_sign(old_signer->key, link->old_signature, mlt_buf_bytes(&text), err);
    st = st ? st : mlt_ed25519_sign(new_signer->key, link->new_signature, mlt_buf_bytes(&text), err);
    mlt_buf_clear(&text);
    return st;
}

static bool takes_tree(struct mlt_cursor *c, uint64_t *size, uint8_t root[static MLT_HASH_LEN]) {
    size_t len = 0;
    struct mlt_bytes size_line = mlt_cursor_line(c);
    struct mlt_bytes root_line = mlt_cursor_line(c);
    return !c->failed && mlt_decimal_decode(size, size_line) && *size <= MLT_TREE_MAX &&
           mlt_base64_decode(root, MLT_HASH_LEN, &len, root_line) && len == MLT_HASH_LEN;
}

static enum mlt_status parse_statement(struct mlt_key_link *link, struct mlt_vkey *old_key, struct mlt_vkey *new_key,
                                       struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(text);
    struct mlt_bytes first = mlt_cursor_line(&c);
    bool succession = mlt_bytes_is(first, SUCCESSION);
    if (c.failed || (!succession && !mlt_bytes_is(first, ROTATION))) {
        return mlt_fail(err, MLT_INVALID, "a change of keys begins with \"%s\" or \"%s\"", ROTATION, SUCCESSION);
    }
    (void)mlt_cursor_line(&c); // the origins are those of the keys: writing it again tells whether they agree
    if (succession) {
        (void)mlt_cursor_line(&c);
    }
    enum mlt_status st = mlt_vkey_parse(old_key, mlt_cursor_line(&c), err);
    st = st ? st : mlt_vkey_parse(new_key, mlt_cursor_line(&c), err);
    if (st) {
        return mlt_context(err, st, "a change of keys");
    }
    if (old_key->type != MLT_KEY_ED25519 || new_key->type != MLT_KEY_ED25519) {
        return mlt_fail(err, MLT_INVALID, "a change of keys is from one Ed25519 key (type 0x01) to another");
    }
    bool good = takes_tree(&c, &link->size, link->root);
    if (good && succession) {
        good = takes_tree(&c, &link->kept, link->kept_root);
        good = good && link->kept <= link->size;
    } else {
        link->kept = link->size;
        memcpy(link->kept_root, link->root, MLT_HASH_LEN);
    }
    return good ? MLT_OK
                : mlt_fail(
                      err, MLT_INVALID,
                      "a change of keys names trees by size in decimal and root in base64, and the one that is kept is "
                      "not the larger one");
}

static bool takes_signature(uint8_t out[static MLT_ED25519_SIG_LEN], const struct mlt_note_sig *sig) {
    if (sig->sig_len != MLT_ED25519_SIG_LEN) {
        return false;
    }
    memcpy(out, sig->sig, MLT_ED25519_SIG_LEN);
    return true;
}

static bool is_canonical(const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                         const struct mlt_vkey *new_key, struct mlt_bytes note) {
    struct mlt_buf again = {0};
    mlt_key_link_format(&again, link, old_key, new_key);
    bool same = !again.failed && mlt_bytes_equal(mlt_buf_bytes(&again), note);
    mlt_buf_clear(&again);
    return same;
}

enum mlt_status mlt_key_link_parse(struct mlt_key_link *link, struct mlt_vkey *old_key, struct mlt_vkey *new_key,
                                   struct mlt_bytes note, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    memset(link, 0, sizeof(*link));
    if (note.len > MLT_KEY_LINK_MAX) {
        return mlt_fail(err, MLT_INVALID, "a change of keys has %zu bytes, at most %d are allowed", note.len,
                        MLT_KEY_LINK_MAX);
    }
    enum mlt_status st = mlt_note_parse(&parsed, &arena, note, err);
    st = st ? st : parse_statement(link, old_key, new_key, parsed.text, err);
    if (!st && (parsed.num_sigs != 2 || !takes_signature(link->old_signature, &parsed.sigs[0]) ||
                !takes_signature(link->new_signature, &parsed.sigs[1]))) {
        st = mlt_fail(err, MLT_INVALID,
                      "a change of keys has two Ed25519 signatures, of the old key and of the new one");
    }
    if (!st && !is_canonical(link, old_key, new_key, note)) {
        st = mlt_fail(err, MLT_INVALID, "a change of keys reads otherwise when written again (FORMAT.md, Keys)");
    }
    mlt_arena_clear(&arena);
    return st;
}

bool mlt_key_link_verify(const struct mlt_key_link *link, const struct mlt_vkey *old_key,
                         const struct mlt_vkey *new_key) {
    bool good = false;
    struct mlt_buf text = {0};
    bool succession = mlt_key_link_is_succession(old_key, new_key);
    put_statement(&text, link, old_key, new_key);
    if (text.failed || link->kept > link->size || (!succession && link->kept != link->size) ||
        memcmp(old_key->key, new_key->key, MLT_ED25519_KEY_LEN) == 0) {
        goto out;
    }
    if (!mlt_ed25519_verify(old_key->key, mlt_buf_bytes(&text), link->old_signature)) {
        goto out;
    }
    good = mlt_ed25519_verify(new_key->key, mlt_buf_bytes(&text), link->new_signature);
out:
    mlt_buf_clear(&text);
    return good;
}

void mlt_key_chain_init(struct mlt_key_chain *chain, const struct mlt_vkey *only) {
    memset(chain, 0, sizeof(*chain));
    chain->keys[0] = *only;
    chain->num_keys = 1;
}

// Back in use, a key that was replaced could sign the trees again that it may sign no more.
static bool was_in_use(const struct mlt_key_chain *chain, size_t from, const struct mlt_vkey *key) {
    bool found = false;
    for (size_t i = from; i < chain->num_keys; i++) {
        found = found || memcmp(chain->keys[i].key, key->key, MLT_ED25519_KEY_LEN) == 0;
    }
    return found;
}

enum mlt_status mlt_key_chain_push(struct mlt_key_chain *chain, const struct mlt_vkey *newer,
                                   const struct mlt_key_link *link, struct mlt_error *err) {
    if (chain->num_keys == MLT_CHAIN_KEYS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "the trail has had %d signing keys, and no more can be named in trail.json",
                        MLT_CHAIN_KEYS_MAX);
    }
    if (was_in_use(chain, 0, newer)) {
        return mlt_fail(err, MLT_INVALID, "the key is or was in use here already; a new one would be right");
    }
    memmove(&chain->keys[1], &chain->keys[0], chain->num_keys * sizeof(chain->keys[0]));
    memmove(&chain->links[1], &chain->links[0], (chain->num_keys - 1) * sizeof(chain->links[0]));
    chain->keys[0] = *newer;
    chain->links[0] = *link;
    chain->num_keys++;
    return MLT_OK;
}

bool mlt_key_chain_leads(const struct mlt_key_chain *chain, const struct mlt_vkey *trusted) {
    bool found = false;
    for (size_t i = 0; i < chain->num_keys; i++) {
        found = found || mlt_vkey_equal(&chain->keys[i], trusted);
    }
    for (size_t i = 0; found && i + 1 < chain->num_keys; i++) {
        found = mlt_key_link_verify(&chain->links[i], &chain->keys[i + 1], &chain->keys[i]) &&
                !was_in_use(chain, i + 1, &chain->keys[i]);
    }
    return found;
}

bool mlt_key_chain_ends_with(const struct mlt_key_chain *chain, const struct mlt_key_chain *older) {
    if (older->num_keys == 0 || older->num_keys > chain->num_keys) {
        return false;
    }
    size_t from = chain->num_keys - older->num_keys;
    bool same = true;
    for (size_t i = 0; i < older->num_keys; i++) {
        same = same && mlt_vkey_equal(&chain->keys[from + i], &older->keys[i]);
    }
    for (size_t i = 0; i + 1 < older->num_keys; i++) {
        const struct mlt_key_link *a = &chain->links[from + i];
        const struct mlt_key_link *b = &older->links[i];
        same = same && a->size == b->size && a->kept == b->kept && memcmp(a->root, b->root, MLT_HASH_LEN) == 0 &&
               memcmp(a->kept_root, b->kept_root, MLT_HASH_LEN) == 0;
    }
    return same;
}

// Also where the text is no checkpoint of this key: the caller reports what fits the newest key best.
static bool opens(struct mlt_checkpoint *out, const struct mlt_vkey *key, struct mlt_bytes note) {
    return mlt_checkpoint_open(out, note, key, NULL) == MLT_OK;
}

enum mlt_status mlt_key_chain_signer(const struct mlt_key_chain *chain, struct mlt_checkpoint *out, size_t *at,
                                     struct mlt_bytes note, struct mlt_error *err) {
    enum mlt_status st = mlt_checkpoint_open(out, note, &chain->keys[0], err);
    *at = 0;
    for (size_t i = 1; st == MLT_DENIED && i < chain->num_keys; i++) {
        if (opens(out, &chain->keys[i], note)) {
            mlt_error_clear(err);
            *at = i;
            st = MLT_OK;
        }
    }
    return st;
}

static enum mlt_status check_in_use(const struct mlt_key_chain *chain, size_t at, uint64_t size,
                                    struct mlt_error *err) {
    if (at == 0 || size <= chain->links[at - 1].kept) {
        return MLT_OK;
    }
    const struct mlt_key_link *link = &chain->links[at - 1];
    const struct mlt_vkey *key = &chain->keys[at];
    if (size <= link->size) {
        return mlt_fail(err, MLT_DENIED,
                        "a head of size %llu of %s, of which the first %llu entries are in the successor %s: entries "
                        "%llu to %llu were lost",
                        (unsigned long long)size, key->name, (unsigned long long)link->kept, chain->keys[at - 1].name,
                        (unsigned long long)link->kept, (unsigned long long)(link->size - 1));
    }
    return mlt_fail(err, MLT_DENIED,
                    "a head of size %llu signed by the key %s+%08x, which was replaced at size %llu: it may sign no "
                    "larger tree",
                    (unsigned long long)size, key->name, (unsigned)key->key_id, (unsigned long long)link->size);
}

enum mlt_status mlt_key_chain_open(const struct mlt_key_chain *chain, struct mlt_checkpoint *out, struct mlt_bytes note,
                                   struct mlt_error *err) {
    size_t at = 0;
    enum mlt_status st = mlt_key_chain_signer(chain, out, &at, note, err);
    return st ? st : check_in_use(chain, at, out->size, err);
}

bool mlt_key_chain_names(const struct mlt_key_chain *chain, struct mlt_bytes origin, uint64_t size) {
    uint64_t kept = UINT64_MAX;
    for (size_t i = 0; i < chain->num_keys; i++) {
        if (i > 0 && mlt_key_link_is_succession(&chain->keys[i], &chain->keys[i - 1]) &&
            chain->links[i - 1].kept < kept) {
            kept = chain->links[i - 1].kept;
        }
        if (mlt_bytes_is(origin, chain->keys[i].name)) {
            return size <= kept;
        }
    }
    return false;
}
