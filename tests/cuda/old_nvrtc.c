/* old_nvrtc.c - the NVRTC that REAL_NVRTC names, which says that it is of CUDA MAJOR. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *real(const char *name) {
    static void *library;
    if (!library) library = dlopen(getenv("REAL_NVRTC"), RTLD_NOW | RTLD_LOCAL);
    void *f = library ? dlsym(library, name) : NULL;
    if (!f) fprintf(stderr, "no %s\n", name), exit(2);
    return f;
}

#define FORWARD(name, types, names)                                                                                    \
    int name types {                                                                                                   \
        int(*f) types;                                                                                                 \
        *(void **)&f = real(#name);                                                                                    \
        return f names;                                                                                                \
    }
FORWARD(nvrtcGetNumSupportedArchs, (int *n), (n))
FORWARD(nvrtcGetSupportedArchs, (int *list), (list))
FORWARD(nvrtcCreateProgram,
        (void **p, const char *text, const char *name, int n, const char *const *a, const char *const *b),
        (p, text, name, n, a, b))
FORWARD(nvrtcDestroyProgram, (void **p), (p))
FORWARD(nvrtcGetCUBINSize, (void *p, size_t *n), (p, n))
FORWARD(nvrtcGetCUBIN, (void *p, char *to), (p, to))
FORWARD(nvrtcGetPTXSize, (void *p, size_t *n), (p, n))
FORWARD(nvrtcGetPTX, (void *p, char *to), (p, to))
FORWARD(nvrtcGetProgramLogSize, (void *p, size_t *n), (p, n))
FORWARD(nvrtcGetProgramLog, (void *p, char *to), (p, to))

int nvrtcVersion(int *major, int *minor) { return *major = MAJOR, *minor = 0, 0; }
int nvrtcCompileProgram(void *p, int n, const char *const *option) {
    int (*f)(void *, int, const char *const *);
    *(void **)&f = real("nvrtcCompileProgram");
    fprintf(stderr, "NVRTC %d compiles\n", MAJOR);
    return f(p, n, option);
}
