// Whose word `verify` takes: --key, --policy, and what the policy says of a checkpoint.
#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "cli/policy_file.h"
#include "cli/verify.h"
#include "trail/meta.h"

static bool policy_given(struct mlt_cli *cli, struct mlt_verify_trust *out) {
    const char *path = mlt_cli_value(cli, "policy");
    struct mlt_buf text = {0};
    if (!path) {
        return true;
    }
    out->policy = mlt_arena_zero(&cli->arena, sizeof *out->policy);
    const int code = out->policy ? mlt_cli_policy(cli, path, out->policy, &text)
                                 : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    out->policy_text = mlt_arena_copy(&cli->arena, mlt_buf_bytes(&text));
    mlt_buf_clear(&text);
    return code == 0;
}

struct mlt_key_chain *mlt_verify_chain_read(struct mlt_cli *cli, struct mlt_bytes trail_json, struct mlt_error *err) {
    struct mlt_meta *meta = mlt_arena_zero(&cli->arena, sizeof *meta);
    enum mlt_status st = meta ? mlt_meta_parse(meta, trail_json, err) : mlt_fail(err, MLT_NOMEM, "out of memory");
    if (st == MLT_OK && !mlt_meta_verify(meta, trail_json, &meta->chain.keys[0])) {
        st = mlt_fail(err, MLT_DENIED, "it is not signed by the key in use, or a change of keys in it is not");
    }
    return st == MLT_OK ? &meta->chain : NULL;
}

static bool chain_given(struct mlt_cli *cli, struct mlt_verify_trust *out) {
    const char *path = mlt_cli_value(cli, "chain");
    struct mlt_error err = {0};
    struct mlt_buf text = {0};
    if (!path) {
        return true;
    }
    if (mlt_env_read_file(cli->env, path, MLT_META_LEN_MAX, &text, &err) == MLT_OK) {
        out->chain = mlt_verify_chain_read(cli, mlt_buf_bytes(&text), &err);
    }
    mlt_buf_clear(&text);
    if (!out->chain) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "--chain %s is no trail.json that holds: %s", path, err.text);
    }
    return out->chain != NULL;
}

static bool leads_from(const struct mlt_verify_trust *trust, const struct mlt_key_chain *chain) {
    bool leads = trust->have_key && mlt_key_chain_leads(chain, &trust->key);
    for (size_t i = 0; !leads && trust->policy && i < trust->policy->num_logs; i++) {
        leads = mlt_key_chain_leads(chain, &trust->policy->logs[i].vkey);
    }
    return leads;
}

bool mlt_verify_trust_follow(struct mlt_verify_trust *trust, struct mlt_bytes checkpoint,
                             const struct mlt_key_chain *chain) {
    struct mlt_checkpoint head;
    size_t at = 0;
    if (!chain || !leads_from(trust, chain) || mlt_key_chain_open(chain, &head, checkpoint, NULL) != MLT_OK ||
        mlt_key_chain_signer(chain, &head, &at, checkpoint, NULL) != MLT_OK) {
        return false;
    }
    trust->key = chain->keys[at];
    trust->have_key = true;
    return true;
}

bool mlt_verify_trust_given(struct mlt_cli *cli, struct mlt_verify_trust *out) {
    memset(out, 0, sizeof *out);
    if (!mlt_verify_key_given(cli, &out->key, &out->have_key) || !policy_given(cli, out) || !chain_given(cli, out)) {
        mlt_verify_trust_clear(out);
        return false;
    }
    return true;
}

void mlt_verify_trust_clear(struct mlt_verify_trust *trust) {
    mlt_policy_clear(trust->policy);
    trust->policy = NULL;
}

void mlt_verify_trust_judge(struct mlt_cli *cli, struct mlt_verify_trust *trust, struct mlt_bytes checkpoint) {
    struct mlt_note note;
    struct mlt_error err = {0};
    if (!trust->policy) {
        return;
    }
    enum mlt_status st = mlt_note_parse(&note, &cli->arena, checkpoint, &err);
    if (st == MLT_OK) {
        st = mlt_policy_judge(&trust->judged, trust->policy, trust->have_key ? &trust->key : NULL, &note, &err);
    }
    if (st != MLT_OK) {
        (void)snprintf(trust->judged.why, sizeof trust->judged.why, "there is no signed checkpoint to judge");
    }
    if (trust->judged.log_key) {
        trust->key = *trust->judged.log_key;
        trust->have_key = true;
        trust->judged.log_key = &trust->key;
    }
}

