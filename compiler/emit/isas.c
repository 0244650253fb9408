/* isas.c - C that is compiled for several instruction sets and runs with the best one of the machine (Target.isas).
 *
 * The file includes itself once for each: ISA(name) is then the name with that set behind it, and two underscores,
 * which no name from a model has (identifier()). Everything that computes is in the half that is included. Nothing is
 * written at run time for the choice: __builtin_cpu_supports reads what libgcc, or compiler-rt, found out before main.
 */
#include "emit/isas.h"
#include "base/embedded.h"
#include "ir/target.h"
#include "render/template.h"

static const char *bit_of(Emit *e, const Target *isa) { return format(e->arena, "NNCC_ISA_%s", isa->isa); }

/* Those that one compilation may have side by side: they need the same of a compiler but for the last, which is the
 * base. */
static int side_by_side(const Target *const *isa) {
    int n = 0;
    while (isa[n] && isa[n]->features && !strcmp(isa[n]->available, isa[0]->available)) n++;
    return n + 1;
}

/* NNCC_ISA as it is if nobody says: the first that the compiler has, where `n` of them make auto. */
static void put_default(Emit *e, const Target *const *isa, int n) {
    put(&e->c, "#if defined NNCC_ISA\n#elif %s\n#define NNCC_ISA auto\n", isa[0]->available);
    for (isa += n - 1; *isa; isa++)
        put(&e->c, (*isa)->available ? "#elif %s\n#define NNCC_ISA %s\n" : "#else\n#define NNCC_ISA %s\n",
            (*isa)->available ? (*isa)->available : (*isa)->isa, (*isa)->isa);
    put_text(&e->c, "#endif\n");
}

void put_isas_chosen(Emit *e) {
    const Target *const *isa = e->m->target->isas;
    int n = side_by_side(isa);
    put_text(&e->c, "/* NNCC_ISA: what the kernels are compiled for. -DNNCC_ISA=NAME compiles them for one instruction "
                    "set:\n * ");
    for (int i = 0; isa[i]; i++) put(&e->c, "%s%s", i ? ", " : "", isa[i]->isa);
    put_text(&e->c, ". auto: for all that an x86-64 may have; the machine's best runs. */\n");
    put_default(e, isa, n);
    put_text(&e->c, "#define NNCC_ISA_auto (");
    for (int i = 0; i < n; i++) put(&e->c, "%s%s", i ? " | " : "", bit_of(e, isa[i]));
    put_text(&e->c, ")\n");
    for (int i = 0; isa[i]; i++) put(&e->c, "#define %s %d\n", bit_of(e, isa[i]), 1 << i);
    put_text(&e->c, "#define NNCC_JOINED(a, b) a##b\n#define NNCC_JOIN(a, b) NNCC_JOINED(a, b)\n"
                    "#define NNCC_ISAS NNCC_JOIN(NNCC_ISA_, NNCC_ISA)\n"
                    "#if !NNCC_ISAS\n#error \"NNCC_ISA: expected auto");
    for (int i = 0; isa[i]; i++) put(&e->c, ", %s", isa[i]->isa);
    put(&e->c,
        "\"\n#elif NNCC_ISAS == NNCC_ISA_auto && !(%s)\n#error \"NNCC_ISA: this compiler has not all of auto; without "
        "NNCC_ISA it takes its best\"\n#endif\n\n",
        isa[0]->available);
}

/* `more`: than compilers take for granted on such a processor. */
static void put_once_for(Emit *e, const Target *isa, bool more) {
    put(&e->c, "#if NNCC_ISAS & %s\n#define ISA(name) name##__%s\n#define NNCC_THIS_ISA %s\n", bit_of(e, isa), isa->isa,
        bit_of(e, isa));
    if (more)
        put(&e->c,
            "#if defined __clang__\n#pragma clang attribute push(__attribute__((target(\"%s\"))), apply_to = "
            "function)\n"
            "#else\n#pragma GCC push_options\n#pragma GCC target(\"%s\")\n#endif\n",
            isa->features, isa->features);
    put(&e->c, "#include \"%s\"\n", e->m->opt->self ? e->m->opt->self : format(e->arena, "%s.c", e->file));
    if (more)
        put_text(&e->c, "#if defined __clang__\n#pragma clang attribute pop\n#else\n#pragma GCC pop_options\n#endif\n");
    put_text(&e->c, "#undef ISA\n#undef NNCC_THIS_ISA\n#endif\n");
}

/* ---- short rows ---- */

enum { WIDE_LANES = 16, SHORT_ROW = 64 };

static bool has_wide_vectors(const Module *m) {
    const Target *const *isa = m->target->isas;
    while (*isa && (*isa)->lanes < WIDE_LANES) isa++;
    return has_isas(m) ? *isa && (*isa)->registers : m->target->registers && m->target->lanes >= WIDE_LANES;
}

/* The innermost loops: those of a length that a call gives, at most SHORT_ROW, and those that fill vectors. */
static void count_loops(const Stmt *s, int *open, int *full) {
    for (; s; s = s->next) {
        int before = *open + *full;
        if (s->tile) *full += 1;
        count_loops(s->body, open, full), count_loops(s->other, open, full);
        if (s->kind != S_FOR || *open + *full > before) continue;
        if (s->axis->size->kind == E_INT)
            *full += s->axis->extent >= WIDE_LANES;
        else
            *(s->axis->extent <= SHORT_ROW ? open : full) += 1;
    }
}

bool has_short_rows(const Emit *e, const Kernel *k) {
    int open = 0, full = 0;
    if (has_wide_vectors(e->m)) count_loops(k->body, &open, &full);
    return open && !full;
}

void put_short_rows(Emit *e) {
    for (int i = 0; i < e->functions.n; i++) {
        const Function *f = e->functions.at[i];
        if (!has_short_rows(e, f->k)) continue;
        fill_template(&e->c, embedded_text("short_rows.h"), 0, NULL);
        put_text(&e->c, "\n");
        return;
    }
}

/* Two to a line. */
static void put_supported(Emit *e, const char *features) {
    int n = 0;
    for (const char *f = features; *f; f += strcspn(f, ","), f += *f == ',', n++)
        put(&e->c, "%s__builtin_cpu_supports(\"%.*s\")",
            !n      ? ""
            : n % 2 ? " && "
                    : " && \\\n     ",
            (int)strcspn(f, ","), f);
}

void put_each_isa(Emit *e) {
    const Target *const *isa = e->m->target->isas;
    int n = side_by_side(isa);
    for (int i = 0; isa[i]; i++) put_once_for(e, isa[i], i < n - 1);
    put_text(&e->c,
             "\n/* The function of the best instruction set that this machine has. */\n#if NNCC_ISAS == NNCC_ISA_auto\n"
             "#define BEST(f) \\\n    (");
    for (int i = 0; i < n - 1; i++) {
        put_supported(e, isa[i]->features);
        put(&e->c, " ? f##__%s : \\\n     ", isa[i]->isa);
    }
    put(&e->c, "f##__%s)\n#else\n#define BEST(f) NNCC_JOIN(f##__, NNCC_ISA)\n#endif\n\n", isa[n - 1]->isa);
}
