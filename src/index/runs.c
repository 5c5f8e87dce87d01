#include "index/runs.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_CACHE_BYTES (64u << 20) // shared by all families; the kernel's page cache lies behind it
#define WRITE_BUFFER_BYTES (1u << 20) // only META is written by puts
#define BLOCK_BYTES (8u << 10)        // names are looked up one by one: small blocks
#define BLOOM_BITS 10                 // per term: one absent look-up in a hundred reads a block
#define RUNS_BEFORE_MERGE 6           // each run costs an absent look-up one filter probe, about 0.1 us
#define OPEN_FILES_MAX 512            // below the usual limit of 1024 descriptors
#define LOG_LEVEL_ERROR 3             // InfoLogLevel::ERROR_LEVEL
#define LEVELS_MAX 7                  // RocksDB's default, which universal compaction may fill
#define STAGED_PATH_MAX 1200

static const char *const family_names[MLT_NUM_RUN_FAMILIES] = {"default", "names", "lists", "bitmaps", "streams"};

struct mlt_runs {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[MLT_NUM_RUN_FAMILIES];
    rocksdb_options_t *options;
    rocksdb_options_t *meta_options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_readoptions_t *scan;
    rocksdb_writeoptions_t *synced;
    rocksdb_ingestexternalfileoptions_t *ingest;
    char dir[1024];
};

struct mlt_run_writer {
    struct mlt_runs *runs;
    enum mlt_run_family family;
    rocksdb_envoptions_t *env;
    rocksdb_sstfilewriter_t *file;
    uint64_t num_keys;
    char path[STAGED_PATH_MAX];
};

struct mlt_run_scan {
    rocksdb_iterator_t *it;
};

// RocksDB reports as text that begins with the class of the failure; it is freed here.
static enum mlt_status failed(struct mlt_error *err, const char *what, char *text) {
    enum mlt_status status = MLT_IO;
    if (strncmp(text, "Corruption", 10) == 0 || strncmp(text, "Invalid argument", 16) == 0 ||
        strncmp(text, "Not implemented", 15) == 0 || strstr(text, "No such file") != NULL) {
        status = MLT_CORRUPT;
    } else if (strstr(text, "No space") != NULL || strncmp(text, "IO error: NoSpace", 17) == 0) {
        status = MLT_NOSPACE;
    } else if (strstr(text, "While lock file") != NULL || strstr(text, "lock hold by") != NULL) {
        status = MLT_BUSY;
    }
    mlt_fail(err, status, "index: %s: %s", what, text);
    rocksdb_free(text);
    return status;
}

// Names and lists are written once and merged seldom: universal compaction rewrites each key a few times in its life,
// levels would do so ten times as often.
static rocksdb_options_t *table_options(rocksdb_cache_t *cache, bool prefixed) {
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_block_size(t, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(t, 5);
    if (prefixed) {
        rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
        rocksdb_block_based_options_set_whole_key_filtering(t, 0);
        rocksdb_options_set_prefix_extractor(o, rocksdb_slicetransform_create_fixed_prefix(MLT_RUN_PREFIX_LEN));
    }
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
    rocksdb_options_set_level0_file_num_compaction_trigger(o, RUNS_BEFORE_MERGE);
    rocksdb_options_set_write_buffer_size(o, WRITE_BUFFER_BYTES);
    return o;
}

static void database_options(rocksdb_options_t *o, bool read_only) {
    rocksdb_options_set_create_if_missing(o, !read_only);
    rocksdb_options_set_create_missing_column_families(o, !read_only);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, OPEN_FILES_MAX);
    rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
    rocksdb_options_set_keep_log_file_num(o, 1);
    rocksdb_options_set_info_log_level(o, LOG_LEVEL_ERROR);
    if (read_only) {
        // A read-only trail stays as it is: a place where no log file can be made.
        rocksdb_options_set_db_log_dir(o, "/dev/null/none");
    }
}

