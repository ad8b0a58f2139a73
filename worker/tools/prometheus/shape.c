#include "worker/tools/prometheus/shape.h"

#include <math.h>
#include "common/json.h"
#include "worker/tools/moment.h"
#include "worker/tools/text.h"

/* Sums over the finite points from `from` on, as far as `to`; values are taken relative to `base`,
 * times to `at`: else the squares of large values would lose what differs. */
struct sums {
    double n, t, v, tt, tv, vv;
};

static struct sums sum(const struct series_point *p, unsigned from, unsigned to, double at,
                       double base)
{
    struct sums s = {0};
    for (unsigned i = from; i < to; i++) {
        if (!isfinite(p[i].value))
            continue;
        double t = p[i].at_s - at, v = p[i].value - base;
        s.n++;
        s.t += t;
        s.v += v;
        s.tt += t * t;
        s.tv += t * v;
        s.vv += v * v;
    }
    return s;
}

static double deviation(const struct sums *s)
{
    double mean = s->n > 0 ? s->v / s->n : 0;
    double square = s->n > 0 ? s->vv / s->n - mean * mean : 0;
    return square > 0 ? sqrt(square) : 0;
}

/* Points that are far from all others: their own weight is left out of what "far" is. */
static void find_outliers(const struct series_point *p, unsigned count, const struct sums *all,
                          double base, struct shape *out)
{
    double mean = all->v / all->n, wide = 2.5 * deviation(all), n = 0, v = 0, vv = 0, farthest = 0;
    for (unsigned i = 0; i < count; i++) {
        double x = p[i].value - base;
        if (!isfinite(x) || fabs(x - mean) > wide)
            continue;
        n++;
        v += x;
        vv += x * x;
    }
    if (n < SHAPE_POINTS_MIN)
        return;
    double square = vv / n - v / n * (v / n);
    double calm = square > 0 ? sqrt(square) : 0, least = 1e-9 * fabs(base) + 1e-300;
    for (unsigned i = 0; i < count; i++) {
        double away = fabs(p[i].value - base - v / n);
        if (!isfinite(away) || away <= 4 * calm + least)
            continue;
        out->outliers++;
        if (away > farthest) {
            farthest = away;
            out->outlier_at_s = p[i].at_s;
        }
    }
}

/* Where the values of before and after differ most, and by how much of their own unrest. */
static bool find_step(const struct series_point *p, unsigned count, const struct sums *all,
                      double at, double base, struct shape *out, bool *up)
{
    double n = 0, v = 0, best = 0, rise = 0;
    unsigned split = 0;
    for (unsigned i = 0; i + 1 < count; i++) {
        if (!isfinite(p[i].value))
            continue;
        n++;
        v += p[i].value - base;
        double after = all->n - n;
        if (n < 3 || after < 3)
            continue;
        double gap = (all->v - v) / after - v / n, weight = n * after / all->n * gap * gap;
        if (weight > best) {
            best = weight;
            split = i + 1;
            rise = gap;
        }
    }
    if (split == 0)
        return false;
    struct sums before = sum(p, 0, split, at, base), behind = sum(p, split, count, at, base);
    double unrest = fmax(deviation(&before), deviation(&behind));
    out->step_at_s = p[split].at_s;
    *up = rise > 0;
    return fabs(rise) > 5 * unrest && fabs(rise) > 1e-9 * fabs(base);
}

static enum shape_word judge(const struct series_point *p, unsigned count, const struct sums *s,
                             double at, double base, double low, double high, struct shape *out)
{
    double spread_t = s->n * s->tt - s->t * s->t, spread_v = s->n * s->vv - s->v * s->v;
    double common = s->n * s->tv - s->t * s->v;
    double fit = spread_t > 0 && spread_v > 0 ? common * common / (spread_t * spread_v) : 0;
    double scale = fmax(fabs(low), fabs(high));
    bool up = false;
    if (s->n < SHAPE_POINTS_MIN)
        return SHAPE_UNKNOWN;
    if (high - low <= 0.01 * scale)
        return SHAPE_FLAT;
    if (out->outliers > 0 && out->outliers <= 3 && out->outliers < s->n / 10)
        return SHAPE_SPIKE;
    if (fit < 0.95 && find_step(p, count, s, at, base, out, &up))
        return up ? SHAPE_STEP_UP : SHAPE_STEP_DOWN;
    if (fit > 0.5)
        return common > 0 ? SHAPE_RISING : SHAPE_FALLING;
    return SHAPE_FLUCTUATING;
}

void shape_of(const struct series_point *p, unsigned count, struct shape *out)
{
    double first = NAN, last = NAN, low = INFINITY, high = -INFINITY, at = 0;
    *out = (struct shape){.change = NAN};
    for (unsigned i = 0; i < count; i++) {
        double v = p[i].value;
        if (!isfinite(v))
            continue;
        if (!out->any)
            first = v, at = p[i].at_s;
        out->any = true;
        last = v;
        if (v < low)
            low = v, out->min_at_s = p[i].at_s;
        if (v > high)
            high = v, out->max_at_s = p[i].at_s;
    }
    if (!out->any)
        return;
    struct sums s = sum(p, 0, count, at, first);
    double spread = s.n * s.tt - s.t * s.t;
    out->change = last - first;
    out->per_hour = spread > 0 ? (s.n * s.tv - s.t * s.v) / spread * 3600 : 0;
    if (s.n >= 2 * SHAPE_POINTS_MIN)
        find_outliers(p, count, &s, first, out);
    out->word = judge(p, count, &s, at, first, low, high, out);
}

static void write_time(struct buf *b, const char *key, double at_s)
{
    json_key(b, key);
    buf_putc(b, '"');
    moment_rfc3339(b, (int64_t)(at_s * 1000));
    buf_putc(b, '"');
}

void shape_write(const struct shape *s, bool brief, struct buf *b)
{
    static const char *const words[] = {"",        "flat",      "rising", "falling",
                                        "step up", "step down", "spike",  "fluctuating"};
    if (!s->any)
        return;
    json_key(b, "change");
    text_number(b, s->change, false);
    if (s->word == SHAPE_UNKNOWN)
        return;
    json_field(b, "shape", str_of(words[s->word]));
    if (brief || s->word == SHAPE_FLAT)
        return;
    json_key(b, "trend_per_hour");
    text_number(b, s->per_hour, false);
    write_time(b, "max_at", s->max_at_s);
    write_time(b, "min_at", s->min_at_s);
    if (s->word == SHAPE_STEP_UP || s->word == SHAPE_STEP_DOWN)
        write_time(b, "step_at", s->step_at_s);
    if (s->outliers > 0) {
        buf_printf(b, ",\"outliers\":%u", s->outliers);
        write_time(b, "outlier_at", s->outlier_at_s);
    }
}
