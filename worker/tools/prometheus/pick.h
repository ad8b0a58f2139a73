/* worker/tools/prometheus/pick.h: of the metrics that the words of a question fit, which is it
 * about? By what is known of each beside its name: which of its labels and their values the
 * question says, and whether it is made for what is asked (pick.def). Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_PICK_H
#define WORKER_TOOLS_PROMETHEUS_PICK_H

#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/rank.h"
#include "worker/tools/prometheus/sketch.h"

struct pick {
    struct rank_hit hit;
    struct sketch_metric metric; /* borrows from the catalog and from who gave its labels */
};
/* Name, type and whole, as the catalog knows them; no labels yet. */
void pick_init(struct pick *p, const struct catalog *c, const struct rank_hit *hit);
/* One more pair of a series of it. Strings are borrowed. */
void pick_label(struct pick *p, struct str label, struct str value);
/* At most max of them, best first, by their scores and by what they are. */
unsigned pick_cut(struct pick *picks, unsigned count, unsigned max, const struct asked *a);
/* Those once more, by what the question says of their labels. */
void pick_order(struct pick *picks, unsigned count, const struct rank *r, const struct asked *a);
/* For tests: how well what a metric is fits what is asked for: 1, more or less. */
float pick_fits(const struct asked *a, const struct sketch_metric *m);

#endif