enum mlt_status mlt_runs_open(struct mlt_runs **out, const char *dir, bool read_only, struct mlt_error *err) {
    struct mlt_runs *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    if (strlen(dir) >= sizeof(r->dir)) {
        free(r);
        return mlt_fail(err, MLT_LIMIT, "index: the path %s is longer than %zu bytes", dir, sizeof(r->dir) - 1);
    }
    (void)snprintf(r->dir, sizeof(r->dir), "%s", dir);
    r->cache = rocksdb_cache_create_lru(BLOCK_CACHE_BYTES);
    r->options = table_options(r->cache, true);
    r->meta_options = table_options(r->cache, false);
    database_options(r->meta_options, read_only);
    r->read = rocksdb_readoptions_create();
    r->scan = rocksdb_readoptions_create();
    rocksdb_readoptions_set_prefix_same_as_start(r->scan, 1);
    r->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(r->synced, 1);
    r->ingest = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(r->ingest, 1);

    const rocksdb_options_t *options[MLT_NUM_RUN_FAMILIES];
    for (int i = 0; i < MLT_NUM_RUN_FAMILIES; i++) {
        options[i] = i == MLT_RUN_META ? r->meta_options : r->options;
    }
    char *text = NULL;
    if (read_only) {
        r->db = rocksdb_open_for_read_only_column_families(r->meta_options, dir, MLT_NUM_RUN_FAMILIES, family_names,
                                                           options, r->families, 0, &text);
    } else {
        r->db = rocksdb_open_column_families(r->meta_options, dir, MLT_NUM_RUN_FAMILIES, family_names, options,
                                             r->families, &text);
    }
    if (text != NULL) {
        r->db = NULL;
        enum mlt_status status = failed(err, dir, text);
        mlt_runs_close(r);
        return status;
    }
    *out = r;
    return MLT_OK;
}

void mlt_runs_close(struct mlt_runs *r) {
    if (r == NULL) {
        return;
    }
    if (r->db != NULL) {
        for (int i = 0; i < MLT_NUM_RUN_FAMILIES; i++) {
            rocksdb_column_family_handle_destroy(r->families[i]);
        }
        rocksdb_cancel_all_background_work(r->db, 1);
        rocksdb_close(r->db);
    }
    rocksdb_ingestexternalfileoptions_destroy(r->ingest);
    rocksdb_writeoptions_destroy(r->synced);
    rocksdb_readoptions_destroy(r->scan);
    rocksdb_readoptions_destroy(r->read);
    rocksdb_options_destroy(r->meta_options);
    rocksdb_options_destroy(r->options);
    rocksdb_cache_destroy(r->cache);
    free(r);
}

void mlt_run_key(uint8_t out[static MLT_RUN_KEY_LEN], const struct mlt_term *term, uint64_t entry) {
    memcpy(out, term->hash, MLT_TERM_LEN);
    out[MLT_TERM_LEN] = term->dim;
    mlt_store_u64be(out + MLT_RUN_PREFIX_LEN, entry);
}

// ---- writing ----

