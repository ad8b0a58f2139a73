#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/utf8.h"

static void what_is_encoded_is_decoded_again(void **state)
{
    (void)state;
    static const uint32_t points[] = {0x1,    0x7f,    0x80,    0x7ff,   0x800,
                                      0xffff, 0x10000, 0x1f680, 0x10ffff};
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char bytes[4];
        size_t len = utf8_encode(points[i], bytes), read;
        assert_int_equal(utf8_decode((const unsigned char *)bytes, len, &read), points[i]);
        assert_int_equal(read, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_encoded_is_decoded_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
