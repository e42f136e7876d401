/* What is in volumes: read through libvirt's streams, whole and once. */
#include "migrator/volume.h"

#include "migrator/failure.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 256 * 1024,
    BLOCK = 4096, /* what is compared with zeros */
    AT_A_HOLE = -3,
};

/* Bytes on their way from a download: into the digest, and to an upload if there is one. */
struct flow {
    virStreamPtr from;
    virStreamPtr to; /* NULL: only the digest */
    struct sha256_ctx hash;
    uint64_t at;
    unsigned char block[BLOCK];
    size_t filled;
    bool (*goes_on)(void *context);
    void *context;
};

/* ---- the digest ---------------------------------------------------------------------------- */

static bool is_zero(const unsigned char *block)
{
    return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

/* Blocks of zeros are left out and the others hashed with their places: a hole on one side may be
 * written zeros on the other. */
static void end_block(struct flow *flow)
{
    uint64_t place = flow->at - flow->filled;

    if (flow->filled == 0) {
        return;
    }
    memset(flow->block + flow->filled, 0, BLOCK - flow->filled);
    if (!is_zero(flow->block)) {
        sha256_update(&flow->hash, sizeof(place), (const uint8_t *)&place);
        sha256_update(&flow->hash, BLOCK, flow->block);
    }
    flow->filled = 0;
}

static void hash_bytes(struct flow *flow, const unsigned char *data, size_t size)
{
    while (size > 0) {
        size_t part = BLOCK - flow->filled < size ? BLOCK - flow->filled : size;

        memcpy(flow->block + flow->filled, data, part);
        flow->filled += part;
        flow->at += part;
        data += part;
        size -= part;
        if (flow->filled == BLOCK) {
            end_block(flow);
        }
    }
}

static void hash_hole(struct flow *flow, uint64_t length)
{
    static const unsigned char zeros[BLOCK];
    /* Up to the block's end as bytes; whole blocks of zeros count for nothing but their length. */
    uint64_t rest = flow->filled == 0 ? 0 : BLOCK - flow->filled;

    rest = rest < length ? rest : length;
    hash_bytes(flow, zeros, (size_t)rest);
    length -= rest;
    flow->at += length - length % BLOCK;
    hash_bytes(flow, zeros, (size_t)(length % BLOCK));
}

static void end_hash(struct flow *flow, unsigned char digest[SHA256_DIGEST_SIZE])
{
    uint64_t length = flow->at;

    end_block(flow);
    sha256_update(&flow->hash, sizeof(length), (const uint8_t *)&length);
    sha256_digest(&flow->hash, SHA256_DIGEST_SIZE, digest);
}

/* ---- the flow ------------------------------------------------------------------------------ */

static bool send_all(virStreamPtr to, const char *data, size_t size)
{
    while (size > 0) {
        int sent = virStreamSend(to, data, size);

        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool pass_hole(struct flow *flow)
{
    long long length = 0;

    if (virStreamRecvHole(flow->from, &length, 0) < 0 ||
        (flow->to != NULL && virStreamSendHole(flow->to, length, 0) < 0)) {
        return false;
    }
    hash_hole(flow, (uint64_t)length);
    return true;
}

/* *ended: the file is over. */
static bool pass_chunk(struct flow *flow, char *buffer, bool *ended)
{
    int got = virStreamRecvFlags(flow->from, buffer, CHUNK, VIR_STREAM_RECV_STOP_AT_HOLE);

    if (got == AT_A_HOLE) {
        return pass_hole(flow);
    }
    *ended = got == 0;
    if (got < 0 || (flow->to != NULL && !send_all(flow->to, buffer, (size_t)got))) {
        return false;
    }
    hash_bytes(flow, (const unsigned char *)buffer, (size_t)got);
    return true;
}

static bool pass_all(struct flow *flow)
{
    char *buffer = malloc(CHUNK);
    bool ended = false;
    bool passed = buffer != NULL;

    while (passed && !ended) {
        passed = flow->goes_on(flow->context) && pass_chunk(flow, buffer, &ended);
    }
    free(buffer);
    /* Each end of a stream is told how it ended: a finish that fails is a copy that failed. */
    if (passed && virStreamFinish(flow->from) == 0) {
        return flow->to == NULL || virStreamFinish(flow->to) == 0;
    }
    ek_failure_keep();
    virStreamAbort(flow->from);
    if (flow->to != NULL) {
        virStreamAbort(flow->to);
    }
    return false;
}

static bool open_from(struct flow *flow, virStorageVolPtr volume)
{
    flow->from = virStreamNew(virStorageVolGetConnect(volume), 0);
    return flow->from != NULL && virStorageVolDownload(volume, flow->from, 0, 0,
                                                       VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) == 0;
}

static void release(struct flow *flow)
{
    ek_failure_keep();
    if (flow->from != NULL) {
        virStreamFree(flow->from);
    }
    if (flow->to != NULL) {
        virStreamFree(flow->to);
    }
}

bool ek_volume_digest(virStorageVolPtr volume, bool (*goes_on)(void *context), void *context,
                      unsigned char digest[SHA256_DIGEST_SIZE])
{
    struct flow flow = {.goes_on = goes_on, .context = context};
    bool done;

    sha256_init(&flow.hash);
    done = open_from(&flow, volume) && pass_all(&flow);
    if (done) {
        end_hash(&flow, digest);
    }
    release(&flow);
    return done;
}

bool ek_volume_copy(virStorageVolPtr from, virStorageVolPtr to, uint64_t length,
                    bool (*goes_on)(void *context), void *context,
                    unsigned char digest[SHA256_DIGEST_SIZE])
{
    struct flow flow = {.goes_on = goes_on, .context = context};
    bool done;

    sha256_init(&flow.hash);
    flow.to = virStreamNew(virStorageVolGetConnect(to), 0);
    done = flow.to != NULL &&
           virStorageVolUpload(to, flow.to, 0, length, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) == 0;
    if (done && !open_from(&flow, from)) {
        ek_failure_keep();
        virStreamAbort(flow.to);
        done = false;
    }
    done = done && pass_all(&flow);
    if (done) {
        end_hash(&flow, digest);
    }
    release(&flow);
    return done;
}
