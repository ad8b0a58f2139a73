#include "gateway/api/searches.h"

#include <string.h>
#include "common/check.h"

static struct search *of_user(struct list *list, const char *user);

void searches_init(struct searches *q)
{
    list_init(&q->running);
    list_init(&q->waiting);
    q->running_count = 0;
}

struct search *searches_add(struct searches *q, struct search *s, const char *user)
{
    struct search *before = of_user(&q->waiting, user);
    if (before)
        list_remove(&before->node);
    s->user = user;
    list_push(&q->waiting, &s->node);
    return before;
}

struct search *searches_next(struct searches *q)
{
    if (q->running_count == SEARCHES_RUNNING_MAX)
        return NULL;
    list_each (&q->waiting, node, next) {
        struct search *s = list_of(node, struct search, node);
        if (of_user(&q->running, s->user))
            continue;
        list_remove(&s->node);
        list_push(&q->running, &s->node);
        q->running_count++;
        return s;
    }
    return NULL;
}

void searches_end(struct searches *q, struct search *s)
{
    list_each (&q->running, node, next)
        if (node == &s->node)
            q->running_count--;
    list_remove(&s->node);
}

static struct search *of_user(struct list *list, const char *user)
{
    list_each (list, node, next)
        if (strcmp(list_of(node, struct search, node)->user, user) == 0)
            return list_of(node, struct search, node);
    return NULL;
}
