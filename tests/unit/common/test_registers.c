#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "common/registers.h"

/* The first and the last of those that all have, and of those that AVX-512 alone has. */
enum { LOOKED_AT = 4, WIDE = 64 };
static const char secret[] = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhbGljZSJ9.0123456789abcdefghijkl";
static char found[LOOKED_AT][WIDE];
static size_t wide, looked_at;

#if defined(__x86_64__)

static void fill(void)
{
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile("vmovdqu64 (%0), %%zmm0\n\tvmovdqu64 (%0), %%zmm15\n\t"
                         "vmovdqu64 (%0), %%zmm16\n\tvmovdqu64 (%0), %%zmm31" ::"r"(secret)
                         : "xmm0", "xmm15");
    else if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu (%0), %%ymm15" ::"r"(secret)
                         : "xmm0", "xmm15");
    else
        __asm__ volatile("movups (%0), %%xmm0\n\tmovups (%0), %%xmm15" ::"r"(secret)
                         : "xmm0", "xmm15");
}

static void look(void)
{
    looked_at = 2;
    wide = 16;
    if (__builtin_cpu_supports("avx512f")) {
        __asm__ volatile("vmovdqu64 %%zmm0, (%0)\n\tvmovdqu64 %%zmm15, 64(%0)\n\t"
                         "vmovdqu64 %%zmm16, 128(%0)\n\tvmovdqu64 %%zmm31, 192(%0)" ::"r"(found)
                         : "memory");
        looked_at = 4;
        wide = 64;
    } else if (__builtin_cpu_supports("avx")) {
        __asm__ volatile("vmovdqu %%ymm0, (%0)\n\tvmovdqu %%ymm15, 64(%0)" ::"r"(found) : "memory");
        wide = 32;
    } else {
        __asm__ volatile("movups %%xmm0, (%0)\n\tmovups %%xmm15, 64(%0)" ::"r"(found) : "memory");
    }
}

#elif defined(__aarch64__)

static void fill(void)
{
    __asm__ volatile("ldr q0, [%0]\n\tldr q31, [%0]" ::"r"(secret) : "v0", "v31");
}

static void look(void)
{
    looked_at = 2;
    wide = 16;
    __asm__ volatile("str q0, [%0]\n\tstr q31, [%0, #64]" ::"r"(found) : "memory");
}

#else

static void fill(void) {}
static void look(void) { looked_at = 0; }

#endif

static void what_was_copied_is_in_none_that_is_cleared(void **state)
{
    static const char none[WIDE];
    (void)state;
    fill();
    look();
    for (size_t i = 0; i < looked_at; i++) /* they are kept from one call to the next */
        assert_memory_equal(found[i], secret, wide);
    fill();
    registers_clear();
    look();
    for (size_t i = 0; i < looked_at; i++)
        assert_memory_equal(found[i], none, wide);
}

/* On Arm v8 to v15 are the caller's, who keeps such numbers there. */
static void the_caller_keeps_its_numbers(void **state)
{
    (void)state;
    double sum = 0;
    for (int i = 1; i <= 100; i++) {
        sum += i / 2.0;
        registers_clear();
    }
    assert_true(sum == 2525.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_copied_is_in_none_that_is_cleared),
        cmocka_unit_test(the_caller_keeps_its_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
