/* nncc_mpi.c - processes that MPI has started are one run (nncc_team.c). Needs MPI, and -DNNCC_MPI. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_train.h"
#include <limits.h>
#ifdef NNCC_MPI
#include <mpi.h>

/* In place, over all processes; counts are ints in MPI. */
static int all_reduce(void *user, void *data, size_t n, int type, void *stream) {
    const MPI_Datatype of = type == NNCC_F64 ? MPI_DOUBLE : MPI_FLOAT;
    const size_t size = type == NNCC_F64 ? sizeof(double) : sizeof(float), most = INT_MAX / 2;
    (void)user, (void)stream;
    for (size_t at = 0; at < n; at += most) {
        const int some = (int)(n - at < most ? n - at : most);
        if (MPI_Allreduce(MPI_IN_PLACE, (char *)data + at * size, some, of, MPI_SUM, MPI_COMM_WORLD) != MPI_SUCCESS)
            return -1;
    }
    return 0;
}

int nncc_mpi_start(nncc_model *m) {
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS) return -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &m->rank), MPI_Comm_size(MPI_COMM_WORLD, &m->ranks);
    m->all_reduce = all_reduce;
    return 0;
}

void nncc_mpi_end(void) { MPI_Finalize(); }
#else
int nncc_mpi_start(nncc_model *m) { return (void)m, 0; }
void nncc_mpi_end(void) {}
#endif
