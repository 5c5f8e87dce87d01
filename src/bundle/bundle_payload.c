// payloads/N.json: {"state":"open","members":[{"as","name","value","salt"},…]}.
//
// `as` is the name under which the entry commits to the member, `value` its bytes as submitted. An erased, withheld or
// missing payload has no members; of an open one those that are masked are left out, their commitments stay in the
// entry.
#include <stdio.h>

#include "bundle/bundle_parts.h"

static const char *const state_names[] = {
    [MLT_PAYLOAD_OPEN] = "open",
    [MLT_PAYLOAD_ERASED] = "erased",
    [MLT_PAYLOAD_WITHHELD] = "withheld",
    [MLT_PAYLOAD_MISSING] = "missing",
};
#define NUM_STATES (sizeof(state_names) / sizeof(state_names[0]))

const char *mlt_bundle_state_name(enum mlt_payload_state state) {
    return state_names[state];
}

void mlt_bundle_put_payload(struct mlt_buf *out, const struct mlt_bundle_payload *p) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "state", state_names[p->state]);
    mlt_jw_name(&w, "members");
    mlt_jw_array(&w);
    for (size_t i = 0; i < p->num_members; i++) {
        const struct mlt_bundle_payload_member *m = &p->members[i];
        mlt_jw_object(&w);
        mlt_jw_member_bytes(&w, "as", m->as);
        mlt_jw_member_bytes(&w, "name", m->name);
        mlt_jw_member_raw(&w, "value", m->value);
        mlt_jw_name(&w, "salt");
        mlt_jw_hex(&w, mlt_bytes_of(m->salt, sizeof(m->salt)));
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

static bool get_state(enum mlt_payload_state *out, struct mlt_bytes name) {
    for (size_t i = 0; i < NUM_STATES; i++) {
        if (state_names[i] && mlt_bytes_is(name, state_names[i])) {
            *out = (enum mlt_payload_state)i;
            return true;
        }
    }
    return false;
}

static bool get_member(struct mlt_bundle_payload_member *m, const struct mlt_json *j, mlt_json_at at,
                       struct mlt_arena *arena) {
    const mlt_json_at value = mlt_json_get(j, at, "value");
    m->as = mlt_json_string(j, mlt_json_get(j, at, "as"), arena);
    m->name = mlt_json_string(j, mlt_json_get(j, at, "name"), arena);
    m->value = mlt_json_raw(j, value);
    return m->as.ptr && m->name.ptr && value != MLT_JSON_NONE &&
           mlt_bundle_get_hash(m->salt, j, mlt_json_get(j, at, "salt"));
}

static enum mlt_status get_all(struct mlt_bundle_payload *out, const struct mlt_json *j, struct mlt_arena *arena,
                               struct mlt_error *err) {
    const mlt_json_at members = mlt_json_get(j, 0, "members");
    if (!get_state(&out->state, mlt_json_string(j, mlt_json_get(j, 0, "state"), arena)) ||
        !mlt_json_is(j, members, MLT_JSON_ARRAY) || (out->state != MLT_PAYLOAD_OPEN && j->tape[members].count > 0)) {
        return mlt_fail(err, MLT_INVALID, "a state and, of an open payload, members were expected");
    }
    out->members = mlt_arena_zero(arena, (j->tape[members].count + 1) * sizeof(*out->members));
    if (!out->members) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a payload");
    }
    for (mlt_json_at m = mlt_json_first(j, members); m != MLT_JSON_NONE; m = mlt_json_next(j, members, m)) {
        if (!get_member(&out->members[out->num_members++], j, m, arena)) {
            return mlt_fail(err, MLT_INVALID, "/members/%zu has no as, name, value and salt", out->num_members - 1);
        }
    }
    return MLT_OK;
}

