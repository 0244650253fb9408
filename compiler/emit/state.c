/* state.c - the block that inference carries from call to call: its first contents, and a look at whose it is. */
#include "emit/emit.h"
#include "train/train.h"

bool has_state(const Module *m) { return m->carried.n > 0; }

const char *run_verb(const Module *m) { return has_state(m) ? "step" : "run"; }

void put_state_check(Emit *e) {
    if (has_state(e->m)) put(&e->c, "    if (state_tag(net->state) != STATE_TAG) return %s_E_STATE;\n", e->macro);
}

static void put_tag(Str *s, const Module *m) {
    put(s, "/* What the state begins with: it tells what lies where. */\n#define STATE_TAG 0x%016llxu\n\n",
        (unsigned long long)state_tag(m));
    put_text(s, "static uint64_t state_tag(const void *state) {\n    uint64_t tag;\n    memcpy(&tag, state, sizeof "
                "tag);\n    return tag;\n}\n\n");
}

void put_reset(Emit *e) {
    const Module *m = e->m;
    if (!has_state(m)) return;
    Str before = e->c, arrays = {.arena = e->arena};
    e->c = (Str){.arena = e->arena};
    put(&e->c, "int %s_reset(const %s_net *net) {\n    if (!net || !net->state) return %s_E_NULL;\n", e->prefix,
        e->prefix, e->macro);
    put(&e->c, "    if ((uintptr_t)net->state %% %s_ALIGN) return %s_E_ALIGN;\n", e->macro, e->macro);
    put(&e->c, "    const uint64_t tag = STATE_TAG;\n    memset(net->state, 0, %s_STATE_BYTES);\n", e->macro);
    put_text(&e->c, "    memcpy(net->state, &tag, sizeof tag);\n");
    for (int i = 0; i < m->carried.n; i++) put_initial(e, m->carried.at[i], &arrays);
    put(&e->c, "    return %s_OK;\n}\n\n", e->macro);
    Str reset = e->c;
    e->c = before;
    put_tag(&e->c, m);
    if (arrays.n) put(&e->c, "%s\n", arrays.s);
    put_text(&e->c, reset.s);
}
