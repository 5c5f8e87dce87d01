// Signatures of approvals: is it one, over this approval, in this trail, by a key that the approver may approve with,
// at the time when the record was received.
//
// Each entry is judged by itself: statement and signature stand in one record. The statement is compared with what is
// shown for the approval, over all records of it, so that nothing is shown as signed that was not.
#include "crypto/sshsig.h"
#include "lineage/finding.h"
#include "record/statement.h"

// One signature as it is judged.
struct judging {
    struct mlt_walk *w;
    const struct mlt_node *node;
    const struct mlt_part *part;
    struct mlt_signature_check *check;
};

const char *mlt_signature_verdict_name(enum mlt_signature_verdict verdict) {
    static const char *const names[] = {
        [MLT_SIGNATURE_GOOD] = "good",
        [MLT_SIGNATURE_UNCHECKED] = "unchecked",
        [MLT_SIGNATURE_INVALID] = "invalid",
        [MLT_SIGNATURE_OTHER_TRAIL] = "other-trail",
        [MLT_SIGNATURE_DIFFERS] = "statement-differs",
        [MLT_SIGNATURE_NOT_ALLOWED] = "signer-not-allowed",
        [MLT_SIGNATURE_EXPIRED] = "expired",
    };
    return names[verdict];
}

bool mlt_node_signed(const struct mlt_node *approval) {
    for (size_t i = 0; i < approval->num_signatures; i++) {
        if (approval->signatures[i].verdict == MLT_SIGNATURE_GOOD) {
            return true;
        }
    }
    return false;
}

enum mlt_status mlt_walk_signers(struct mlt_walk *w) {
    struct mlt_signers *out = &w->signers;
    struct mlt_node *setting;
    if (out->loaded) {
        return MLT_OK;
    }
    *out = (struct mlt_signers){.loaded = true, .entry = UINT64_MAX};
    enum mlt_status status = mlt_walk_setting(w, "allowed_signers", &setting);
    if (status != MLT_OK || setting == NULL) {
        return status;
    }
    struct mlt_error err = {0};
    struct mlt_value value = mlt_node_get(setting, "value");
    struct mlt_bytes text = mlt_value_string(value, w->arena);
    out->entry = setting->entry;
    status = text.ptr == NULL ? mlt_fail(&err, MLT_INVALID, "the value is no text")
                              : mlt_allowed_signers_read(&out->list, text, w->arena, &err);
    if (status == MLT_NOMEM) {
        return mlt_node_no_memory(w);
    }
    if (status != MLT_OK) {
        out->why = mlt_arena_cstr(w->arena, mlt_str(err.text));
        return out->why == NULL ? mlt_node_no_memory(w) : MLT_OK;
    }
    return MLT_OK;
}

// A member of the entry's own record; {NULL,0}: it is not there, or no string.
static enum mlt_status part_string(const struct judging *j, const char *name, struct mlt_bytes *out) {
    mlt_json_at at = mlt_json_get(&j->part->facts, 0, name);
    *out = mlt_json_string(&j->part->facts, at, j->w->arena);
    return out->ptr == NULL && mlt_json_is(&j->part->facts, at, MLT_JSON_STRING) ? mlt_node_no_memory(j->w) : MLT_OK;
}

static enum mlt_status verdict(const struct judging *j, enum mlt_signature_verdict verdict, const char *why) {
    j->check->verdict = verdict;
    j->check->why = why;
    return why == NULL ? mlt_node_no_memory(j->w) : MLT_OK;
}

