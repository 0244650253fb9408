/* emu_fiber.cpp - CUDA threads as fibers: stacks, and the switch between them and the scheduler. */
#include <cstdlib>
#include <sys/mman.h>

#include "emu.h"

#if !defined __x86_64__ || defined NNCC_EMU_UCONTEXT
#include <map>
#include <ucontext.h>
#endif

extern "C" {
nncc_emu_thread *nncc_emu_now;

/* There if the program runs under AddressSanitizer. */
void __sanitizer_start_switch_fiber(void **, const void *, size_t) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) __attribute__((weak));
void __asan_unpoison_memory_region(void const volatile *, size_t) __attribute__((weak));
}

namespace nncc_emu {

static std::vector<char *> free_stacks;

/* In slabs: a mapping for each stack would reach the kernel's limit of 65,530 mappings with a cooperative grid. */
static char *new_stack() {
    enum { SLAB = 128, PAGE = 4096 };
    if (free_stacks.empty()) {
        char *slab = (char *)mmap(nullptr, (size_t)STACK * SLAB + PAGE, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (slab == MAP_FAILED) abort();
        mprotect(slab, PAGE, PROT_NONE);
        for (int i = SLAB - 1; i >= 0; i--) free_stacks.push_back(slab + PAGE + (size_t)i * STACK);
    }
    char *stack = free_stacks.back();
    free_stacks.pop_back();
    return stack;
}

void release_stack(Fiber *f) {
    if (!f->stack) return;
    if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(f->stack, STACK);
    free_stacks.push_back(f->stack);
    f->stack = nullptr;
}

static void entry() {
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(nullptr, &machine.stack_bottom, &machine.stack_bytes);
    Fiber *f = running();
    machine.launch->kernel->call(machine.args.data());
    if (!f->copies.empty()) fail("a thread leaves the kernel while its cp.async is on the way");
    suspend(DONE, nullptr);
    abort();
}

#if defined __x86_64__ && !defined NNCC_EMU_UCONTEXT
/* Saves what the System V ABI says a function preserves, and goes on where the other stack was left. */
extern "C" void nncc_emu_switch(void **save, void *load);
__asm__(".text\n.globl nncc_emu_switch\n.hidden nncc_emu_switch\n.type nncc_emu_switch,@function\nnncc_emu_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
        ".size nncc_emu_switch,.-nncc_emu_switch\n");

/* The tops lie at different distances from a page's start: else all would share the same few sets of the cache. */
static void prepare(Fiber *f) {
    uint64_t *top = (uint64_t *)(f->stack + STACK - f->linear * 7 % 61 * 256) - 2;
    *--top = 0; /* where entry would return to */
    *--top = (uint64_t)(uintptr_t)&entry;
    f->stack_pointer = top - 6;
}
#else
static std::map<void **, ucontext_t> contexts;

static void nncc_emu_switch(void **save, void *load) {
    *save = &contexts[save];
    swapcontext((ucontext_t *)*save, (ucontext_t *)load);
}

static void prepare(Fiber *f) {
    ucontext_t *c = &contexts[&f->stack_pointer];
    getcontext(c);
    c->uc_stack.ss_sp = f->stack, c->uc_stack.ss_size = STACK;
    makecontext(c, entry, 0);
    f->stack_pointer = c;
}
#endif

void resume(Fiber *f) {
    if (f->state == FRESH) {
        f->stack = new_stack();
        prepare(f);
    }
    f->state = READY;
    nncc_emu_now = f;
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&machine.fake_stack, f->stack, STACK);
    nncc_emu_switch(&machine.stack_pointer, f->stack_pointer);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(machine.fake_stack, nullptr, nullptr);
    nncc_emu_now = nullptr;
    if (f->state == DONE) release_stack(f);
}

void suspend(State state, const Site *site) {
    Fiber *f = running();
    f->state = state;
    f->site = site;
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(state == DONE ? nullptr : &f->fake_stack, machine.stack_bottom,
                                       machine.stack_bytes);
    nncc_emu_switch(&f->stack_pointer, machine.stack_pointer);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(f->fake_stack, &machine.stack_bottom, &machine.stack_bytes);
}

} // namespace nncc_emu
