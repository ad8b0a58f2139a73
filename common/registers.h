/* common/registers.h: what the processor's vector registers keep of the last copies.
 *
 * The C library's memcpy goes through them (with AVX-512 64 bytes in each of zmm16 and up, which
 * nothing else uses), and who then waits keeps them: the kernel saves them with the thread, and a
 * core file has them, whatever was wiped in memory (invariant 7). The dynamic linker saves them on
 * the stack when it looks for a function that is called for the first time. */
#ifndef COMMON_REGISTERS_H
#define COMMON_REGISTERS_H

void registers_clear(void); /* those of this thread: a few ns */

#endif