static enum mlt_status judge_signer(const struct judging *j, const struct mlt_sshsig *sig) {
    const struct mlt_signers *signers = &j->w->signers;
    struct mlt_arena *arena = j->w->arena;
    const char *key = j->check->fingerprint;
    struct mlt_bytes approver;
    const struct mlt_allowed_signer *signer;
    char limit[MLT_TIME_TEXT_LEN + 1], received[MLT_TIME_TEXT_LEN + 1];
    j->check->setting = signers->entry;
    enum mlt_status status = part_string(j, "approver", &approver);
    if (status != MLT_OK) {
        return status;
    }
    if (signers->entry == UINT64_MAX || signers->why != NULL) {
        return verdict(j, MLT_SIGNATURE_UNCHECKED,
                       signers->why == NULL
                           ? "no allowed signers are set"
                           : mlt_arena_printf(arena, "the allowed signers cannot be read: %s", signers->why));
    }
    mlt_time_format(received, j->part->entry.received);
    switch (mlt_allowed_signers_find(&signers->list, approver, &sig->key, sig->name_space, j->part->entry.received,
                                     &signer)) {
    case MLT_SIGNER_ALLOWED:
        j->check->verdict = MLT_SIGNATURE_GOOD;
        return MLT_OK;
    case MLT_SIGNER_UNKNOWN:
        return verdict(j, MLT_SIGNATURE_NOT_ALLOWED,
                       mlt_arena_printf(arena, "the key %s is not among the allowed signers", key));
    case MLT_SIGNER_OTHER_PRINCIPAL:
        return verdict(j, MLT_SIGNATURE_NOT_ALLOWED,
                       mlt_arena_printf(arena, "the key %s is allowed for '%.*s', not for '%.*s'", key,
                                        MLT_ARG(signer->principals), MLT_ARG(approver)));
    case MLT_SIGNER_OTHER_NAMESPACE:
        return verdict(j, MLT_SIGNATURE_NOT_ALLOWED,
                       mlt_arena_printf(arena, "the key %s is allowed for the namespaces '%.*s', not for '%s'", key,
                                        MLT_ARG(signer->namespaces), MLT_STATEMENT_NAMESPACE));
    case MLT_SIGNER_NOT_YET:
        mlt_time_format(limit, signer->after);
        return verdict(j, MLT_SIGNATURE_EXPIRED,
                       mlt_arena_printf(arena, "the key %s is valid after %s, and the record was received at %s", key,
                                        limit, received));
    case MLT_SIGNER_EXPIRED:
        mlt_time_format(limit, signer->before);
        return verdict(j, MLT_SIGNATURE_EXPIRED,
                       mlt_arena_printf(arena, "the key %s was valid until %s, and the record was received at %s", key,
                                        limit, received));
    }
    return verdict(j, MLT_SIGNATURE_INVALID, "it could not be judged");
}

// Does the statement say what is shown for the approval, and what its own record says where that is something else?
static enum mlt_status judge_statement(const struct judging *j, const struct mlt_statement *s,
                                       const struct mlt_sshsig *sig) {
    // A trail that went on from a backup has another name, and what was signed for it before stays signed for it.
    const struct mlt_key_chain *keys = j->w->src->keys;
    if (!mlt_bytes_is(s->origin, j->w->src->origin) &&
        !(keys && mlt_key_chain_names(keys, s->origin, j->check->entry + 1))) {
        return verdict(j, MLT_SIGNATURE_OTHER_TRAIL,
                       mlt_arena_printf(j->w->arena, "the statement was signed for '%.*s', and this trail is '%s'",
                                        MLT_ARG(s->origin), j->w->src->origin));
    }
    for (size_t i = 1; i < MLT_STATEMENT_MEMBERS; i++) {
        struct mlt_value shown = mlt_node_get(j->node, mlt_statement_names[i]);
        mlt_json_at own = mlt_json_get(&j->part->facts, 0, mlt_statement_names[i]);
        if (!mlt_statement_agrees(s, i, shown.json, shown.at) ||
            (own != MLT_JSON_NONE && !mlt_statement_agrees(s, i, &j->part->facts, own))) {
            return verdict(j, MLT_SIGNATURE_DIFFERS,
                           mlt_arena_printf(j->w->arena, "what was signed and what is recorded differ in %s",
                                            mlt_statement_names[i]));
        }
    }
    return judge_signer(j, sig);
}

