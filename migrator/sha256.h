/* SHA-256 (FIPS 180-4): tells whether two files are the same without holding both. */
#ifndef EK_MIGRATOR_SHA256_H
#define EK_MIGRATOR_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { EK_SHA256_SIZE = 32 };

struct ek_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void ek_sha256_begin(struct ek_sha256 *hash);
void ek_sha256_add(struct ek_sha256 *hash, const void *data, size_t size);

/* Of all that was added; the hash is used up. */
void ek_sha256_end(struct ek_sha256 *hash, unsigned char out[EK_SHA256_SIZE]);

#endif
