// Opening and closing: what starts in which order, and what must end before what.
#include <stdlib.h>

#include "base/wait.h"
#include "server/anchoring.h"
#include "server/api_state.h"
#include "server/forwarding.h"
#include "server/proving.h"
#include "server/segmenting.h"
#include "server/witnessing.h"

#define KEEPER_EVERY_NS MLT_NS_PER_S // a token that was revoked is refused within about a second

// --- the keeper ---

static void *keeper_run(void *arg) {
    struct mlt_api *api = arg;
    struct mlt_keeper *k = &api->keeper;
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        const int64_t until = mlt_wait_now() + KEEPER_EVERY_NS;
        while (!k->stop && mlt_wait_until(&k->wake, &k->lock, until)) {
        }
        if (k->stop) {
            break;
        }
        pthread_mutex_unlock(&k->lock);
        // A list that does not parse or a full disk leaves things as they were: the next second tries again.
        const char *state_dir = mlt_trail_state_dir(api->trail);
        struct mlt_error ignored;
        bool ok = mlt_tokens_load(&api->tokens, api->env, state_dir, "tokens.json", "tokens", &ignored) == MLT_OK;
        ok = mlt_tokens_load(&api->certs, api->env, state_dir, "certs.json", "certs", &ignored) == MLT_OK && ok;
        ok = (!api->started || mlt_audit_flush(api, false, &ignored) == MLT_OK) && ok;
        (void)ok;
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static enum mlt_status keeper_start(struct mlt_api *api, struct mlt_error *err) {
    int rc = pthread_create(&api->keeper.thread, NULL, keeper_run, api);
    if (rc != 0) {
        return mlt_fail_errno(err, rc, NULL, "start a thread");
    }
    api->keeper.running = true;
    return MLT_OK;
}

static void keeper_stop(struct mlt_api *api) {
    if (!api->keeper.running) {
        return;
    }
    pthread_mutex_lock(&api->keeper.lock);
    api->keeper.stop = true;
    pthread_cond_signal(&api->keeper.wake);
    pthread_mutex_unlock(&api->keeper.lock);
    pthread_join(api->keeper.thread, NULL);
    api->keeper.running = false;
}

// --- open and close ---

static enum mlt_status init_parts(struct mlt_api *api, struct mlt_error *err) {
    enum mlt_status status = mlt_tokens_init(&api->tokens, err);
    if (status == MLT_OK) {
        status = mlt_tokens_init(&api->certs, err);
    }
    if (status == MLT_OK) {
        status = mlt_pools_init(&api->pools, err);
    }
    if (status == MLT_OK) {
        status = mlt_audit_init(&api->audit, err);
    }
    if (status == MLT_OK && (pthread_mutex_init(&api->keeper.lock, NULL) != 0 || !mlt_wait_init(&api->keeper.wake) ||
                             pthread_mutex_init(&api->deriving, NULL) != 0)) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for a lock");
    }
    return status;
}

static void clear_parts(struct mlt_api *api) {
    mlt_tokens_clear(&api->tokens);
    mlt_tokens_clear(&api->certs);
    mlt_pools_clear(&api->pools);
    mlt_audit_clear(&api->audit);
    pthread_mutex_destroy(&api->keeper.lock);
    pthread_cond_destroy(&api->keeper.wake);
    pthread_mutex_destroy(&api->deriving);
}

static enum mlt_status open_index(struct mlt_api *api, const struct mlt_api_options *opt, struct mlt_error *err) {
    if (api->raw) {
        return MLT_OK;
    }
    struct mlt_index_options index_opt = {
        .read_only = api->read_only, .progress = opt->progress, .progress_arg = opt->progress_arg};
    return mlt_index_open(&api->index, api->trail, &index_opt, err);
}

static enum mlt_status start(struct mlt_api *api, const struct mlt_witnessing_options *witnessing,
                             struct mlt_error *err) {
    const char *state_dir = mlt_trail_state_dir(api->trail);
    enum mlt_status status = mlt_tokens_load(&api->tokens, api->env, state_dir, "tokens.json", "tokens", err);
    if (status == MLT_OK) {
        status = mlt_tokens_load(&api->certs, api->env, state_dir, "certs.json", "certs", err);
    }
    if (status != MLT_OK || api->read_only) {
        return status;
    }
    struct mlt_admission admission;
    if (!api->raw) {
        admission = mlt_index_admission(api->index);
    }
    status = mlt_witnessing_check(api->witnessing, api->trail, err);
    if (status == MLT_OK) {
        status = mlt_witnessing_keep(api->env, witnessing, state_dir, err); // what cannot be used is not kept
    }
    if (status == MLT_OK) {
        status = mlt_trail_start(api->trail, api->raw ? NULL : &admission, err);
    }
    if (status == MLT_OK && !api->raw) {
        status = mlt_own_event(api, "logging-started", err);
        api->started = status == MLT_OK;
    }
    if (status == MLT_OK && !api->raw) {
        status = mlt_witnessing_record(api, err);
    }
    return status;
}