// A ladder: the first rung that does not hold is the verdict.
static enum mlt_status judge(const struct judging *j) {
    struct mlt_sshsig *sig = mlt_arena_take(j->w->arena, sizeof(*sig));
    struct mlt_bytes statement, signature;
    const char *why = NULL;
    bool good;
    if (sig == NULL) {
        return mlt_node_no_memory(j->w);
    }
    enum mlt_status status = part_string(j, "statement", &statement);
    status = status == MLT_OK ? part_string(j, "signature", &signature) : status;
    if (status != MLT_OK) {
        return status;
    }
    if (statement.len == 0) {
        return verdict(j, MLT_SIGNATURE_INVALID, "there is no statement that it could be over");
    }
    if (!mlt_sshsig_read(sig, signature, &why)) {
        return verdict(j, MLT_SIGNATURE_INVALID,
                       mlt_arena_printf(j->w->arena, "the signature cannot be read: %s", why));
    }
    mlt_ssh_key_fingerprint(j->check->fingerprint, &sig->key);
    status = mlt_sshsig_verify(&good, &why, sig, statement, MLT_STATEMENT_NAMESPACE, j->w->err);
    if (status != MLT_OK || !good) {
        return status != MLT_OK ? status : verdict(j, MLT_SIGNATURE_INVALID, why);
    }
    struct mlt_statement read;
    struct mlt_error err = {0};
    status = mlt_statement_read(&read, statement, j->w->arena, &err);
    if (status == MLT_NOMEM) {
        status = mlt_node_no_memory(j->w);
    } else if (status != MLT_OK) {
        status = verdict(j, MLT_SIGNATURE_INVALID,
                         mlt_arena_printf(j->w->arena, "what was signed is no statement of an approval: %s", err.text));
    } else {
        status = judge_statement(j, &read, sig);
    }
    mlt_statement_clear(&read);
    return status;
}

static enum mlt_status add_finding(struct mlt_walk *w, const struct mlt_node *node,
                                   const struct mlt_signature_check *check) {
    static const enum mlt_finding_id ids[] = {
        [MLT_SIGNATURE_UNCHECKED] = MLT_F_APPROVAL_SIGNATURE_UNCHECKED,
        [MLT_SIGNATURE_INVALID] = MLT_F_APPROVAL_SIGNATURE_INVALID,
        [MLT_SIGNATURE_OTHER_TRAIL] = MLT_F_APPROVAL_STATEMENT_OTHER_TRAIL,
        [MLT_SIGNATURE_DIFFERS] = MLT_F_APPROVAL_STATEMENT_DIFFERS,
        [MLT_SIGNATURE_NOT_ALLOWED] = MLT_F_APPROVAL_SIGNER_NOT_ALLOWED,
        [MLT_SIGNATURE_EXPIRED] = MLT_F_APPROVAL_SIGNATURE_EXPIRED,
    };
    struct mlt_grounds g = {0};
    if (check->verdict == MLT_SIGNATURE_GOOD) {
        return MLT_OK;
    }
    mlt_grounds_add(&g, check->entry);
    if (check->setting != UINT64_MAX) {
        mlt_grounds_add(&g, check->setting);
    }
    return mlt_finding_add(w, ids[check->verdict], &g, "%s: %s", mlt_node_label(w, node), check->why);
}

static bool carries_signature(const struct mlt_part *part) {
    mlt_json_at at = mlt_json_get(&part->facts, 0, "signature");
    return part->relation != MLT_REL_CORRECTS && at != MLT_JSON_NONE && !mlt_json_is(&part->facts, at, MLT_JSON_NULL);
}

static enum mlt_status check_node(struct mlt_walk *w, struct mlt_node *node) {
    enum mlt_status status = MLT_OK;
    node->signatures = mlt_arena_zero(w->arena, node->num_parts * sizeof(*node->signatures));
    if (node->signatures == NULL) {
        return mlt_node_no_memory(w);
    }
    for (size_t i = 0; status == MLT_OK && i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        if (!carries_signature(part)) {
            continue;
        }
        struct mlt_signature_check *check = &node->signatures[node->num_signatures++];
        *check =
            (struct mlt_signature_check){.verdict = MLT_SIGNATURE_INVALID, .entry = part->index, .setting = UINT64_MAX};
        const struct judging j = {w, node, part, check};
        status = judge(&j);
        status = status == MLT_OK ? add_finding(w, node, check) : status;
    }
    return status;
}

static bool any_signature(const struct mlt_node_list *list) {
    for (size_t i = 0; i < list->num; i++) {
        for (size_t p = 0; p < list->nodes[i]->num_parts; p++) {
            if (carries_signature(&list->nodes[i]->parts[p])) {
                return true;
            }
        }
    }
    return false;
}

enum mlt_status mlt_walk_signatures(struct mlt_walk *w) {
    struct mlt_node_list *list = &w->story->approvals;
    if (w->signatures_checked || !any_signature(list)) {
        return MLT_OK;
    }
    w->signatures_checked = true;
    enum mlt_status status = mlt_walk_signers(w);
    for (size_t i = 0; status == MLT_OK && i < list->num; i++) {
        status = check_node(w, list->nodes[i]);
    }
    return status;
}
