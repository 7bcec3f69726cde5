/* Prints the prefix that it was installed into. */
#include <stdio.h>

/* Volatile, so that the compiler knows neither the text nor its length. */
static const char *volatile prefix = "PLACEHOLDER";

int main(void) {
    puts(prefix);
    return 0;
}
