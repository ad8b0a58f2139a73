/* worker/tools/plan.c: show_plan. The plan is in the call's arguments, which the person sees as the
 * turn's events and in the conversation; the result only counts, so that it costs next to nothing.
 */
#include "worker/tools/handlers.h"

#include <string.h>
#include "worker/tools/args.h"
#include "worker/tools/run.h"

void plan_show(struct tool_run *r)
{
    const json_t *steps = json_object_get(r->args, "steps"), *step;
    unsigned open = 0, doing = 0, total = (unsigned)json_array_size(steps);
    size_t i;
    json_array_foreach((json_t *)steps, i, step)
    {
        struct str state = args_str(step, "state");
        doing += str_is(state, "doing");
        open += !str_is(state, "done") && !str_is(state, "dropped");
    }
    buf_printf(&r->content, "{\"kind\":\"plan\",\"steps\":%u,\"open\":%u,\"doing\":%u}", total,
               open, doing);
    run_done(r);
}
