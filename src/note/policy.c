// The text of a policy: one definition a line, items separated by spaces and tabs, '#' begins a comment line.
//
//   log <vkey> [<url>]
//   witness <name> <vkey> [<url>]
//   group <name> all|any|<k> <member> ...
//   quorum <name>|none                      exactly once
//
// Valid if and only if (1) every line ends in a newline and has no other control character than tabs, (2) names refer
// to lines above, (3) no name is defined twice, (4) no name is a member twice, (5) no public key is on two lines.
#include "note/policy.h"

#include <assert.h>

#define ITEMS_MAX (3 + MLT_POLICY_WITNESSES_MAX + MLT_POLICY_GROUPS_MAX) // group, its name, its threshold, all members

static const char NONE[] = "none";

struct items {
    struct mlt_bytes item[ITEMS_MAX];
    size_t num;
};

// What a name refers to.
struct ref {
    enum mlt_policy_quorum kind; // MLT_QUORUM_NONE: nothing of that name
    size_t idx;
};

// One parse: the policy as far as it is, and the line that is being read, for messages.
struct parser {
    struct mlt_policy *policy;
    size_t line_number;
    bool has_quorum;
    struct mlt_error *err;
};

#define FAIL(p, status, ...)                                                                                           \
    mlt_context((p)->err, mlt_fail((p)->err, status, __VA_ARGS__), "policy line %zu", (p)->line_number)

static enum mlt_status check_characters(const struct parser *p, struct mlt_bytes line) {
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return FAIL(p, MLT_INVALID, "byte %zu is the control character 0x%02x, only tabs and newlines may be%s",
                        i + 1, c, c == '\r' ? " (the file has line ends of another system)" : "");
        }
    }
    return MLT_OK;
}

// Names are any bytes of any length; what a message shows of one is neither long nor broken text.
#define NAME_SHOWN_MAX 100
static struct mlt_bytes shown(struct mlt_bytes name) {
    if (!mlt_utf8_valid(name)) {
        return mlt_str("(bytes that are not UTF-8)");
    }
    return name.len <= NAME_SHOWN_MAX ? name : mlt_str("(a long one)");
}

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

static enum mlt_status split_items(const struct parser *p, struct items *out, struct mlt_bytes line) {
    out->num = 0;
    for (size_t at = 0; at < line.len;) {
        size_t begin = at;
        while (at < line.len && !is_blank(line.ptr[at])) {
            at++;
        }
        if (at == begin) {
            at++;
            continue;
        }
        if (out->num == ITEMS_MAX) {
            return FAIL(p, MLT_LIMIT, "over %d items, as many as all names there can be", ITEMS_MAX);
        }
        out->item[out->num++] = mlt_bytes_of(line.ptr + begin, at - begin);
    }
    return MLT_OK;
}

static struct ref find_name(const struct mlt_policy *policy, struct mlt_bytes name) {
    for (size_t i = 0; i < policy->num_witnesses; i++) {
        if (mlt_bytes_equal(policy->witnesses[i].name, name)) {
            return (struct ref){MLT_QUORUM_WITNESS, i};
        }
    }
    for (size_t i = 0; i < policy->num_groups; i++) {
        if (mlt_bytes_equal(policy->groups[i].name, name)) {
            return (struct ref){MLT_QUORUM_GROUP, i};
        }
    }
    return (struct ref){MLT_QUORUM_NONE, 0};
}

static enum mlt_status define_name(const struct parser *p, struct mlt_bytes *out, struct mlt_bytes name) {
    if (name.len > MLT_POLICY_NAME_MAX) {
        return FAIL(p, MLT_LIMIT, "a name has %zu bytes, at most %d are allowed", name.len, MLT_POLICY_NAME_MAX);
    }
    if (mlt_bytes_is(name, NONE)) {
        return FAIL(p, MLT_INVALID, "the name none means no quorum and cannot be defined, choose another");
    }
    if (find_name(p->policy, name).kind != MLT_QUORUM_NONE) {
        return FAIL(p, MLT_INVALID, "the name %.*s is defined above already, choose another", MLT_ARG(shown(name)));
    }
    *out = name;
    return MLT_OK;
}

