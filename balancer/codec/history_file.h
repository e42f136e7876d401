/* A file of history: the blocks of many hosts, one after the other.
 *
 * A line that says what it is; then for each block eight bytes, its size and its CRC-32, lowest
 * byte first, and the block (history_block.h); the same for profiles (profile.h), whose sizes have
 * the highest bit set; at last a size of 0 with the count of both in place of the sum, so that a
 * file that was cut is known. Blocks of one host follow each other in the order of their times.
 * Reading and writing is the caller's: this is the form alone. */
#ifndef EK_CODEC_HISTORY_FILE_H
#define EK_CODEC_HISTORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EK_HISTORY_FILE_LINE "evenkeel history 1\n"

/* Half a million domain-samples of noise are some 5 MiB. */
enum { EK_HISTORY_FRAME_SIZE = 8, EK_HISTORY_MAX_BLOCK_BYTES = 64 << 20 };

struct ek_history_frame {
    uint32_t size; /* of the block or profile, below 2^31; 0: the end */
    uint32_t sum;  /* its CRC-32; at the end how many there were */
    bool profile;
};

void ek_history_frame_write(struct ek_history_frame frame, uint8_t bytes[EK_HISTORY_FRAME_SIZE]);
struct ek_history_frame ek_history_frame_read(const uint8_t bytes[EK_HISTORY_FRAME_SIZE]);

/* CRC-32 as zlib, PNG and Ethernet have it. */
uint32_t ek_history_sum(const uint8_t *bytes, size_t size);

#endif
