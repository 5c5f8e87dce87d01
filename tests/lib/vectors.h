// Published test vectors: small ones lie in tests/vectors, large ones outside the repository.
#ifndef MLT_TESTS_LIB_VECTORS_H
#define MLT_TESTS_LIB_VECTORS_H

#include "base/bytes.h"

// test_read_file reads a whole file into `out`; false when it cannot be opened or read.
bool test_read_file(const char *path, struct mlt_buf *out);

// test_source_path puts "<repository>/<relative>" into `out` (MLT_SOURCE, else the working directory).
void test_source_path(char *out, size_t cap, const char *relative);

// test_shared_path does so for the folder of large vectors (MLT_SHARED, else ../shared beside the repository).
// False, with a line on stdout, when there is no such folder: the test then skips, and cmocka counts it.
bool test_shared_path(char *out, size_t cap, const char *relative);

// test_unhex fills `out` from lower-case hexadecimal text of exactly that length, or fails the test.
void test_unhex(uint8_t *out, size_t out_len, const char *hex);

// test_unbase64 fills `out` from base64 text of exactly `out_len` bytes, or fails the test.
void test_unbase64(uint8_t *out, size_t out_len, const char *base64);

#endif
