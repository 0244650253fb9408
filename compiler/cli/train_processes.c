/* train_processes.c - nncc train as one of several processes that mpirun has started: which of them it is, and how its
 * program is built. */
#include "base/process.h"
#include "cli/command.h"
#include "ir/diag.h"
#include "ir/target.h"
#include <stdlib.h>

static const char mpi_compiler[] = "mpicc";

/* Where MPI libraries say which process one is, before it asks them. */
static const char *const rank_names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};

bool is_first_process(const Command *c) {
    for (int i = 0; i < COUNT(rank_names) && c->opt.distributed; i++) {
        const char *rank = getenv(rank_names[i]);
        if (rank) return atoi(rank) == 0;
    }
    return true;
}

static bool has_mpi(const char *compiler) {
    ProcessResult r = run_process((const char *const[]){compiler, "--version", NULL}, ".", "/dev/null", 0);
    return r.end == P_EXITED;
}

/* mpicc calls the compiler that it was made with, or that these name. */
static void wrap_compiler(Command *c) {
    List words = {0};
    Str cc = {.arena = c->arena};
    split_words(c->arena, c->run.cc, &words);
    if (!words.n || strstr(words.at[0], mpi_compiler)) return;
    setenv("OMPI_CC", words.at[0], 1), setenv("MPICH_CC", words.at[0], 1);
    put_text(&cc, mpi_compiler);
    for (int i = 1; i < words.n; i++) put(&cc, " %s", (const char *)words.at[i]);
    c->run.cc = cc.s;
}

/* One process speaks, and writes what comes out. */
int prepare_processes(Command *c) {
    if (!c->opt.distributed) return EXIT_OK;
    if (c->opt.target->backend->device)
        return fputs("nncc: --distributed=mpi: expected a target of CPUs, saw a GPU's\n", stderr), EXIT_UNSUPPORTED;
    wrap_compiler(c);
    if (!has_mpi(mpi_compiler))
        return fprintf(stderr,
                       "nncc: --distributed=mpi needs %s, the compiler of an MPI library (Debian: libopenmpi-dev, "
                       "openmpi-bin)\n",
                       mpi_compiler),
               EXIT_INPUT;
    if (is_first_process(c)) return EXIT_OK;
    c->opt.quiet = true, c->keep = NULL;
    return freopen("/dev/null", "w", stdout) ? EXIT_OK : EXIT_INPUT;
}
