#include "balancer/codec/history_file.h"

/* Set in the size of a profile. */
#define PROFILE ((uint32_t)1 << 31)

static void put_number(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint32_t get_number(const uint8_t *bytes)
{
    uint32_t number = 0;

    for (int i = 0; i < 4; i++) {
        number |= (uint32_t)bytes[i] << (8 * i);
    }
    return number;
}

void ek_history_frame_write(struct ek_history_frame frame, uint8_t bytes[EK_HISTORY_FRAME_SIZE])
{
    put_number(bytes, frame.size | (frame.profile ? PROFILE : 0));
    put_number(bytes + 4, frame.sum);
}

struct ek_history_frame ek_history_frame_read(const uint8_t bytes[EK_HISTORY_FRAME_SIZE])
{
    uint32_t size = get_number(bytes);

    return (struct ek_history_frame){
        .size = size & ~PROFILE, .sum = get_number(bytes + 4), .profile = (size & PROFILE) != 0};
}

/* Four bits at a time: a table of sixteen, which can be read over, and fast enough for files. */
uint32_t ek_history_sum(const uint8_t *bytes, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t sum = 0xffffffff;

    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}
