// What the files of witnessing share.
#ifndef MLT_SERVER_WITNESSING_PRIVATE_H
#define MLT_SERVER_WITNESSING_PRIVATE_H

#include "server/api_state.h"
#include "server/witnessing.h"

struct mlt_witnessing {
    struct mlt_env *env;
    struct mlt_policy policy;
    struct mlt_buf text;
    bool require;
    struct mlt_vkey log_key; // set by the check, before anybody asks
    struct mlt_ring *ring;
    struct mlt_ring_options ring_opt;
    char evidence_dir[MLT_PATH_MAX + 16];
    void (*log)(void *arg, const char *line);
    void *log_arg;
    struct mlt_trail *trail;

    pthread_mutex_t mu; // of all below
    bool tried;         // a publication has gathered
    uint64_t size;      // of the head gathered for last
    struct mlt_ring_result last;
    uint64_t published_size; // of the checkpoint published last by this process …
    bool published_quorum;   // … and whether it has the quorum
    uint64_t proven_size;    // largest size published with the quorum
};

#endif