enum mlt_status mlt_run_begin(struct mlt_run_writer **out, struct mlt_runs *runs, enum mlt_run_family family,
                              struct mlt_error *err) {
    struct mlt_run_writer *w = calloc(1, sizeof(*w));
    *out = NULL;
    if (w == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    w->runs = runs;
    w->family = family;
    // The name is the same each time: what a crash left behind is overwritten.
    (void)snprintf(w->path, sizeof(w->path), "%s/staged-%s", runs->dir, family_names[family]);
    w->env = rocksdb_envoptions_create();
    w->file = rocksdb_sstfilewriter_create(w->env, runs->options);
    char *text = NULL;
    rocksdb_sstfilewriter_open(w->file, w->path, &text);
    if (text != NULL) {
        mlt_run_abandon(w);
        return failed(err, "begin a run", text);
    }
    *out = w;
    return MLT_OK;
}

enum mlt_status mlt_run_put(struct mlt_run_writer *w, const uint8_t key[static MLT_RUN_KEY_LEN], struct mlt_bytes value,
                            struct mlt_error *err) {
    char *text = NULL;
    rocksdb_sstfilewriter_put(w->file, (const char *)key, MLT_RUN_KEY_LEN, value.len ? (const char *)value.ptr : "",
                              value.len, &text);
    if (text != NULL) {
        return failed(err, "write a run", text);
    }
    w->num_keys++;
    return MLT_OK;
}

enum mlt_status mlt_run_ingest(struct mlt_run_writer *w, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    char *text = NULL;
    if (w->num_keys > 0) {
        const char *paths[1] = {w->path};
        rocksdb_sstfilewriter_finish(w->file, &text);
        if (text == NULL) {
            rocksdb_ingest_external_file_cf(w->runs->db, w->runs->families[w->family], paths, 1, w->runs->ingest,
                                            &text);
        }
    }
    if (text != NULL) {
        status = failed(err, "ingest a run", text);
    }
    mlt_run_abandon(w);
    return status;
}

void mlt_run_abandon(struct mlt_run_writer *w) {
    if (w == NULL) {
        return;
    }
    rocksdb_sstfilewriter_destroy(w->file);
    rocksdb_envoptions_destroy(w->env);
    (void)remove(w->path); // ingested: already moved away
    free(w);
}

enum mlt_status mlt_runs_put_meta(struct mlt_runs *runs, const char *key, struct mlt_bytes value,
                                  struct mlt_error *err) {
    char *text = NULL;
    rocksdb_put_cf(runs->db, runs->synced, runs->families[MLT_RUN_META], key, strlen(key), (const char *)value.ptr,
                   value.len, &text);
    return text == NULL ? MLT_OK : failed(err, key, text);
}

// ---- reading ----

enum mlt_status mlt_runs_get(struct mlt_runs *runs, enum mlt_run_family family, struct mlt_bytes key,
                             struct mlt_buf *value, bool *found, struct mlt_error *err) {
    char *text = NULL;
    *found = false;
    mlt_buf_reset(value);
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(runs->db, runs->read, runs->families[family], (const char *)key.ptr, key.len, &text);
    if (text != NULL) {
        return failed(err, "read", text);
    }
    if (slice == NULL) {
        return MLT_OK;
    }
    size_t len;
    const char *ptr = rocksdb_pinnableslice_value(slice, &len);
    mlt_buf_put(value, ptr, len);
    rocksdb_pinnableslice_destroy(slice);
    *found = true;
    return value->failed ? mlt_fail(err, MLT_NOMEM, "index: out of memory") : MLT_OK;
}

enum mlt_status mlt_run_scan_new(struct mlt_run_scan **out, struct mlt_runs *runs, enum mlt_run_family family,
                                 struct mlt_error *err) {
    struct mlt_run_scan *s = calloc(1, sizeof(*s));
    *out = s;
    if (s == NULL) {
        return mlt_fail(err, MLT_NOMEM, "index: out of memory");
    }
    s->it = rocksdb_create_iterator_cf(runs->db, runs->scan, runs->families[family]);
    return MLT_OK;
}

void mlt_run_scan_free(struct mlt_run_scan *s) {
    if (s != NULL) {
        rocksdb_iter_destroy(s->it);
        free(s);
    }
}

void mlt_run_scan_seek(struct mlt_run_scan *s, const struct mlt_term *term) {
    uint8_t key[MLT_RUN_KEY_LEN];
    mlt_run_key(key, term, 0);
    rocksdb_iter_seek(s->it, (const char *)key, sizeof(key));
}

bool mlt_run_scan_at(struct mlt_run_scan *s, uint64_t *entry, struct mlt_bytes *value) {
    size_t len;
    if (!rocksdb_iter_valid(s->it)) {
        return false;
    }
    const char *key = rocksdb_iter_key(s->it, &len);
    if (len != MLT_RUN_KEY_LEN) {
        return false;
    }
    *entry = mlt_run_key_entry((const uint8_t *)key);
    const char *ptr = rocksdb_iter_value(s->it, &len);
    *value = mlt_bytes_of(ptr, len);
    return true;
}

void mlt_run_scan_next(struct mlt_run_scan *s) {
    rocksdb_iter_next(s->it);
}

enum mlt_status mlt_run_scan_status(struct mlt_run_scan *s, struct mlt_error *err) {
    char *text = NULL;
    rocksdb_iter_get_error(s->it, &text);
    return text == NULL ? MLT_OK : failed(err, "scan", text);
}

uint64_t mlt_runs_count(struct mlt_runs *runs, enum mlt_run_family family) {
    uint64_t total = 0;
    for (int level = 0; level < LEVELS_MAX; level++) {
        char name[48];
        (void)snprintf(name, sizeof(name), "rocksdb.num-files-at-level%d", level);
        char *text = rocksdb_property_value_cf(runs->db, runs->families[family], name);
        if (text != NULL) {
            total += strtoull(text, NULL, 10);
            rocksdb_free(text);
        }
    }
    return total;
}