static void on_published(void *arg, uint64_t size, struct mlt_bytes note, const struct mlt_cosigned *cosigned) {
    struct mlt_api *api = arg;
    if (mlt_witnessing_published(api->witnessing, size, cosigned) && api->proving) {
        mlt_proving_published(api->proving, size, note);
    }
}

static enum mlt_status open_trail(struct mlt_api *api, const struct mlt_api_options *opt, struct mlt_error *err) {
    struct mlt_trail_options trail = opt->trail;
    char state_dir[MLT_PATH_MAX];
    enum mlt_status status = MLT_OK;
    if (!api->read_only) {
        status = mlt_trail_state_path(state_dir, &trail, err);
        status = status ? status : mlt_witnessing_open(&api->witnessing, api->env, &opt->witnessing, state_dir, err);
        mlt_witnessing_hook(api->witnessing, &trail);
        trail.published = on_published;
        trail.published_arg = api;
        status = status ? status : mlt_proving_start(&api->proving, err);
    }
    return status ? status : mlt_trail_open(&api->trail, api->env, &trail, err);
}

enum mlt_status mlt_api_open(struct mlt_api **out, struct mlt_env *env, const struct mlt_api_options *opt,
                             struct mlt_error *err) {
    *out = NULL;
    struct mlt_api *api = calloc(1, sizeof *api);
    if (!api) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the API");
    }
    api->env = env;
    api->read_only = opt->trail.read_only;
    api->mlflow_webhook_secret = opt->mlflow_webhook_secret;
    enum mlt_status status = init_parts(api, err);
    if (status != MLT_OK) {
        free(api);
        return status;
    }
    status = open_trail(api, opt, err);
    if (status == MLT_OK) {
        api->raw = mlt_trail_is_raw(api->trail);
        status = open_index(api, opt, err);
    }
    if (status == MLT_OK) {
        status = start(api, &opt->witnessing, err);
    }
    if (status == MLT_OK) {
        status = keeper_start(api, err);
    }
    if (status == MLT_OK && !api->raw) {
        status = mlt_segmenting_start(&api->segmenting, api, opt, err);
    }
    if (status == MLT_OK && opt->anchoring.num_urls > 0 && !api->read_only) {
        status = mlt_anchoring_start(&api->anchoring, api, &opt->anchoring, err);
    }
    if (status == MLT_OK && opt->forwarding.num_urls > 0 && !api->read_only) {
        status = mlt_forwarding_start(&api->forwarding, api, &opt->forwarding, err);
    }
    if (status == MLT_OK) {
        api->scrub.pin = opt->trail.pin;
        status = mlt_scrub_start(api, &opt->scrub, err);
    }
    if (status != MLT_OK) {
        enum mlt_status ignored = mlt_api_close(api, NULL);
        (void)ignored;
        return status;
    }
    *out = api;
    return MLT_OK;
}

void mlt_api_end(struct mlt_api *api) {
    mlt_anchoring_interrupt(api->anchoring);
    if (api->proving) {
        mlt_proving_end(api->proving);
    }
}

// First whoever appends records of its own, while the trail still takes them; then what is owed; then the trail; then
// those whom its committer and its publisher call.
enum mlt_status mlt_api_close(struct mlt_api *api, struct mlt_error *err) {
    if (!api) {
        return MLT_OK;
    }
    mlt_anchoring_stop(api->anchoring);
    api->anchoring = NULL;
    mlt_forwarding_stop(api->forwarding);
    api->forwarding = NULL;
    mlt_segmenting_stop(api->segmenting);
    api->segmenting = NULL;
    mlt_api_end(api);
    mlt_scrub_stop(api);
    keeper_stop(api);
    enum mlt_status status = MLT_OK;
    if (api->started) {
        status = mlt_audit_flush(api, true, err);
        struct mlt_error later;
        enum mlt_status said = mlt_own_event(api, "logging-stopped", status == MLT_OK ? err : &later);
        status = status == MLT_OK ? said : status;
    }
    struct mlt_error later;
    if (api->trail) {
        enum mlt_status closed = mlt_trail_close(api->trail, status == MLT_OK ? err : &later);
        status = status == MLT_OK ? closed : status;
    }
    if (api->index) { // after the trail, whose committer still calls it
        enum mlt_status closed = mlt_index_close(api->index, status == MLT_OK ? err : &later);
        status = status == MLT_OK ? closed : status;
    }
    mlt_proving_stop(api->proving); // after the trail as well, whose last publication tells it and asks the witnesses
    mlt_witnessing_close(api->witnessing);
    clear_parts(api);
    free(api);
    return status;
}
