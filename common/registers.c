#include "common/registers.h"

#if defined(__x86_64__)

#define LOW                                                                                        \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#ifdef __AVX512F__
#define HIGH                                                                                       \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",      \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"
#else
#define HIGH /* a compiler that builds for processors without them keeps nothing there */
#endif

/* Intel SDM, volume 2: VZEROALL clears registers 0 to 15 in all their width, of 512 bits where
 * they have as many. 16 to 31, which AVX-512 alone has, are cleared one by one. */
void registers_clear(void)
{
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall" ::: LOW);
    else
        __asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
                         "xorps %%xmm\\n, %%xmm\\n\n\t"
                         ".endr" ::
                             : LOW);
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile(
            ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
            "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t"
            ".endr" ::
                : HIGH);
}

#elif defined(__aarch64__)

/* Arm ARM: what is written to Vn clears the rest of Zn as well. */
void registers_clear(void)
{
    __asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
                     "movi v\\n\\().2d, #0\n\t"
                     ".endr\n\t"
                     ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
                     "movi v\\n\\().2d, #0\n\t"
                     ".endr" ::
                         : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
                           "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
                           "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#else

void registers_clear(void) {}

#endif
