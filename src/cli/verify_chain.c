#include "cli/transport.h"
#include "cli/verify.h"

// An older server has no such route: then `err` is left alone.
static const struct mlt_key_chain *fetch(struct mlt_cli *cli, struct mlt_error *err) {
    struct mlt_reply reply = {0};
    const struct mlt_key_chain *read = NULL;
    const struct mlt_call call = {.method = "GET", .path = "/trail.json"};
    if (mlt_transport_send(cli->transport, &call, &reply, NULL) == MLT_OK && reply.status == 200) {
        read = mlt_verify_chain_read(cli, mlt_buf_bytes(&reply.body), err);
    }
    mlt_reply_clear(&reply);
    return read;
}

bool mlt_verify_policy_by_chain(struct mlt_cli *cli, struct mlt_bytes note, struct mlt_verify_trust *trust,
                                struct mlt_key_chain *chain) {
    const struct mlt_key_chain *read = fetch(cli, NULL);
    const bool followed = mlt_verify_trust_follow(trust, note, read);
    if (followed) {
        *chain = *read;
    }
    return followed;
}

bool mlt_verify_by_chain(struct mlt_cli *cli, struct mlt_bytes note, const struct mlt_vkey *trusted,
                         struct mlt_checkpoint *head, struct mlt_key_chain *chain, struct mlt_error *err) {
    const struct mlt_key_chain *read = fetch(cli, err);
    if (!read) {
        return false;
    }
    if (!mlt_key_chain_leads(read, trusted)) {
        (void)mlt_fail(err, MLT_DENIED,
                       "the checkpoint is not by the key %s+%08x, and trail.json does not lead from it to another one "
                       "(FORMAT.md, Keys)",
                       trusted->name, (unsigned)trusted->key_id);
        return false;
    }
    *chain = *read;
    return mlt_key_chain_open(chain, head, note, err) == MLT_OK;
}
