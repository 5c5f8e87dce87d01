#include "cli/transport.h"
#include "cli/verify.h"
#include "trail/meta.h"

bool mlt_verify_policy_by_chain(struct mlt_cli *cli, struct mlt_bytes note, struct mlt_verify_trust *trust,
                                struct mlt_key_chain *chain) {
    struct mlt_reply reply = {0};
    struct mlt_error why = {0};
    const struct mlt_call call = {.method = "GET", .path = "/trail.json"};
    const struct mlt_key_chain *read = NULL;
    if (mlt_transport_send(cli->transport, &call, &reply, &why) == MLT_OK && reply.status == 200) {
        read = mlt_verify_chain_read(cli, mlt_buf_bytes(&reply.body), NULL);
    }
    const bool followed = mlt_verify_trust_follow(trust, note, read);
    if (followed) {
        *chain = *read;
    }
    mlt_reply_clear(&reply);
    return followed;
}

bool mlt_verify_by_chain(struct mlt_cli *cli, struct mlt_bytes note, const struct mlt_vkey *trusted,
                         struct mlt_checkpoint *head, struct mlt_key_chain *chain, struct mlt_error *err) {
    struct mlt_reply reply = {0};
    struct mlt_error why = {0};
    const struct mlt_call call = {.method = "GET", .path = "/trail.json"};
    struct mlt_meta *meta = mlt_arena_zero(&cli->arena, sizeof *meta);
    bool good = false;
    // An older server has no such route: then the first error stands.
    if (!meta || mlt_transport_send(cli->transport, &call, &reply, &why) != MLT_OK || reply.status != 200) {
        goto out;
    }
    if (mlt_meta_parse(meta, mlt_buf_bytes(&reply.body), err) != MLT_OK) {
        goto out;
    }
    if (!mlt_meta_verify(meta, mlt_buf_bytes(&reply.body), trusted)) {
        enum mlt_status st = mlt_fail(err, MLT_DENIED,
                                      "the checkpoint is not by the key %s+%08x, and trail.json does not lead from it "
                                      "to another one (FORMAT.md, Keys)",
                                      trusted->name, (unsigned)trusted->key_id);
        (void)st;
        goto out;
    }
    *chain = meta->chain;
    good = mlt_key_chain_open(&meta->chain, head, note, err) == MLT_OK;
out:
    mlt_reply_clear(&reply);
    return good;
}