enum mlt_status mlt_bundle_get_payload(struct mlt_bundle_payload *out, struct mlt_bytes text, struct mlt_arena *arena,
                                       struct mlt_error *err) {
    struct mlt_json json = {0};
    *out = (struct mlt_bundle_payload){0};
    enum mlt_status status = mlt_json_scan(&json, text, err);
    status = status ? status : get_all(out, &json, arena, err);
    mlt_json_clear(&json);
    return status;
}

// A member stands under its own name, or under "~1", "~2", … when the kind's table does not know it.
static bool fits_name(const struct mlt_bundle_payload_member *m) {
    return (m->as.len > 0 && m->as.ptr[0] == '~') || mlt_bytes_equal(m->as, m->name);
}

static enum mlt_status check_member(const struct mlt_bundle_payload_member *m, const struct mlt_entry *e,
                                    struct mlt_arena *arena, struct mlt_error *err) {
    uint8_t want[MLT_HASH_LEN], got[MLT_HASH_LEN];
    size_t want_len = 0;
    const int name_len = m->name.len > 100 ? 100 : (int)m->name.len;
    const struct mlt_bytes text = mlt_json_string(&e->json, mlt_json_get_bytes(&e->json, e->payload, m->as), arena);
    if (!fits_name(m) || m->name.len > MLT_SEAL_NAME_MAX || !mlt_base64_decode(want, sizeof(want), &want_len, text) ||
        want_len != sizeof(want)) {
        return mlt_fail(err, MLT_INVALID, "the entry has no commitment to \"%.*s\"", name_len,
                        (const char *)m->name.ptr);
    }
    mlt_seal_commit(got, m->salt, m->name, m->value);
    if (!mlt_memeql(got, want, sizeof(want))) {
        return mlt_fail(err, MLT_INVALID,
                        "\"%.*s\" with its salt is not what the entry commits to (FORMAT.md, Sealed payloads)",
                        name_len, (const char *)m->name.ptr);
    }
    return MLT_OK;
}

static bool is_shown(const struct mlt_bundle_payload *p, size_t before, struct mlt_bytes as) {
    for (size_t i = 0; i < before; i++) {
        if (mlt_bytes_equal(p->members[i].as, as)) {
            return true;
        }
    }
    return false;
}

enum mlt_status mlt_bundle_check_payload(const struct mlt_bundle_payload *p, const struct mlt_entry *e,
                                         struct mlt_arena *arena, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    const size_t committed = e->payload == MLT_JSON_NONE ? 0 : e->json.tape[e->payload].count;
    if (p->num_members > committed) {
        return mlt_fail(err, MLT_INVALID, "the entry commits to %zu members, %zu are here", committed, p->num_members);
    }
    for (size_t i = 0; !status && i < p->num_members; i++) {
        if (is_shown(p, i, p->members[i].as)) {
            return mlt_fail(err, MLT_INVALID, "/members/%zu repeats an earlier one", i);
        }
        status = check_member(&p->members[i], e, arena, err);
    }
    return status;
}

// The entry's name for a member: its own, or the next of "~1", "~2", … (record/entry.c reads them back the same way).
static struct mlt_bytes committed_as(const struct mlt_entry *e, struct mlt_bytes name, unsigned *unknown,
                                     struct mlt_arena *arena) {
    if ((name.len == 0 || name.ptr[0] != '~') && mlt_json_get_bytes(&e->json, e->payload, name) != MLT_JSON_NONE) {
        return name;
    }
    return mlt_str(mlt_arena_printf(arena, "~%u", ++*unknown));
}

// A correction says in `members` how members of another record should read: it is masked with any of them.
static bool tells_masked(const struct mlt_bundle_choice *choice, const struct mlt_entry *e,
                         const struct mlt_json *plain, mlt_json_at value, struct mlt_bytes name,
                         struct mlt_arena *arena) {
    bool tells = false;
    if (!mlt_bytes_is(e->kind_name, "correction") || !mlt_bytes_is(name, "members") ||
        !mlt_json_is(plain, value, MLT_JSON_OBJECT)) {
        return false;
    }
    for (mlt_json_at n = mlt_json_first(plain, value); n != MLT_JSON_NONE && !tells;
         n = mlt_json_next(plain, value, n)) {
        const struct mlt_bytes corrected = mlt_json_string(plain, n, arena);
        tells = !corrected.ptr || mlt_bundle_masks_anywhere(choice, corrected);
    }
    return tells;
}

