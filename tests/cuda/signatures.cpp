// That nncc_cuda.c, which reads no header of CUDA, calls the driver and NVRTC as their headers declare them: as many
// arguments, each of the same size, and pointers where there are pointers. Compiling is the test.
#include <cuda.h>
#include <nvrtc.h>
#include <type_traits>

#include "nncc_cuda.c"

// Enumerations are passed as int, CUdeviceptr as uint64_t.
template <class Real, class Ours> constexpr bool argument_alike() {
    return sizeof(Real) == sizeof(Ours) && std::is_pointer<Real>::value == std::is_pointer<Ours>::value;
}

template <class Real, class Ours> struct Same { static constexpr bool value = false; };
template <class R, class... A, class Q, class... B> struct Same<R(A...), Q(B...)> {
    static constexpr bool arguments() {
        if constexpr (sizeof...(A) == sizeof...(B))
            return (argument_alike<A, B>() && ...);
        else
            return false;
    }
    static constexpr bool value = sizeof(R) == sizeof(Q) && arguments();
};
#define DECLARED_SO(name, args) static_assert(Same<decltype(name), Result args>::value, #name);
DRIVER(DECLARED_SO)
NVRTC(DECLARED_SO)

static_assert(CUDA_ERROR_STUB_LIBRARY == 34 && CUDA_ERROR_NO_DEVICE == 100 && CU_STREAM_NON_BLOCKING == 1 &&
              CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == 1 && CU_POINTER_ATTRIBUTE_MEMORY_TYPE == 2 &&
              CU_MEMORYTYPE_DEVICE == 2 && CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES == 8 &&
              CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT == 16 && CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == 75 &&
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == 76 && CUDA_ERROR_ILLEGAL_ADDRESS == 700 &&
              CUDA_ERROR_LAUNCH_FAILED == 719);
