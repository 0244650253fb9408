/* option_values.c - what the values of options may be. */
#include "cli/options.h"
#include "targets.h"
#include "train/train.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>

enum { MAX_PREFIX = 31 };

const char *set_true(Command *c, const Flag *f, const char *value) {
    (void)value;
    *(bool *)((char *)c + f->at) = true;
    return NULL;
}

const char *set_text(Command *c, const Flag *f, const char *value) {
    *(const char **)((char *)c + f->at) = value;
    return NULL;
}

/* Which of the words in `arg`, "a|b|c", the value is; -1 with *wrong, what is wrong. */
static int which_word(Command *c, const Flag *f, const char *value, const char **wrong) {
    List words = {0};
    *wrong = NULL;
    for (const char *s = f->arg; *s; s += strcspn(s, "|"), s += *s == '|') {
        char *word = format(c->arena, "%.*s", (int)strcspn(s, "|"), s);
        if (!strcmp(word, value)) return words.n;
        push(c->arena, &words, word);
    }
    *wrong = format(c->arena, "has to be one of %s%s", f->arg,
                    suggest(c->arena, value, words.n, (const char *const *)words.at));
    return -1;
}

/* The field gets the word's text. */
const char *set_word(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    return which_word(c, f, value, &wrong) < 0 ? wrong : set_text(c, f, value);
}

const char *check_word(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    which_word(c, f, value, &wrong);
    return wrong;
}

const char *check_nothing(Command *c, const Flag *f, const char *value) {
    (void)c, (void)f, (void)value;
    return NULL;
}

const char *set_target(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    if (which_word(c, f, value, &wrong) >= 0) c->opt.target = find_target(value);
    return wrong;
}

const char *set_weights(Command *c, const Flag *f, const char *value) {
    static const WeightsMode modes[] = {W_AUTO, W_EMBED, W_FILE, W_OBJECT}; /* in the order of the row's words */
    const char *wrong;
    int i = which_word(c, f, value, &wrong);
    if (i >= 0) c->opt.weights = modes[i];
    return wrong;
}

/* The field is true for the second of two words. */
const char *set_second(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    *(bool *)((char *)c + f->at) = which_word(c, f, value, &wrong) == 1;
    return wrong;
}

const char *set_level(Command *c, const Flag *f, const char *value) {
    (void)f;
    if (strlen(value) != 1 || *value < '0' || *value > '3') return "has to be -O0, -O1, -O2 or -O3";
    c->opt.level = *value - '0';
    return NULL;
}

static bool whole_number(const char *s, int64_t *v, const char **end) {
    errno = 0;
    *v = strtoll(s, (char **)(uintptr_t)end, 10);
    return isdigit((unsigned char)*s) && !errno;
}

const char *set_bytes(Command *c, const Flag *f, const char *value) {
    static const char units[] = "kKmMgG";
    const char *end, *unit;
    int64_t v;
    if (!whole_number(value, &v, &end)) return "is not a number of bytes, such as 500M";
    if (*end && (unit = strchr(units, *end)) && !end[1]) {
        if (!mul_ok(v, (int64_t)1 << 10 * ((unit - units) / 2 + 1), &v)) return "is too large";
    } else if (*end) {
        return "is not a number of bytes, such as 500M";
    }
    *(int64_t *)(void *)((char *)c + f->at) = v;
    return NULL;
}

const char *set_count(Command *c, const Flag *f, const char *value) {
    const char *end;
    int64_t v;
    if (!whole_number(value, &v, &end) || *end || v < 1 || v > 1000000)
        return "is not a whole number from 1 to 1000000";
    *(int *)(void *)((char *)c + f->at) = (int)v;
    return NULL;
}

/* Adds a row of NAME=VALUE, whose first member is its name: one name has one value. */
static const char *push_named(Command *c, const Flag *f, const char *name, void *row) {
    List *rows = (List *)(void *)((char *)c + f->at);
    for (int i = 0; i < rows->n; i++)
        if (!strcmp(*(const char **)rows->at[i], name))
            return format(c->arena, "is given twice: '%s' has a value already", escaped(c->arena, name, 60));
    push(c->arena, rows, row);
    return NULL;
}

const char *push_pair(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '=');
    if (!eq || eq == value || !eq[1]) return format(c->arena, "has to be written %s", f->arg);
    Rename *r = NEW(c->arena, Rename);
    r->from = format(c->arena, "%.*s", (int)(eq - value), value), r->to = eq + 1;
    return push_named(c, f, r->from, r);
}

const char *set_loss(Command *c, const Flag *f, const char *value) {
    const char *name = format(c->arena, "%.*s", (int)strcspn(value, "( "), value);
    (void)f;
    if (!find_loss(name) && strncmp(value, "output:", strlen("output:")))
        return format(c->arena, "is no loss%s", loss_choices(c->arena, name));
    c->opt.loss = value;
    return NULL;
}

const char *set_optimizer(Command *c, const Flag *f, const char *value) {
    (void)f;
    for (const Optimizer *o = optimizers; o->name && !o->flavor; o++)
        if (!strcmp(o->name, value)) return c->opt.optimizer = o->name, NULL;
    return format(c->arena, "is no optimizer%s", optimizer_choices(c->arena, value));
}

