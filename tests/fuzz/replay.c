/* Runs a fuzzer's function over files, without libFuzzer: what was found once stays found, in every
 * build and with every compiler. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 4 << 20 };

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "re");
        uint8_t *room = file == NULL ? NULL : malloc(MAX_BYTES);
        if (room == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(room, 1, MAX_BYTES, file);
        (void)fclose(file);
        /* As large as the input, so that AddressSanitizer sees a read behind it. */
        uint8_t *data = realloc(room, size + (size == 0));
        (void)fprintf(stderr, "%s\n", argv[i]);
        (void)LLVMFuzzerTestOneInput(data == NULL ? room : data, size);
        free(data == NULL ? room : data);
    }
    return 0;
}
