#include "segment/run.h"

static enum mlt_status write_leaves(struct mlt_run *run, struct mlt_error *err) {
    struct mlt_buf out = {0};
    enum mlt_status status = MLT_OK;
    uint64_t off = 0;
    for (size_t i = 0; i < run->leaves.num && status == MLT_OK;) {
        mlt_buf_reset(&out);
        for (size_t end = i + MLT_STREAM_LEAVES; i < end && i < run->leaves.num; i++) {
            uint8_t bytes[MLT_LINK_LEAF_LEN];
            mlt_link_leaf_encode(bytes, &run->leaves.leaf[i]);
            mlt_buf_put(&out, bytes, sizeof(bytes));
        }
        status = out.failed ? mlt_fail(err, MLT_NOMEM, "no memory to write links")
                            : run->env->write(run->env, run->file, out.data, out.len, off, err);
        off += out.len;
    }
    mlt_buf_clear(&out);
    return status;
}

enum mlt_status mlt_run_put_aside(struct mlt_run *run, struct mlt_env *env, const char *path, struct mlt_error *err) {
    const unsigned flags = MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_EXCLUSIVE | MLT_OPEN_PRIVATE;
    (void)env->unlink(env, path, NULL); // what a crash between the next two calls left
    run->env = env;
    enum mlt_status status = env->open(env, &run->file, path, flags, err);
    if (status != MLT_OK) {
        run->file = NULL;
        return status;
    }
    status = env->unlink(env, path, err);
    status = status ? status : write_leaves(run, err);
    if (status == MLT_OK) {
        mlt_link_leaves_clear(&run->leaves);
    }
    return status;
}

enum mlt_status mlt_run_stream(const struct mlt_run *run, struct mlt_stream *out, struct mlt_error *err) {
    if (run->file) {
        return mlt_stream_of_file(out, run->env, run->file, 0, run->num_leaves, err);
    }
    mlt_stream_of_memory(out, &run->leaves);
    return MLT_OK;
}

void mlt_run_clear(struct mlt_run *run) {
    if (run->file) {
        run->env->close(run->env, run->file);
    }
    mlt_link_leaves_clear(&run->leaves);
    *run = (struct mlt_run){0};
}