static bool key_is_known(const struct mlt_policy *policy, const struct mlt_vkey *key) {
    for (size_t i = 0; i < policy->num_logs; i++) {
        if (memcmp(policy->logs[i].vkey.key, key->key, sizeof(key->key)) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < policy->num_witnesses; i++) {
        if (memcmp(policy->witnesses[i].vkey.key, key->key, sizeof(key->key)) == 0) {
            return true;
        }
    }
    return false;
}

static enum mlt_status parse_key(const struct parser *p, struct mlt_vkey *out, struct mlt_bytes text,
                                 enum mlt_key_type want, const char *whose) {
    enum mlt_status st = mlt_vkey_parse(out, text, p->err);
    if (st) {
        return mlt_context(p->err, st, "policy line %zu", p->line_number);
    }
    if (out->type != want) {
        return FAIL(p, MLT_INVALID, "the key of a %s must be of type 0x%02x, this one is of type 0x%02x", whose, want,
                    out->type);
    }
    if (key_is_known(p->policy, out)) {
        return FAIL(p, MLT_INVALID, "the public key of %s is on a line above already, each may be there once",
                    out->name);
    }
    return MLT_OK;
}

static enum mlt_status parse_log(struct parser *p, const struct items *items) {
    struct mlt_policy *policy = p->policy;
    if (items->num < 2 || items->num > 3) {
        return FAIL(p, MLT_INVALID, "a log line reads: log <vkey> [<url>]");
    }
    if (policy->num_logs == MLT_POLICY_LOGS_MAX) {
        return FAIL(p, MLT_LIMIT, "over %d logs", MLT_POLICY_LOGS_MAX);
    }
    struct mlt_policy_log *log = &policy->logs[policy->num_logs];
    *log = (struct mlt_policy_log){0};
    enum mlt_status st = parse_key(p, &log->vkey, items->item[1], MLT_KEY_ED25519, "log");
    if (st) {
        return st;
    }
    log->url = items->num == 3 ? items->item[2] : mlt_str(NULL);
    policy->num_logs++;
    return MLT_OK;
}

static enum mlt_status parse_witness(struct parser *p, const struct items *items) {
    struct mlt_policy *policy = p->policy;
    if (items->num < 3 || items->num > 4) {
        return FAIL(p, MLT_INVALID, "a witness line reads: witness <name> <vkey> [<url>]");
    }
    if (policy->num_witnesses == MLT_POLICY_WITNESSES_MAX) {
        return FAIL(p, MLT_LIMIT, "over %d witnesses", MLT_POLICY_WITNESSES_MAX);
    }
    struct mlt_policy_witness *witness = &policy->witnesses[policy->num_witnesses];
    *witness = (struct mlt_policy_witness){.group = MLT_POLICY_NO_GROUP};
    enum mlt_status st = define_name(p, &witness->name, items->item[1]);
    if (!st) {
        st = parse_key(p, &witness->vkey, items->item[2], MLT_KEY_COSIGNATURE_V1, "witness");
    }
    if (st) {
        return st;
    }
    witness->url = items->num == 4 ? items->item[3] : mlt_str(NULL);
    policy->num_witnesses++;
    return MLT_OK;
}

static enum mlt_status add_member(struct parser *p, struct mlt_bytes name) {
    struct mlt_policy *policy = p->policy;
    struct ref member = find_name(policy, name);
    if (member.kind == MLT_QUORUM_NONE) {
        return FAIL(p, MLT_INVALID, "no witness and no group of the name %.*s is defined above", MLT_ARG(shown(name)));
    }
    int *group =
        member.kind == MLT_QUORUM_WITNESS ? &policy->witnesses[member.idx].group : &policy->groups[member.idx].group;
    if (*group != MLT_POLICY_NO_GROUP) {
        return FAIL(p, MLT_INVALID, "%.*s is a member already, of one group a name may be a member once",
                    MLT_ARG(shown(name)));
    }
    *group = (int)policy->num_groups;
    return MLT_OK;
}

static enum mlt_status parse_threshold(const struct parser *p, struct mlt_policy_group *group, struct mlt_bytes text) {
    uint64_t k = 0;
    if (mlt_bytes_is(text, "any")) {
        k = 1;
    } else if (mlt_bytes_is(text, "all")) {
        k = group->num_members;
    } else if (!mlt_decimal_decode(&k, text) || k < 1 || k > group->num_members) {
        return FAIL(p, MLT_INVALID, "the threshold of %.*s must be any, all or a number from 1 to its %zu members",
                    MLT_ARG(shown(group->name)), group->num_members);
    }
    group->threshold = (size_t)k;
    return MLT_OK;
}

static enum mlt_status parse_group(struct parser *p, const struct items *items) {
    struct mlt_policy *policy = p->policy;
    if (items->num < 4) {
        return FAIL(p, MLT_INVALID, "a group line reads: group <name> all|any|<k> <member> ...");
    }
    if (policy->num_groups == MLT_POLICY_GROUPS_MAX) {
        return FAIL(p, MLT_LIMIT, "over %d groups", MLT_POLICY_GROUPS_MAX);
    }
    struct mlt_policy_group *group = &policy->groups[policy->num_groups];
    *group = (struct mlt_policy_group){.num_members = items->num - 3, .group = MLT_POLICY_NO_GROUP};
    enum mlt_status st = define_name(p, &group->name, items->item[1]);
    if (!st) {
        st = parse_threshold(p, group, items->item[2]);
    }
    for (size_t i = 3; !st && i < items->num; i++) {
        st = add_member(p, items->item[i]);
    }
    if (st) {
        return st;
    }
    policy->num_groups++;
    return MLT_OK;
}

static enum mlt_status parse_quorum(struct parser *p, const struct items *items) {
    if (items->num != 2) {
        return FAIL(p, MLT_INVALID, "a quorum line reads: quorum <name>, or: quorum none");
    }
    if (p->has_quorum) {
        return FAIL(p, MLT_INVALID, "there is a quorum line above already, a policy has exactly one");
    }
    struct mlt_bytes name = items->item[1];
    struct ref quorum = find_name(p->policy, name);
    if (quorum.kind == MLT_QUORUM_NONE && !mlt_bytes_is(name, NONE)) {
        return FAIL(p, MLT_INVALID, "no witness and no group of the name %.*s is defined above", MLT_ARG(shown(name)));
    }
    p->policy->quorum = quorum.kind;
    p->policy->quorum_idx = quorum.idx;
    p->has_quorum = true;
    return MLT_OK;
}

static enum mlt_status parse_line(struct parser *p, struct mlt_bytes line) {
    static const struct {
        const char *keyword;
        enum mlt_status (*parse)(struct parser *p, const struct items *items);
    } kinds[] = {{"log", parse_log}, {"witness", parse_witness}, {"group", parse_group}, {"quorum", parse_quorum}};
    enum mlt_status st = check_characters(p, line);
    if (st) {
        return st;
    }
    while (line.len > 0 && is_blank(line.ptr[0])) {
        line = mlt_bytes_of(line.ptr + 1, line.len - 1);
    }
    if (line.len == 0 || line.ptr[0] == '#') {
        return MLT_OK;
    }
    struct items items;
    st = split_items(p, &items, line);
    if (st) {
        return st;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (mlt_bytes_is(items.item[0], kinds[i].keyword)) {
            return kinds[i].parse(p, &items);
        }
    }
    return FAIL(p, MLT_INVALID, "a line begins with log, witness, group, quorum or #");
}

static enum mlt_status parse_text(struct mlt_policy *policy, struct mlt_bytes text, struct mlt_error *err) {
    struct parser p = {.policy = policy, .err = err};
    struct mlt_cursor c = mlt_cursor_of(text);
    while (mlt_cursor_left(&c) > 0) {
        p.line_number++;
        struct mlt_bytes line = mlt_cursor_line(&c);
        if (c.failed) {
            return FAIL(&p, MLT_INVALID, "the last line does not end in a newline, the file may be cut off");
        }
        enum mlt_status st = parse_line(&p, line);
        if (st) {
            return st;
        }
    }
    if (!p.has_quorum) {
        return mlt_fail(err, MLT_INVALID,
                        "policy has no quorum line, which says how many witnesses are needed "
                        "(quorum none: no witness is)");
    }
    return MLT_OK;
}

enum mlt_status mlt_policy_parse(struct mlt_policy *out, struct mlt_bytes text, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    if (text.len > MLT_POLICY_TEXT_MAX) {
        return mlt_fail(err, MLT_LIMIT, "policy has %zu bytes, at most %d are allowed", text.len, MLT_POLICY_TEXT_MAX);
    }
    out->logs = mlt_arena_take(&out->arena, MLT_POLICY_LOGS_MAX * sizeof(*out->logs));
    out->witnesses = mlt_arena_take(&out->arena, MLT_POLICY_WITNESSES_MAX * sizeof(*out->witnesses));
    out->groups = mlt_arena_take(&out->arena, MLT_POLICY_GROUPS_MAX * sizeof(*out->groups));
    struct mlt_bytes copy = mlt_arena_copy(&out->arena, text);
    enum mlt_status st = !out->logs || !out->witnesses || !out->groups || (text.len > 0 && !copy.ptr)
                             ? mlt_fail(err, MLT_NOMEM, "no memory for a policy")
                             : parse_text(out, copy, err);
    if (st) {
        mlt_policy_clear(out);
        return st;
    }
    assert(mlt_policy_check(out));
    return MLT_OK;
}

void mlt_policy_clear(struct mlt_policy *policy) {
    if (policy) {
        mlt_arena_clear(&policy->arena);
        memset(policy, 0, sizeof(*policy));
    }
}

static bool group_check(const struct mlt_policy *policy, size_t idx) {
    const struct mlt_policy_group *group = &policy->groups[idx];
    size_t num_members = 0;
    for (size_t i = 0; i < policy->num_witnesses; i++) {
        num_members += policy->witnesses[i].group == (int)idx;
    }
    for (size_t i = 0; i < idx; i++) {
        num_members += policy->groups[i].group == (int)idx;
    }
    return num_members == group->num_members && group->threshold >= 1 && group->threshold <= num_members &&
           (group->group == MLT_POLICY_NO_GROUP || (group->group > (int)idx && group->group < (int)policy->num_groups));
}

bool mlt_policy_check(const struct mlt_policy *policy) {
    if (policy->num_logs > MLT_POLICY_LOGS_MAX || policy->num_witnesses > MLT_POLICY_WITNESSES_MAX ||
        policy->num_groups > MLT_POLICY_GROUPS_MAX) {
        return false;
    }
    for (size_t i = 0; i < policy->num_groups; i++) {
        if (!group_check(policy, i)) {
            return false;
        }
    }
    switch (policy->quorum) {
    case MLT_QUORUM_NONE:
        return true;
    case MLT_QUORUM_WITNESS:
        return policy->quorum_idx < policy->num_witnesses;
    case MLT_QUORUM_GROUP:
        return policy->quorum_idx < policy->num_groups;
    }
    return false;
}
