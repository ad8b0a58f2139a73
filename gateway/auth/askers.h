/* gateway/auth/askers.h: which questions about tokens may go to Perses now. Few of all at once, few
 * of one sender, by rounds; and who had many refused waits. Tokens that Perses knew lately go
 * first, and strangers leave them room. So those who send tokens of their own making can neither
 * flood Perses through us nor keep people out. Pure: the caller brings now_ms. */
#ifndef GATEWAY_AUTH_ASKERS_H
#define GATEWAY_AUTH_ASKERS_H

#include "common/address.h"
#include "common/list.h"

enum {
    ASKER_LINE_MAX = 256, /* questions of one sender that wait: an office that comes back at once */
    /* Refusals of one sender: ASKER_REFUSALS at once, then one each ASKER_REFUSAL_MS. The tokens of
     * an office that have just expired are fewer. */
    ASKER_REFUSALS = 100,
    ASKER_REFUSAL_MS = 200,
    ASKER_WAIT_MS = 10000, /* in a line; as long as Perses has for its answer */
};

struct asker;
struct ask { /* a question; zero it, init node by ask_init. Embed it, nothing to free */
    struct list node, in_order;
    struct asker *asker; /* NULL: neither waits nor is asked */
    bool asking;
    int64_t since_ms;
};
struct askers;

/* max: questions at once; a quarter of them for one sender, a quarter kept from strangers. */
struct askers *askers_new(uint32_t max);
void askers_free(struct askers *a); /* nothing may be under way */
void ask_init(struct ask *q);
/* May this sender (NULL: ourselves) put one more question? known: about a token that Perses knew;
 * those always may. */
bool askers_may(const struct askers *a, const struct address *sender, bool known, int64_t now_ms);
void askers_enter(struct askers *a, struct ask *q, const struct address *sender, bool known,
                  int64_t now_ms);
/* The one to put to Perses now, or NULL: nothing waits that may. Ask again until it is NULL, after
 * each enter and leave. */
struct ask *askers_next(struct askers *a);
/* It was answered, or nobody waits for it any more. refused: Perses does not know the token. */
void askers_leave(struct askers *a, struct ask *q, bool refused, int64_t now_ms);
bool askers_waiting(const struct askers *a);
/* One that waits in vain, or NULL. It is to be let go (askers_leave). */
struct ask *askers_overdue(const struct askers *a, int64_t now_ms);

#endif
