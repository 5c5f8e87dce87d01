// links: mlt_witness
//
// A witness is asked by a log that has forked and knows its own key: whatever it sends, in whatever order, the heads
// that are cosigned never contradict each other and never get smaller. Each four bytes are a request: branch and
// spoiling, old size, size, where to spoil; after an 'r' all of the input is one body.
#include <stdlib.h>

#include "lib/small_log.h"
#include "witness/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FORK 3
#define FILES_MAX 8

static struct small_log branch[2];

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

// -- files in memory: as much of an environment as a witness uses -----------------------------------------------------

struct mlt_file {
    char path[256];
    struct mlt_buf content;
    bool there;
};
static struct mlt_file files[FILES_MAX];

static struct mlt_file *find(const char *path) {
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].there && strcmp(files[i].path, path) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

static enum mlt_status mem_open(struct mlt_env *env, struct mlt_file **out, const char *path, unsigned flags,
                                struct mlt_error *err) {
    (void)env;
    *out = find(path);
    for (size_t i = 0; !*out && (flags & MLT_OPEN_CREATE) && i < FILES_MAX; i++) {
        if (!files[i].there) {
            files[i].there = true;
            (void)snprintf(files[i].path, sizeof(files[i].path), "%s", path);
            mlt_buf_reset(&files[i].content);
            *out = &files[i];
        }
    }
    return *out ? MLT_OK : mlt_fail(err, MLT_NOTFOUND, "no %s", path);
}
static void mem_close(struct mlt_env *env, struct mlt_file *file) {
    (void)env, (void)file;
}
static enum mlt_status mem_read(struct mlt_env *env, struct mlt_file *file, void *buf, size_t len, uint64_t off,
                                size_t *got, struct mlt_error *err) {
    (void)env, (void)err;
    size_t left = off < file->content.len ? file->content.len - (size_t)off : 0;
    *got = len < left ? len : left;
    if (*got > 0) {
        memcpy(buf, file->content.data + off, *got);
    }
    return MLT_OK;
}
static enum mlt_status mem_write(struct mlt_env *env, struct mlt_file *file, const void *buf, size_t len, uint64_t off,
                                 struct mlt_error *err) {
    (void)env, (void)err;
    require(off == file->content.len);
    mlt_buf_put(&file->content, buf, len);
    return MLT_OK;
}
static enum mlt_status mem_sync(struct mlt_env *env, struct mlt_file *file, struct mlt_error *err) {
    (void)env, (void)file, (void)err;
    return MLT_OK;
}
static enum mlt_status mem_size(struct mlt_env *env, struct mlt_file *file, uint64_t *out, struct mlt_error *err) {
    (void)env, (void)err;
    *out = file->content.len;
    return MLT_OK;
}
static enum mlt_status mem_truncate(struct mlt_env *env, struct mlt_file *file, uint64_t len, struct mlt_error *err) {
    (void)env, (void)err;
    require(len == 0);
    mlt_buf_reset(&file->content);
    return MLT_OK;
}
static enum mlt_status mem_unlink(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env;
    struct mlt_file *file = find(path);
    if (!file) {
        return mlt_fail(err, MLT_NOTFOUND, "no %s", path);
    }
    file->there = false;
    return MLT_OK;
}
static enum mlt_status mem_rename(struct mlt_env *env, const char *from, const char *to, struct mlt_error *err) {
    struct mlt_file *file = find(from);
    enum mlt_status ignored = mem_unlink(env, to, NULL);
    (void)ignored;
    require(file != NULL);
    (void)snprintf(file->path, sizeof(file->path), "%s", to);
    (void)err;
    return MLT_OK;
}
static enum mlt_status mem_dir(struct mlt_env *env, const char *path, struct mlt_error *err) {
    (void)env, (void)path, (void)err;
    return MLT_OK;
}
static enum mlt_status mem_mkdir(struct mlt_env *env, const char *path, bool private_dir, struct mlt_error *err) {
    (void)private_dir;
    return mem_dir(env, path, err);
}
static enum mlt_status mem_lock(struct mlt_env *env, struct mlt_file **out, const char *path, struct mlt_error *err) {
    return mem_open(env, out, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, err);
}
static int64_t mem_now(struct mlt_env *env) {
    (void)env;
    return 1700000000 * INT64_C(1000000000);
}
static enum mlt_status mem_random(struct mlt_env *env, void *buf, size_t len, struct mlt_error *err) {
    (void)env, (void)err;
    memset(buf, 5, len);
    return MLT_OK;
}

static struct mlt_env env = {.open = mem_open,
                             .close = mem_close,
                             .read = mem_read,
                             .write = mem_write,
                             .sync = mem_sync,
                             .size = mem_size,
                             .truncate = mem_truncate,
                             .rename = mem_rename,
                             .unlink = mem_unlink,
                             .mkdir = mem_mkdir,
                             .sync_dir = mem_dir,
                             .lock = mem_lock,
                             .now = mem_now,
                             .monotonic = mem_now,
                             .random = mem_random};

// -- the log that forked ----------------------------------------------------------------------------------------------

struct said {
    uint64_t size;
    bool forked[2]; // heads beyond the fork, of each branch
};

static int send_body(struct mlt_witness *w, struct mlt_bytes body) {
    struct mlt_witness_answer a = {0};
    mlt_witness_add_checkpoint(w, body, &a);
    require(a.body.len > 0 && a.body.data[a.body.len - 1] == '\n');
    require(a.status == 200 || a.status == 400 || a.status == 403 || a.status == 404 || a.status == 409 ||
            a.status == 422);
    mlt_buf_clear(&a.body);
    return a.status;
}

static void send_request(struct mlt_witness *w, struct said *said, const uint8_t in[static 4]) {
    struct mlt_buf body = {0};
    unsigned which = in[0] & 1;
    uint64_t size = in[2] % SMALL_LOG_MAX;
    uint64_t old = in[1] % SMALL_LOG_MAX;
    small_log_request(&branch[which], old < size ? old : size, size, &body);
    if ((in[0] & 2) && body.len > 0) {
        body.data[(size_t)in[3] * body.len / 256] ^= (uint8_t)(in[0] >> 2);
    }
    if (send_body(w, mlt_buf_bytes(&body)) == 200) {
        require(size >= said->size);
        said->size = size;
        said->forked[which] = said->forked[which] || size > FORK;
        require(!said->forked[0] || !said->forked[1]);
    }
    mlt_buf_clear(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_vkey vkey;
    struct mlt_witness *w = NULL;
    struct said said = {0};
    if (!branch[0].signer.key) {
        small_log_init(&branch[0], "log.example.com/f", 1, FORK, "a");
        small_log_init(&branch[1], "log.example.com/f", 1, FORK, "b");
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        files[i].there = false;
    }
    require(mlt_witness_create(&env, "w", "w.example.com", &vkey, NULL) == MLT_OK);
    require(mlt_witness_add_log(&env, "w", &branch[0].signer.vkey, NULL) == MLT_OK);
    require(mlt_witness_open(&w, &env, "w", false, NULL) == MLT_OK);
    if (size > 0 && data[0] == 'r') {
        (void)send_body(w, mlt_bytes_of(data + 1, size - 1));
    }
    for (size_t i = 0; data && data[0] != 'r' && i + 4 <= size && i < 64; i += 4) {
        send_request(w, &said, data + i);
    }
    mlt_witness_close(w);
    return 0;
}