// The key comes from --key, from the policy, or from the trails that are known: never from what is verified.
void mlt_verify_trust_find(struct mlt_cli *cli, struct mlt_bytes checkpoint, struct mlt_bytes trail_json,
                           struct mlt_verify_trust *trust) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_checkpoint head;
    if (!trust->have_key && !trust->policy && mlt_note_parse(&note, &arena, checkpoint, NULL) == MLT_OK &&
        mlt_checkpoint_parse(&head, note.text, NULL) == MLT_OK) {
        trust->have_key = mlt_known_trail_of(cli, head.origin, &trust->key);
    }
    if (!mlt_verify_trust_follow(trust, checkpoint, trust->chain) && trail_json.len > 0) {
        (void)mlt_verify_trust_follow(trust, checkpoint, mlt_verify_chain_read(cli, trail_json, NULL));
    }
    if (trust->policy) {
        mlt_verify_trust_judge(cli, trust, checkpoint);
    }
    mlt_arena_clear(&arena);
}

void mlt_verify_trust_report(const struct mlt_verify_trust *trust, struct mlt_verify_report *r) {
    if (trust->policy && !trust->judged.holds) {
        mlt_verify_fault_add(r, MLT_VERIFY_CHECKPOINT, "checkpoint", false, 0, "the policy is not satisfied: %s",
                             trust->judged.why);
    }
}

bool mlt_verify_trust_holds(const struct mlt_verify_trust *trust, bool signed_by_key) {
    return signed_by_key && (!trust->policy || trust->judged.holds);
}

const char *mlt_verify_trust_lacks(const struct mlt_verify_trust *trust, bool signed_by_key) {
    if (mlt_verify_trust_holds(trust, signed_by_key)) {
        return "";
    }
    if (signed_by_key) {
        return ", which is the log's, and not as the policy asks";
    }
    return trust->policy ? ", not authenticated; the policy does not give this key to the log"
                         : ", not authenticated; give --key with the key that the log's owner gave you";
}

const char *mlt_verify_trust_one_log(const struct mlt_verify_trust *trust) {
    if (trust->policy && trust->judged.holds && trust->judged.num_cosigned > 0) {
        return NULL;
    }
    return trust->policy ? "that nobody was shown another log (no quorum of witnesses cosigned this one)"
                         : "that nobody was shown another log (no witness was asked for; see --policy)";
}

// A witness may say any time; one that the calendar does not have is shown as the number it is.
static void put_time(struct mlt_buf *out, int64_t seconds) {
    char text[MLT_TIME_TEXT_LEN + 1];
    if (seconds > INT64_MAX / MLT_NS_PER_S) {
        mlt_buf_printf(out, "second %" PRId64, seconds);
        return;
    }
    mlt_time_format(text, seconds * MLT_NS_PER_S);
    mlt_buf_printf(out, "%.19sZ", text); // without the fraction, which is zero
}

void mlt_verify_witnesses_print(struct mlt_cli *cli, size_t num_cosigned, size_t num_witnesses, int64_t earliest,
                                int64_t latest) {
    struct mlt_buf out = {0};
    mlt_buf_printf(&out, "cosigned by %zu of the policy's %zu witnesses", num_cosigned, num_witnesses);
    if (num_cosigned > 0) {
        mlt_buf_put_str(&out, num_cosigned > 1 ? ", from " : ", at ");
        put_time(&out, earliest);
    }
    if (num_cosigned > 1) {
        mlt_buf_put_str(&out, " to ");
        put_time(&out, latest);
    }
    mlt_buf_put_str(&out, "\n");
    mlt_cli_out(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

void mlt_verify_witness_json(struct mlt_json_writer *w, const char *name, bool cosigned, int64_t seconds) {
    struct mlt_buf time = {0};
    put_time(&time, seconds);
    mlt_jw_object(w);
    mlt_jw_member(w, "name", name);
    mlt_jw_member(w, "cosigned_at", cosigned ? mlt_buf_cstr(&time) : NULL);
    mlt_jw_end_object(w);
    mlt_buf_clear(&time);
}

void mlt_verify_trust_print(struct mlt_cli *cli, const struct mlt_verify_trust *trust) {
    const struct mlt_policy_verdict *j = &trust->judged;
    if (trust->policy) {
        mlt_verify_witnesses_print(cli, j->num_cosigned, trust->policy->num_witnesses, (int64_t)j->earliest,
                                   (int64_t)j->latest);
    }
}

void mlt_verify_trust_json(struct mlt_json_writer *w, const struct mlt_verify_trust *trust) {
    mlt_jw_name(w, "policy");
    if (!trust->policy) {
        mlt_jw_null(w);
        return;
    }
    mlt_jw_object(w);
    mlt_jw_member_bool(w, "holds", trust->judged.holds);
    mlt_jw_member(w, "why", trust->judged.holds ? NULL : trust->judged.why);
    mlt_jw_member_u64(w, "num_cosigned", trust->judged.num_cosigned);
    mlt_jw_name(w, "witnesses");
    mlt_jw_array(w);
    for (size_t i = 0; i < trust->policy->num_witnesses; i++) {
        mlt_verify_witness_json(w, trust->policy->witnesses[i].vkey.name, trust->judged.cosigned[i],
                                (int64_t)trust->judged.time[i]);
    }
    mlt_jw_end_array(w);
    mlt_jw_end_object(w);
}
