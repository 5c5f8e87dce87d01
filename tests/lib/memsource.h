// A source in memory, made of JSON records, for tests of what reads through struct mlt_source.
//
// Records go through the real builder: they are validated, split, sealed and given their terms as in a trail.
// Everything fails the running cmocka test when it cannot be done.
#ifndef MLT_TESTS_LIB_MEMSOURCE_H
#define MLT_TESTS_LIB_MEMSOURCE_H

#include "record/source.h"

struct mlt_memsource;
struct mlt_memsource *mlt_memsource_new(void);
void mlt_memsource_free(struct mlt_memsource *m);

// mlt_memsource_add appends one record as `principal` at the server's time `received` ("2026-03-01T00:00:00Z") and
// returns its index. Kinds that only the server writes are accepted too.
uint64_t mlt_memsource_add(struct mlt_memsource *m, const char *principal, const char *received, const char *json);
// mlt_memsource_set_payload makes the payload of an entry be what a reader may meet: erased, withheld, missing.
void mlt_memsource_set_payload(struct mlt_memsource *m, uint64_t index, enum mlt_payload_state state);
// mlt_memsource_source is a source as of the present size, valid until the next add.
struct mlt_source mlt_memsource_source(struct mlt_memsource *m);
// How many entries were read through sources of `m` so far.
uint64_t mlt_memsource_reads(const struct mlt_memsource *m);

#endif