const char *set_flavor(Command *c, const Flag *f, const char *value) {
    (void)f;
    c->opt.flavor = value;
    return is_flavor(value) ? NULL : "is no flavor; there are torch and keras";
}

const char *set_schedule(Command *c, const Flag *f, const char *value) {
    const char *name = format(c->arena, "%.*s", (int)strcspn(value, "( "), value);
    (void)f;
    c->opt.schedule = value;
    return find_rate(name) ? NULL : format(c->arena, "is no schedule%s", rate_choices(c->arena, name));
}

/* PATTERN, or PATTERN=N. */
const char *push_head(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '='), *rest;
    int64_t n;
    if (!eq) return push(c->arena, &c->head, (void *)(uintptr_t)value), NULL;
    if (eq == value || !whole_number(eq + 1, &n, &rest) || *rest || n < 1 || n > 1000000)
        return "has to be a pattern, or a pattern and a number of classes, as in fc.*=10";
    push(c->arena, &c->head, format(c->arena, "%.*s", (int)(eq - value), value));
    return push_pair(c, f, value);
}

const char *set_weigh(Command *c, const Flag *f, const char *value) {
    c->weigh = true;
    return check_word(c, f, value);
}

const char *set_lr(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    (void)f;
    if (end == value || *end || !isfinite(v)) return "has to be a number, such as 1e-3";
    return push_pair(c, &(Flag){.at = AT(opt.hyper)}, format(c->arena, "lr=%s", value));
}

/* FACTOR:N, as in 0.5:10. */
const char *set_plateau(Command *c, const Flag *f, const char *value) {
    static const char wrong[] = "has to be a factor below 1 and a number of epochs, as in 0.5:10";
    char *end;
    const char *rest;
    int64_t n;
    double v = strtod(value, &end);
    if (end == value || *end != ':' || !(v > 0 && v < 1)) return wrong;
    if (!whole_number(end + 1, &n, &rest) || *rest || n < 1 || n > 1000000) return wrong;
    return set_text(c, f, value);
}

const char *push_text(Command *c, const Flag *f, const char *value) {
    push(c->arena, (List *)(void *)((char *)c + f->at), (void *)(uintptr_t)value);
    return NULL;
}

/* Names between commas, each an element; none twice. */
const char *push_names(Command *c, const Flag *f, const char *value) {
    List *names = (List *)(void *)((char *)c + f->at);
    for (const char *s = value; *s; s += strcspn(s, ","), s += *s == ',') {
        char *name = format(c->arena, "%.*s", (int)strcspn(s, ","), s);
        if (!*name) return "has to be names with commas between";
        for (int i = 0; i < names->n; i++)
            if (!strcmp(names->at[i], name)) return format(c->arena, "has '%s' twice", escaped(c->arena, name, 60));
        push(c->arena, names, name);
    }
    return *value ? NULL : "has to be names with commas between";
}

const char *set_number(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v) || v < 0) return "has to be a number from 0 on, such as 1e-3";
    *(double *)(void *)((char *)c + f->at) = v;
    return NULL;
}

/* name=N, name=MIN..MAX, or name=MIN..MAX:STEP for multiples of it. */
const char *push_dim(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '='), *end;
    DimBinding *d = NEW(c->arena, DimBinding);
    if (!eq || eq == value || !whole_number(eq + 1, &d->min, &end)) return "has to be written name=N or name=1..N";
    d->max = d->min;
    if (!strncmp(end, "..", 2) && !whole_number(end + 2, &d->max, &end)) return "has to be written name=N or name=1..N";
    if (d->max > d->min && *end == ':' && !whole_number(end + 1, &d->step, &end))
        return "has to be written name=N..M:STEP";
    if (d->step < 0 || (d->step && (d->min % d->step || d->max % d->step)))
        return "has to be written name=N..M:STEP, with N and M multiples of STEP";
    if (*end || d->min < 0 || d->max < 1 || d->max < d->min)
        return "has to be written name=N or name=LEAST..N, with N at least 1";
    if (d->max > d->min && d->max >= INT_MAX) return "is an int in the C: its bound has to be less than 2147483647";
    d->name = format(c->arena, "%.*s", (int)(eq - value), value);
    return push_named(c, f, d->name, d);
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

const char *set_prefix(Command *c, const Flag *f, const char *value) {
    size_t n = strspn(value, letters);
    if (!n || value[n] || n > MAX_PREFIX || isdigit((unsigned char)*value))
        return "has to be a C identifier of at most 31 letters, digits and underscores";
    if (is_c_keyword(value)) return "is a keyword of C";
    return set_text(c, f, value);
}

const char *make_prefix(Arena *a, const char *name) {
    bool fine = *name && !isdigit((unsigned char)*name) && *name != '_' && !is_c_keyword(name);
    char *s = format(a, "%s%.*s", fine ? "" : "m_", MAX_PREFIX - 2, name);
    for (char *p = s + strspn(s, letters); *p; p += strspn(p, letters)) *p = '_';
    return s;
}

/* The option is done instead of a verb. */
const char *set_request(Command *c, const Flag *f, const char *value) {
    const char *word = f->arg ? "md" : NULL;
    if (value && word && strcmp(value, word)) return format(c->arena, "has to be %s or %s=%s", f->name, f->name, word);
    c->verb = f->request, c->topic = value;
    return NULL;
}