enum mlt_status mlt_bundle_disclose(struct mlt_bundle_payload *out, const struct mlt_bundle_choice *choice,
                                    uint64_t index, const struct mlt_entry *e, const struct mlt_json *plain,
                                    const uint8_t secret[static MLT_SECRET_LEN], struct mlt_arena *arena,
                                    struct mlt_error *err) {
    unsigned unknown = 0;
    *out = (struct mlt_bundle_payload){.state = MLT_PAYLOAD_OPEN};
    out->members = mlt_arena_zero(arena, (plain->tape[0].count + 1) * sizeof(*out->members));
    if (!out->members) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a payload");
    }
    for (mlt_json_at n = mlt_json_first(plain, 0); n != MLT_JSON_NONE; n = mlt_json_next(plain, 0, n)) {
        struct mlt_bundle_payload_member m = {.name = mlt_json_string(plain, n, arena)};
        m.as = committed_as(e, m.name, &unknown, arena);
        if (!m.as.ptr || !m.name.ptr) {
            return mlt_fail(err, MLT_NOMEM, "no memory for a payload");
        }
        if (mlt_bundle_shows(choice, index, m.name) && !tells_masked(choice, e, plain, n + 1, m.name, arena)) {
            m.value = mlt_json_raw(plain, n + 1);
            mlt_seal_salt(m.salt, secret, m.name);
            out->members[out->num_members++] = m;
        }
    }
    return MLT_OK;
}

static void put_members(struct mlt_json_writer *w, const struct mlt_bundle_payload *p) {
    mlt_jw_object(w);
    for (size_t i = 0; i < p->num_members; i++) {
        mlt_jw_name_bytes(w, p->members[i].name);
        mlt_jw_raw(w, p->members[i].value);
    }
    mlt_jw_end_object(w);
}

static void put_masked(struct mlt_json_writer *w, const struct mlt_bundle_payload *p, const struct mlt_entry *e,
                       struct mlt_arena *arena) {
    const struct mlt_json *j = &e->json;
    mlt_jw_array(w);
    for (mlt_json_at n = mlt_json_first(j, e->payload); n != MLT_JSON_NONE; n = mlt_json_next(j, e->payload, n)) {
        const struct mlt_bytes as = mlt_json_string(j, n, arena);
        if (!is_shown(p, p->num_members, as)) {
            mlt_jw_string(w, as);
        }
    }
    mlt_jw_end_array(w);
}

enum mlt_status mlt_bundle_plain(const struct mlt_bundle_payload *p, const struct mlt_entry *e, struct mlt_arena *arena,
                                 enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    *plain = (struct mlt_bytes){0};
    *state = p->state;
    if (p->state != MLT_PAYLOAD_OPEN) {
        return MLT_OK;
    }
    mlt_jw_init(&w, &out);
    if (p->num_members == e->json.tape[e->payload].count) {
        put_members(&w, p);
    } else {
        *state = MLT_PAYLOAD_PARTLY;
        mlt_jw_object(&w);
        mlt_jw_name(&w, "members");
        put_members(&w, p);
        mlt_jw_name(&w, "masked");
        put_masked(&w, p, e, arena);
        mlt_jw_end_object(&w);
    }
    *plain = mlt_arena_copy(arena, mlt_buf_bytes(&out));
    const bool failed = out.failed || !plain->ptr;
    mlt_buf_clear(&out);
    return failed ? mlt_fail(err, MLT_NOMEM, "no memory for a payload") : MLT_OK;
}
