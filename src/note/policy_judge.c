// Holding a signed checkpoint against a policy.
#include <stdio.h>

#include "note/cosignature.h"
#include "note/policy.h"

#define KEYS_MAX (MLT_POLICY_LOGS_MAX + 1) // and the caller's own
#define NAME_SHOWN_MAX 100                 // leaves room for the rest of the sentence

static bool refuse(struct mlt_policy_verdict *out, enum mlt_policy_reason reason, const char *why) {
    out->reason = reason;
    (void)snprintf(out->why, sizeof(out->why), "%s", why);
    return false;
}

static size_t keys_of_origin(const struct mlt_vkey *keys[static KEYS_MAX], const struct mlt_policy *policy,
                             const struct mlt_vkey *log_key, const char *origin) {
    size_t num = 0;
    if (log_key && strcmp(log_key->name, origin) == 0) {
        keys[num++] = log_key;
    }
    for (size_t i = 0; i < policy->num_logs; i++) {
        if (strcmp(policy->logs[i].vkey.name, origin) == 0) {
            keys[num++] = &policy->logs[i].vkey;
        }
    }
    return num;
}

static bool claims(const struct mlt_note *note, const struct mlt_vkey *key) {
    for (size_t i = 0; i < note->num_sigs; i++) {
        if (mlt_note_sig_claims(&note->sigs[i], key)) {
            return true;
        }
    }
    return false;
}

// A note that lacks a signature by one key may have one by another of the log's; a bad one under any of them refuses.
static bool signed_by_log(struct mlt_policy_verdict *out, const struct mlt_policy *policy,
                          const struct mlt_vkey *log_key, const struct mlt_note *note) {
    const struct mlt_vkey *keys[KEYS_MAX];
    size_t num_keys = keys_of_origin(keys, policy, log_key, out->checkpoint.origin);
    if (num_keys == 0) {
        return policy->num_logs == 0 && !log_key
                   ? refuse(out, MLT_POLICY_NO_LOG, "the policy names no log, so a log key must be given with it")
                   : refuse(out, MLT_POLICY_OTHER_ORIGIN, "no accepted log key is of the checkpoint's origin");
    }
    const struct mlt_vkey *good = NULL;
    for (size_t i = 0; i < num_keys; i++) {
        bool claimed = claims(note, keys[i]);
        if (claimed && !mlt_note_verify(note, keys[i], 1, NULL, NULL)) {
            return refuse(out, MLT_POLICY_BAD_SIGNATURE, "a signature under the log's key does not verify");
        }
        good = claimed && !good ? keys[i] : good;
    }
    if (!good) {
        return refuse(out, MLT_POLICY_UNSIGNED, "no signature by an accepted key of the log");
    }
    out->log_key = good;
    return true;
}

static void count_cosignature(struct mlt_policy_verdict *out, size_t witness, uint64_t time) {
    out->cosigned[witness] = true;
    out->time[witness] = time;
    out->earliest = out->num_cosigned == 0 || time < out->earliest ? time : out->earliest;
    out->latest = time > out->latest ? time : out->latest;
    out->num_cosigned++;
}

// The status says whether all could be checked, `*good` whether none of those who signed signed something else.
static enum mlt_status witnessed(bool *good, struct mlt_policy_verdict *out, const struct mlt_policy *policy,
                                 const struct mlt_note *note, struct mlt_error *err) {
    *good = false;
    for (size_t i = 0; i < policy->num_witnesses; i++) {
        const struct mlt_vkey *key = &policy->witnesses[i].vkey;
        const char *why;
        uint64_t time;
        if (!claims(note, key)) {
            continue;
        }
        enum mlt_status st = mlt_cosignature_find(&why, &time, note, key, err);
        if (st) {
            return st;
        }
        if (why) {
            (void)refuse(out, MLT_POLICY_BAD_COSIGNATURE, "a signature under the key of a witness does not verify");
            return MLT_OK;
        }
        count_cosignature(out, i, time);
    }
    *good = true;
    return MLT_OK;
}

// Members stand before their groups, so one pass in order sees each group when all its members are known.
static bool group_holds(const struct mlt_policy *policy, const bool cosigned[static MLT_POLICY_WITNESSES_MAX],
                        size_t want_idx) {
    size_t num_holding[MLT_POLICY_GROUPS_MAX] = {0};
    for (size_t i = 0; i < policy->num_witnesses; i++) {
        int group = policy->witnesses[i].group;
        if (cosigned[i] && group != MLT_POLICY_NO_GROUP) {
            num_holding[group]++;
        }
    }
    for (size_t i = 0; i < want_idx; i++) {
        int group = policy->groups[i].group;
        if (num_holding[i] >= policy->groups[i].threshold && group != MLT_POLICY_NO_GROUP) {
            num_holding[group]++;
        }
    }
    return num_holding[want_idx] >= policy->groups[want_idx].threshold;
}

static bool quorum_met(struct mlt_policy_verdict *out, const struct mlt_policy *policy) {
    struct mlt_bytes name = {0};
    bool met = false;
    switch (policy->quorum) {
    case MLT_QUORUM_NONE:
        return true;
    case MLT_QUORUM_WITNESS:
        name = policy->witnesses[policy->quorum_idx].name;
        met = out->cosigned[policy->quorum_idx];
        break;
    case MLT_QUORUM_GROUP:
        name = policy->groups[policy->quorum_idx].name;
        met = group_holds(policy, out->cosigned, policy->quorum_idx);
        break;
    }
    if (!met) {
        out->reason = MLT_POLICY_NO_QUORUM;
        // A name is any bytes, of any length: one that would spoil the sentence is left out of it.
        bool shown = name.len <= NAME_SHOWN_MAX && mlt_utf8_valid(name);
        (void)snprintf(out->why, sizeof(out->why),
                       "the quorum%s%.*s is not met: %zu of the policy's %zu witnesses cosigned", shown ? " " : "",
                       shown ? (int)name.len : 0, (const char *)name.ptr, out->num_cosigned, out->num_witnesses);
    }
    return met;
}

enum mlt_status mlt_policy_judge(struct mlt_policy_verdict *out, const struct mlt_policy *policy,
                                 const struct mlt_vkey *log_key, const struct mlt_note *note, struct mlt_error *err) {
    memset(out, 0, sizeof(*out));
    out->num_witnesses = policy->num_witnesses;
    (void)refuse(out, MLT_POLICY_UNJUDGED, "the note is not a checkpoint");
    enum mlt_status st = mlt_checkpoint_parse(&out->checkpoint, note->text, err);
    if (st) {
        return st;
    }
    if (!signed_by_log(out, policy, log_key, note)) {
        return MLT_OK;
    }
    bool good;
    st = witnessed(&good, out, policy, note, err);
    if (st) {
        (void)refuse(out, MLT_POLICY_UNJUDGED, "memory ran out before all signatures could be checked");
        return st;
    }
    if (good && quorum_met(out, policy)) {
        out->why[0] = '\0';
        out->reason = MLT_POLICY_HOLDS;
        out->holds = true;
    }
    return MLT_OK;
}
